#include "htj2k.h"

#include <openjph/ojph_arch.h>
// These headers need what the first one declares.
#include <openjph/ojph_codestream.h>
#include <openjph/ojph_file.h>
#include <openjph/ojph_mem.h>
#include <openjph/ojph_message.h>
#include <openjph/ojph_params.h>
#include <openjph/ojph_version.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <stdexcept>

#include "j2k_syntax.h"

namespace spinekit {
namespace {

// ---- messages

// OpenJPH prints its messages to global streams and throws "ojph error"; in 0.9 its hooks for other
// handlers do nothing. So the streams lead to a string of the thread that is at work.
std::string& message() {
  thread_local std::string text;
  return text;
}

ssize_t keep_message(void* /*cookie*/, const char* text, std::size_t size) {
  constexpr std::size_t kEnough = 512;
  std::string& kept = message();
  kept.append(text, std::min(size, kEnough - std::min(kept.size(), kEnough)));
  return static_cast<ssize_t>(size);
}

void listen() {
  static std::once_flag once;
  std::call_once(once, [] {
    cookie_io_functions_t functions{};
    functions.write = keep_message;
    // Never closed: OpenJPH keeps it.
    std::FILE* stream = fopencookie(nullptr, "w", functions);
    if (stream == nullptr) throw_resource("no memory for OpenJPH's messages");
    (void)std::setvbuf(stream, nullptr, _IONBF, 0);
    ojph::set_info_stream(stream);
    ojph::set_warning_stream(stream);
    ojph::set_error_stream(stream);
  });
}

// Runs `work`. OpenJPH throws std::runtime_error, and string literals where memory or data end; what
// it said comes back, nothing where all went well.
template <typename Work>
std::string failure_of(const Work& work) {
  listen();
  message().clear();
  try {
    work();
    return {};
  } catch (const std::runtime_error& failure) {
    if (message().empty()) message() = failure.what();
  } catch (const char* failure) {
    message() = failure;
  }
  return "OpenJPH: " + message();
}

// ---- what the decoders are given

// No coded data look like a marker (ISO/IEC 15444-1 B.10.1), nor end with its first byte.
bool without_markers(Bytes segment) {
  while (!segment.empty()) {
    const void* found = std::memchr(segment.data(), 0xFF, segment.size());
    if (found == nullptr) return true;
    const auto at =
        static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - segment.data());
    if (at + 1 == segment.size() || segment[at + 1] > 0x8F) return false;
    segment = segment.subspan(at + 1);
  }
  return true;
}

// Guard bits and exponents of QCD (ISO/IEC 15444-1 A.6.4) give the magnitude bit planes of a band.
class BitPlanes {
 public:
  static std::optional<BitPlanes> read(Bytes qcd, const j2k::CodingStyle& style) {
    BitPlanes out;
    j2k::Cursor cursor(qcd, 4);
    const std::uint32_t flags = cursor.take(1);
    const std::uint32_t kind = flags & 0x1FU;
    out.guard_ = static_cast<int>(flags >> 5U);
    const bool expected = style.reversible ? kind == 0 : kind == 2;
    const int bytes = style.reversible ? 1 : 2;
    const int bands = 3 * style.levels + 1;
    if (!expected || static_cast<std::int64_t>(qcd.size()) != 5 + bands * bytes)
      return std::nullopt;
    for (int b = 0; b < bands; ++b) {
      const std::uint32_t step = cursor.take(bytes);
      out.exponents_.push_back(static_cast<int>(step >> (style.reversible ? 3U : 11U)));
    }
    return out;
  }

  [[nodiscard]] int of(int resolution, int band) const {
    const int index = resolution == 0 ? 0 : 3 * (resolution - 1) + band;
    return guard_ + exponents_[static_cast<std::size_t>(index)] - 1;
  }

