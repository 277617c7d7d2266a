#include <openjpeg.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

#include "htj2k.h"
#include "j2k_header.h"
#include "j2k_packets.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

struct CodecDeleter {
  void operator()(opj_codec_t* codec) const { opj_destroy_codec(codec); }
};
struct StreamDeleter {
  void operator()(opj_stream_t* stream) const { opj_stream_destroy(stream); }
};
struct ImageDeleter {
  void operator()(opj_image_t* image) const { opj_image_destroy(image); }
};
using CodecPtr = std::unique_ptr<opj_codec_t, CodecDeleter>;
using StreamPtr = std::unique_ptr<opj_stream_t, StreamDeleter>;
using ImagePtr = std::unique_ptr<opj_image_t, ImageDeleter>;

struct Messages {
  std::string error;
  std::vector<std::string> warnings;
};

std::string trimmed(const char* text) {
  std::string line = text == nullptr ? "" : text;
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  return line;
}

void keep_error(const char* text, void* messages) {
  auto& error = static_cast<Messages*>(messages)->error;
  if (error.empty()) error = trimmed(text);
}

void keep_warning(const char* text, void* messages) {
  constexpr std::size_t kEnough = 8;
  auto& warnings = static_cast<Messages*>(messages)->warnings;
  if (warnings.size() < kEnough) warnings.push_back(trimmed(text));
}

void listen(opj_codec_t* codec, Messages& messages) {
  opj_set_error_handler(codec, keep_error, &messages);
  opj_set_warning_handler(codec, keep_warning, &messages);
}

// ---- OpenJPEG streams over memory

struct Writer {
  Buffer bytes;
  std::size_t position = 0;

  static OPJ_SIZE_T write(void* data, OPJ_SIZE_T size, void* self) {
    auto& writer = *static_cast<Writer*>(self);
    const std::size_t end = writer.position + size;
    if (end > writer.bytes.size()) writer.bytes.resize(end);
    std::memcpy(writer.bytes.data() + writer.position, data, size);
    writer.position = end;
    return size;
  }
  static OPJ_OFF_T skip(OPJ_OFF_T count, void* self) {
    static_cast<Writer*>(self)->position += static_cast<std::size_t>(count);
    return count;
  }
  static OPJ_BOOL seek(OPJ_OFF_T offset, void* self) {
    static_cast<Writer*>(self)->position = static_cast<std::size_t>(offset);
    return OPJ_TRUE;
  }
};

struct Reader {
  Bytes bytes;
  std::size_t position = 0;

  static OPJ_SIZE_T read(void* data, OPJ_SIZE_T size, void* self) {
    auto& reader = *static_cast<Reader*>(self);
    const std::size_t left = reader.bytes.size() - reader.position;
    if (left == 0) return static_cast<OPJ_SIZE_T>(-1);
    const std::size_t count = std::min<std::size_t>(size, left);
    std::memcpy(data, reader.bytes.data() + reader.position, count);
    reader.position += count;
    return count;
  }
  static OPJ_OFF_T skip(OPJ_OFF_T count, void* self) {
    auto& reader = *static_cast<Reader*>(self);
    const auto left = static_cast<OPJ_OFF_T>(reader.bytes.size() - reader.position);
    const OPJ_OFF_T step = std::clamp<OPJ_OFF_T>(count, 0, left);
    reader.position += static_cast<std::size_t>(step);
    return step == count ? count : -1;
  }
  static OPJ_BOOL seek(OPJ_OFF_T offset, void* self) {
    auto& reader = *static_cast<Reader*>(self);
    if (offset < 0 || offset > static_cast<OPJ_OFF_T>(reader.bytes.size())) return OPJ_FALSE;
    reader.position = static_cast<std::size_t>(offset);
    return OPJ_TRUE;
  }
};

// ---- encoding

ImagePtr to_opj_image(Bytes frame, const FrameFormat& format) {
  std::vector<opj_image_cmptparm_t> parameters(static_cast<std::size_t>(format.samples));
  for (opj_image_cmptparm_t& parameter : parameters) {
    parameter = {};
    parameter.dx = parameter.dy = 1;
    parameter.w = static_cast<OPJ_UINT32>(format.columns);
    parameter.h = static_cast<OPJ_UINT32>(format.rows);
    parameter.prec = static_cast<OPJ_UINT32>(format.bits_stored);
    parameter.sgnd = format.is_signed ? 1U : 0U;
  }
  ImagePtr image(opj_image_create(static_cast<OPJ_UINT32>(format.samples), parameters.data(),
                                  format.samples == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY));
  if (!image) throw_resource("no memory for a J2K frame");
  image->x1 = static_cast<OPJ_UINT32>(format.columns);
  image->y1 = static_cast<OPJ_UINT32>(format.rows);

  const std::int64_t pixels = format.rows * format.columns;
  const std::int64_t stride = format.samples;
  for (int c = 0; c < format.samples; ++c) {
    OPJ_INT32* target = image->comps[c].data;
    if (format.bits_allocated == 8) {
      const std::uint8_t* source = frame.data() + c;
      for (std::int64_t i = 0; i < pixels; ++i) {
        const std::uint8_t raw = source[i * stride];
        target[i] = format.is_signed ? static_cast<std::int8_t>(raw) : raw;
      }
    } else {
      const std::uint8_t* source = frame.data() + std::ptrdiff_t{2} * c;
      for (std::int64_t i = 0; i < pixels; ++i) {
        const auto raw =
            static_cast<std::uint16_t>(source[2 * i * stride] | (source[2 * i * stride + 1] << 8U));
        target[i] = format.is_signed ? static_cast<std::int16_t>(raw) : raw;
      }
    }
  }
  return image;
}