 private:
  int guard_ = 0;
  std::vector<int> exponents_;
};

// The bounds that a block decoder relies on (15444-15 7.1.1): the last two bytes of a cleanup segment
// hold the length of its two suffix streams.
bool well_formed(const j2k::CodedBlock& block, int planes) {
  if (block.zero_planes >= planes) return false;
  const std::size_t size = block.first.size();
  if (size == 0) return block.second.empty();
  if (size < 2 || size >= 65535 || block.second.size() >= 2047) return false;
  const std::size_t suffix =
      static_cast<std::size_t>(block.first[size - 1]) << 4U | (block.first[size - 2] & 0xFU);
  return suffix >= 2 && suffix <= std::min<std::size_t>(size, 4079) &&
         (block.passes > 1 || block.second.empty());
}

bool plain(const j2k::Codestream& codestream, const J2kHeader& info) {
  const j2k::CodingStyle& style = codestream.style;
  constexpr int kMostLevels = 12;
  if ((style.block_style & ~j2k::kVerticallyCausal) != j2k::kHighThroughputBlocks ||
      style.layers != 1 || style.levels > kMostLevels ||
      style.block_width + style.block_height > 12) {
    return false;
  }
  if (info.components != 1 && info.components != 3) return false;
  if (info.precision > 16 || (style.color_transform && info.components != 3)) return false;
  // Here its floating-point arithmetic is up to 2 away from OpenJPEG's.
  if (!style.reversible && info.precision > 12) return false;
  // OpenJPH decodes two rows and eight columns at once into blocks of this size.
  for (const std::uint8_t size : style.precincts) {
    if ((size & 0xF) < 4 || size >> 4 < 4) return false;
  }
  Bytes qcd;
  bool has_cap = false;
  for (const j2k::Segment& segment : codestream.main_header) {
    switch (segment.marker) {
      case j2k::kSiz: {
        j2k::Cursor cursor(segment.bytes, 4);
        constexpr std::uint32_t kPart15 = 0x4000;
        if ((cursor.take(2) & kPart15) == 0) return false;
        (void)cursor.take(4);
        (void)cursor.take(4);
        const std::uint32_t x0 = cursor.take(4);
        const std::uint32_t y0 = cursor.take(4);
        (void)cursor.take(4);
        (void)cursor.take(4);
        if (x0 != 0 || y0 != 0 || cursor.take(4) != 0 || cursor.take(4) != 0) return false;
        break;
      }
      case j2k::kCap: {
        constexpr std::uint32_t kOnlyPart15 = 0x00020000;
        if (has_cap || segment.bytes.size() != 10) return false;
        if (j2k::Cursor(segment.bytes, 4).take(4) != kOnlyPart15) return false;
        has_cap = true;
        break;
      }
      case j2k::kQcd:
        if (!qcd.empty()) return false;
        qcd = segment.bytes;
        break;
      case j2k::kQcc:
      case j2k::kRgn:
        return false;
      default:
        break;
    }
  }
  if (!has_cap || qcd.empty()) return false;
  const std::optional<BitPlanes> planes = BitPlanes::read(qcd, style);
  if (!planes) return false;
  for (int r = 0; r <= style.levels; ++r) {
    for (int band = r > 0 ? 1 : 0; band <= (r > 0 ? 3 : 0); ++band) {
      constexpr int kMostPlanes = 30;
      if (planes->of(r, band) < 1 || planes->of(r, band) > kMostPlanes) return false;
    }
  }
  for (const j2k::Tile& tile : codestream.tiles) {
    for (const j2k::Packet& packet : tile.packets) {
      // OpenJPH 0.9 takes the next packet for that of a precinct without code-blocks.
      if (!packet.has_blocks) return false;
      for (std::size_t b = packet.first_block; b < packet.end_block; ++b) {
        const j2k::CodedBlock& block = codestream.blocks[b];
        if (!well_formed(block, planes->of(packet.resolution, block.band))) return false;
      }
    }
  }
  return true;
}

// Quantisation may carry values beyond the coded range. That they hardly ever leave it makes looking
// cheaper than clamping.
void clamp_row(std::int32_t* values, std::int64_t count, const J2kHeader& info) {
  const std::int32_t least = info.is_signed ? -(1 << (info.precision - 1)) : 0;
  const std::int32_t largest = least + (1 << info.precision) - 1;
  std::uint32_t bits = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    bits |= static_cast<std::uint32_t>(values[i]) - static_cast<std::uint32_t>(least);
  }
  if (bits >> static_cast<unsigned>(info.precision) == 0) return;
  for (std::int64_t i = 0; i < count; ++i) values[i] = std::clamp(values[i], least, largest);
}

}  // namespace

void check_blocks(const j2k::Codestream& codestream) {
  for (const j2k::CodedBlock& block : codestream.blocks) {
    if (!without_markers(block.first) || !without_markers(block.second)) {
      throw_malformed("J2K codestream does not decode: a marker within coded data");
    }
  }
}

bool decode_htj2k(const j2k::Codestream& codestream, const J2kHeader& info,
                  const FrameFormat& picture, MutableBytes out, int reduction) {
  if (!plain(codestream, info)) return false;
  const Buffer bytes = j2k::rebuild(codestream, codestream.style.levels - reduction);
  const std::string failure = failure_of([&] {
    ojph::mem_infile file;
    file.open(bytes.data(), bytes.size());
    ojph::codestream decoder;
    decoder.read_headers(&file);
    const auto skipped = static_cast<ojph::ui32>(reduction);
    if (reduction > 0) decoder.restrict_input_resolution(skipped, skipped);
    // Three lines of one row in turn: a colour transform needs them together.
    decoder.set_planar(false);
    decoder.create();
    const bool wrap = info.is_signed != picture.is_signed;
    for (std::int64_t row = 0; row < picture.rows; ++row) {
      for (int c = 0; c < picture.samples; ++c) {
        ojph::ui32 component = 0;
        ojph::line_buf* line = decoder.pull(component);
        if (line == nullptr || static_cast<std::int64_t>(line->size) < picture.columns ||
            component != static_cast<ojph::ui32>(c)) {
          throw std::runtime_error("a row is missing");
        }
        clamp_row(line->i32, picture.columns, info);
        if (wrap) wrap_values(line->i32, picture.columns, info.precision, picture.is_signed);
        store_values(line->i32, picture.columns, row * picture.columns, c, picture, out);
      }
    }
    decoder.close();
  });
  return failure.empty();
}

namespace {

// One row of one component, as numbers.
void load_row(const std::uint8_t* source, const FrameFormat& format, std::int32_t* row) {
  const std::int64_t stride = format.samples;
  for (std::int64_t x = 0; x < format.columns; ++x) {
    if (format.bits_allocated == 8) {
      const std::uint8_t raw = source[x * stride];
      row[x] = format.is_signed ? static_cast<std::int8_t>(raw) : raw;
    } else {
      std::uint16_t raw = 0;
      std::memcpy(&raw, source + 2 * x * stride, 2);
      row[x] = format.is_signed ? static_cast<std::int16_t>(raw) : raw;
    }
  }
}

// TLM (15444-1 A.7.1) of one tile-part that reaches from the end of the main header to EOC.
Buffer with_tile_part_length(Bytes codestream) {
  j2k::Cursor cursor(codestream, 2);
  std::size_t header_end = cursor.position();
  while (cursor.take(2) != j2k::kSot) {
    const std::size_t length = cursor.take(2);
    cursor.move_to(header_end + 2 + length);
    header_end = cursor.position();
  }
  constexpr std::size_t kEocBytes = 2;
  const std::size_t length = codestream.size() - header_end - kEocBytes;
  // Ztlm 0; Stlm: lengths of 4 bytes, no tile numbers, as the tile-parts are in order.
  Buffer tlm{0xFF, j2k::kTlm & 0xFFU, 0, 8, 0, 0x40};
  for (unsigned i = 4; i-- > 0;) tlm.push_back(static_cast<std::uint8_t>(length >> 8U * i));
  Buffer out;
  out.reserve(codestream.size() + tlm.size());
  const Bytes header = codestream.first(header_end);
  const Bytes rest = codestream.subspan(header_end);
  out.insert(out.end(), header.begin(), header.end());
  out.insert(out.end(), tlm.begin(), tlm.end());
  out.insert(out.end(), rest.begin(), rest.end());
  return out;
}

// Five, fewer for small pictures; more where the lowest resolution would still exceed 64 samples a
// side, so that a reader who wants a small picture finds one.
int decompositions_of(const FrameFormat& format) {
  constexpr int kUsual = 5;
  constexpr std::int64_t kLowestSide = 64;
  const std::int64_t shorter = std::min(format.rows, format.columns);
  const std::int64_t longer = std::max(format.rows, format.columns);
  int levels =
      std::min(kUsual, static_cast<int>(std::bit_width(static_cast<std::uint64_t>(shorter))) - 1);
  while (longer > kLowestSide << levels) ++levels;
  return levels;
}

}  // namespace

Buffer encode_htj2k(Bytes frame, const FrameFormat& format, bool color_transform) {
  if (static_cast<std::int64_t>(frame.size()) != format.byte_count()) {
    throw_argument("HTJ2K frame of " + std::to_string(frame.size()) + " bytes, expected " +
                   std::to_string(format.byte_count()));
  }
  Buffer out;
  const std::string failure = failure_of([&] {
    ojph::codestream encoder;
    ojph::param_siz siz = encoder.access_siz();
    siz.set_image_extent(
        ojph::point(static_cast<ojph::ui32>(format.columns), static_cast<ojph::ui32>(format.rows)));
    siz.set_num_components(static_cast<ojph::ui32>(format.samples));
    for (int c = 0; c < format.samples; ++c) {
      siz.set_component(static_cast<ojph::ui32>(c), ojph::point(1, 1),
                        static_cast<ojph::ui32>(format.bits_stored), format.is_signed);
    }
    ojph::param_cod cod = encoder.access_cod();
    cod.set_num_decomposition(static_cast<ojph::ui32>(decompositions_of(format)));
    cod.set_block_dims(64, 64);
    cod.set_progression_order("RPCL");
    cod.set_color_transform(color_transform && format.samples == 3);
    cod.set_reversible(true);
    encoder.set_planar(false);
    ojph::mem_outfile file;
    file.open(static_cast<std::size_t>(format.byte_count() / 2 + 4096));
    encoder.write_headers(&file);
    ojph::ui32 component = 0;
    ojph::line_buf* line = encoder.exchange(nullptr, component);
    const std::int64_t sample_bytes = format.bits_allocated / 8;
    for (std::int64_t row = 0; row < format.rows; ++row) {
      for (int c = 0; c < format.samples; ++c) {
        const std::int64_t first = row * format.columns * format.samples + c;
        load_row(frame.data() + first * sample_bytes, format, line->i32);
        line = encoder.exchange(line, component);
      }
    }
    encoder.flush();
    out = with_tile_part_length({file.get_data(), static_cast<std::size_t>(file.tell())});
    encoder.close();
  });
  if (!failure.empty()) throw_resource("the frame cannot be encoded: " + failure);
  return out;
}

std::string openjph_version() {
  return std::to_string(OPENJPH_VERSION_MAJOR) + "." + std::to_string(OPENJPH_VERSION_MINOR) + "." +
         std::to_string(OPENJPH_VERSION_PATCH);
}

}  // namespace spinekit