void set_rate(opj_cparameters_t& parameters, const FrameFormat& format,
              const J2kEncoding& encoding) {
  parameters.tcp_numlayers = 1;
  parameters.tcp_rates[0] = 0;
  if (encoding.quality > 0) {
    parameters.cp_fixed_quality = 1;
    parameters.tcp_distoratio[0] = static_cast<float>(encoding.quality);
    return;
  }
  parameters.cp_disto_alloc = 1;
  if (encoding.target_bytes > 0) {
    const double raw_bytes = static_cast<double>(format.sample_count()) * format.bits_stored / 8.0;
    // A rate of 1 or less means "no limit" to OpenJPEG.
    parameters.tcp_rates[0] = static_cast<float>(
        std::max(raw_bytes / static_cast<double>(encoding.target_bytes), 1.0001));
  }
}

}  // namespace

Buffer encode_j2k(Bytes frame, const FrameFormat& format, const J2kEncoding& encoding) {
  if (static_cast<std::int64_t>(frame.size()) != format.byte_count()) {
    throw_argument("J2K frame of " + std::to_string(frame.size()) + " bytes, expected " +
                   std::to_string(format.byte_count()));
  }
  opj_cparameters_t parameters;
  opj_set_default_encoder_parameters(&parameters);
  set_rate(parameters, format, encoding);
  parameters.irreversible = encoding.reversible ? 0 : 1;
  parameters.tcp_mct = encoding.color_transform && format.samples == 3 ? 1 : 0;
  parameters.mode = encoding.bypass ? 1 : 0;
  const auto least_side =
      static_cast<std::uint64_t>(std::max<std::int64_t>(std::min(format.rows, format.columns), 1));
  parameters.numresolution = std::min(6, static_cast<int>(std::bit_width(least_side)));

  ImagePtr image = to_opj_image(frame, format);
  Messages messages;
  const CodecPtr codec(opj_create_compress(OPJ_CODEC_J2K));
  if (!codec) throw_resource("OpenJPEG gave no encoder");
  listen(codec.get(), messages);
  if (opj_setup_encoder(codec.get(), &parameters, image.get()) == OPJ_FALSE) {
    throw_unsupported("OpenJPEG refuses the frame: " + messages.error);
  }
  Writer writer;
  writer.bytes.reserve(static_cast<std::size_t>(
      encoding.target_bytes > 0 ? encoding.target_bytes + 4096 : format.byte_count() / 2 + 4096));
  constexpr OPJ_SIZE_T kStreamBuffer = OPJ_SIZE_T{1} << 16U;
  const StreamPtr stream(opj_stream_create(kStreamBuffer, OPJ_FALSE));
  if (!stream) throw_resource("OpenJPEG gave no stream");
  opj_stream_set_user_data(stream.get(), &writer, nullptr);
  opj_stream_set_write_function(stream.get(), Writer::write);
  opj_stream_set_skip_function(stream.get(), Writer::skip);
  opj_stream_set_seek_function(stream.get(), Writer::seek);
  if (opj_start_compress(codec.get(), image.get(), stream.get()) == OPJ_FALSE ||
      opj_encode(codec.get(), stream.get()) == OPJ_FALSE ||
      opj_end_compress(codec.get(), stream.get()) == OPJ_FALSE) {
    throw_resource("OpenJPEG could not encode the frame: " + messages.error);
  }
  return std::move(writer.bytes);
}

namespace {

void decode_with_openjpeg(Bytes codestream, const J2kHeader& info, const FrameFormat& format,
                          MutableBytes out, Messages& messages, int reduction) {
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  parameters.cp_reduce = static_cast<OPJ_UINT32>(reduction);
  const CodecPtr codec(opj_create_decompress(OPJ_CODEC_J2K));
  if (!codec) throw_resource("OpenJPEG gave no decoder");
  listen(codec.get(), messages);
  Reader reader{.bytes = codestream};
  constexpr OPJ_SIZE_T kStreamBuffer = OPJ_SIZE_T{1} << 16U;
  const StreamPtr stream(opj_stream_create(kStreamBuffer, OPJ_TRUE));
  if (!stream) throw_resource("OpenJPEG gave no stream");
  opj_stream_set_user_data(stream.get(), &reader, nullptr);
  opj_stream_set_user_data_length(stream.get(), codestream.size());
  opj_stream_set_read_function(stream.get(), Reader::read);
  opj_stream_set_skip_function(stream.get(), Reader::skip);
  opj_stream_set_seek_function(stream.get(), Reader::seek);

  opj_image_t* raw_image = nullptr;
  const bool ok = opj_setup_decoder(codec.get(), &parameters) != OPJ_FALSE &&
                  opj_read_header(stream.get(), codec.get(), &raw_image) != OPJ_FALSE &&
                  opj_decode(codec.get(), stream.get(), raw_image) != OPJ_FALSE;
  const ImagePtr image(raw_image);
  if (!ok || !image) throw_malformed("J2K codestream does not decode: " + messages.error);

  const std::int64_t pixels = format.rows * format.columns;
  // Codestream and header may disagree on the sign: the bits are the same, the header decides.
  const bool wrap = info.is_signed != format.is_signed;
  for (int c = 0; c < format.samples; ++c) {
    const opj_image_comp_t& component = image->comps[c];
    if (component.data == nullptr || component.w != static_cast<OPJ_UINT32>(format.columns) ||
        component.h != static_cast<OPJ_UINT32>(format.rows)) {
      throw_malformed("J2K codestream: component " + std::to_string(c) + " did not decode whole");
    }
    if (wrap) wrap_values(component.data, pixels, info.precision, format.is_signed);
    store_values(component.data, pixels, 0, c, format, out);
  }
}

J2kHeader checked_header(Bytes codestream, const FrameFormat& format, int reduction) {
  const J2kHeader info = read_j2k_header(codestream);
  check_same_picture("J2K", info.rows, info.columns, info.components, info.precision, format);
  return check_reduction(codestream, reduction);
}

// A codestream of HT blocks whose every block was looked at.
j2k::Codestream checked_packets(Bytes codestream, int reduction) {
  std::optional<j2k::Codestream> packets = j2k::read_packets(codestream);
  if (!packets) {
    throw_unsupported(
        "HTJ2K codestream with coding styles of its own for a tile or a component, several layers, "
        "or "
        "packet headers apart from their packets: these are not decoded");
  }
  if (!packets->whole && (reduction == 0 || !packets->cut)) {
    throw_malformed("J2K codestream does not decode: data are missing");
  }
  check_blocks(*packets);
  return std::move(*packets);
}

}  // namespace

void decode_j2k(Bytes codestream, const FrameFormat& format, MutableBytes out,
                std::vector<std::string>& warnings, int reduction) {
  codestream = j2k_codestream(codestream);
  const J2kHeader info = checked_header(codestream, format, reduction);
  const FrameFormat picture = reduced(format, reduction);
  if (static_cast<std::int64_t>(out.size()) != picture.byte_count()) {
    throw_argument("J2K frame at reduction " + std::to_string(reduction) + " has " +
                   std::to_string(picture.byte_count()) + " bytes, the buffer " +
                   std::to_string(out.size()));
  }
  check_plausible_size(picture.sample_count(), static_cast<std::int64_t>(codestream.size()));
  check_plausible_structure(codestream);

  std::optional<j2k::Codestream> packets;
  if (info.high_throughput) {
    packets = checked_packets(codestream, reduction);
    if (decode_htj2k(*packets, info, picture, out, reduction)) return;
  } else if (reduction > 0) {
    packets = j2k::read_packets(codestream);
  }
  Buffer completed;
  if (reduction > 0 && packets && packets->cut) {
    // OpenJPEG 2.5.0 reads memory that it has freed when it is let to tolerate missing data.
    completed = j2k::rebuild(*packets, packets->style.levels - reduction);
    codestream = completed;
  }
  Messages messages;
  decode_with_openjpeg(codestream, info, picture, out, messages, reduction);
  warnings.insert(warnings.end(), messages.warnings.begin(), messages.warnings.end());
}

std::int64_t j2k_prefix_bytes(Bytes codestream, const FrameFormat& format, int reduction) {
  const auto size = static_cast<std::int64_t>(codestream.size());
  const Bytes inner = j2k_codestream(codestream);
  (void)checked_header(inner, format, reduction);
  check_plausible_structure(inner);
  const std::optional<j2k::Codestream> packets = j2k::read_packets(inner);
  if (reduction == 0 || !packets || !packets->whole) return size;
  std::int64_t needed = 0;
  for (const j2k::Tile& tile : packets->tiles) {
    for (const j2k::Packet& packet : tile.packets) {
      if (packet.resolution > packets->style.levels - reduction) continue;
      const std::uint8_t* end = packet.body.data() + packet.body.size();
      needed = std::max<std::int64_t>(needed, end - codestream.data());
    }
  }
  return needed;
}

}  // namespace spinekit
