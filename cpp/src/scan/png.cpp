#include <png.h>

#include <array>
#include <bit>
#include <csetjmp>
#include <cstring>

#include "scan/exif.h"
#include "scan/readers.h"
#include "scan/samples.h"
#include "scan/source_stream.h"

namespace spinekit {
namespace {

// A row of zeros packs at most 1032 times by deflate.
constexpr std::int64_t kMostExpansion = 1032;

// What libpng's callbacks know. Errors leave by longjmp: nothing with a destructor may live in a frame
// that one of them passes.
struct Session {
  explicit Session(const ByteSource& source) : stream(source) { stream.start(0, source.size()); }

  SourceStream stream;
  std::array<char, 256> error{};
  ErrorCode code = ErrorCode::kMalformed;
};

void note_error(Session& session, ErrorCode code, const char* text) noexcept {
  session.code = code;
  std::strncpy(session.error.data(), text, session.error.size() - 1);
}

[[noreturn]] void fail(png_structp png, png_const_charp text) {
  auto& session = *static_cast<Session*>(png_get_error_ptr(png));
  if (session.error[0] == 0) note_error(session, ErrorCode::kMalformed, text);
  png_longjmp(png, 1);
}

void ignore(png_structp /*png*/, png_const_charp /*text*/) {}

bool fill(Session& session, png_bytep out, std::size_t length) noexcept {
  try {
    if (session.stream.read(MutableBytes(out, length)) == length) return true;
    note_error(session, ErrorCode::kMalformed, "the file is cut off");
  } catch (const Error& error) {
    note_error(session, error.code(), error.what());
  } catch (const std::exception&) {
    note_error(session, ErrorCode::kResource, "not enough memory");
  }
  return false;
}

void read_bytes(png_structp png, png_bytep out, std::size_t length) {
  if (!fill(*static_cast<Session*>(png_get_io_ptr(png)), out, length)) {
    png_error(png, "cannot be read");
  }
}

struct Header {
  png_uint_32 width = 0;
  png_uint_32 height = 0;
  int bits = 0;
  int colour = 0;
  bool interlaced = false;
  bool transparent = false;
  bool gamma = false;
  png_uint_32 per_metre_x = 0;
  png_uint_32 per_metre_y = 0;
  png_bytep exif = nullptr;
  png_uint_32 exif_bytes = 0;
  std::size_t row_bytes = 0;  // after libpng's own expansions
};

// Each method returns false with error() set, and nothing but the destructor may follow.
class Decoder {
 public:
  Decoder(const ByteSource& source, std::int64_t memory) : session_(source) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &session_, fail, ignore);
    if (png_ == nullptr) throw std::bad_alloc();
    info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
    png_set_read_fn(png_, &session_, read_bytes);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    // Texts and profiles, which are not wanted, may be compressed.
    png_set_chunk_malloc_max(png_, static_cast<png_alloc_size_t>(memory / 8));
    png_set_chunk_cache_max(png_, 64);
  }
  ~Decoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool read_header(Header& out) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_info(png_, info_);
    int interlace = PNG_INTERLACE_NONE;
    (void)png_get_IHDR(png_, info_, &out.width, &out.height, &out.bits, &out.colour, &interlace,
                       nullptr, nullptr);
    out.interlaced = interlace != PNG_INTERLACE_NONE;
    out.transparent =
        (out.colour & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
    out.gamma = png_get_valid(png_, info_, PNG_INFO_gAMA) != 0;
    int unit = PNG_RESOLUTION_UNKNOWN;
    (void)png_get_pHYs(png_, info_, &out.per_metre_x, &out.per_metre_y, &unit);
    if (unit != PNG_RESOLUTION_METER) out.per_metre_x = out.per_metre_y = 0;
    (void)png_get_eXIf_1(png_, info_, &out.exif_bytes, &out.exif);
    png_set_expand(png_);
    png_set_gray_to_rgb(png_);
    if (std::endian::native == std::endian::little) png_set_swap(png_);
    if (out.interlaced) (void)png_set_interlace_handling(png_);
    return true;
  }

  // libpng takes memory for its own rows here.
  bool begin(Header& header) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_update_info(png_, info_);
    header.row_bytes = png_get_rowbytes(png_, info_);
    return true;
  }

  bool read_row(std::uint8_t* out) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_row(png_, out, nullptr);
    return true;
  }

  bool read_all(std::uint8_t** rows) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_image(png_, rows);
    return true;
  }

  // The checksum of the last rows stands behind them.
  bool end() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_read_end(png_, nullptr);
    return true;
  }

  [[noreturn]] void raise(const std::string& where) const {
    throw Error(session_.code, where + session_.error.data());
  }

 private:
  Session session_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

class PngReader : public ScanReader {
 public:
  explicit PngReader(const ScanFile& file)
      : ScanReader(file.name), source_(file.source), limits_(file.limits) {
    start();
    describe();
  }

 private:
  void start() {
    decoder_ = std::make_unique<Decoder>(*source_, limits_.memory);
    header_ = {};
    row_ = 0;
    if (!decoder_->read_header(header_)) decoder_->raise("");
    check_sides(header_.width, header_.height);
    const std::int64_t channels = header_.transparent ? 4 : 3;
    const std::int64_t row_bytes = header_.width * channels * (header_.bits == 16 ? 2 : 1);
    check_row_fits(row_bytes, limits_);
    if (!decoder_->begin(header_)) decoder_->raise("");
    if (static_cast<std::int64_t>(header_.row_bytes) != row_bytes) {
      throw_malformed("its rows are not of the length that its header gives");
    }
    check_size();
  }

  void check_size() const {
    const std::int64_t height = header_.height;
    const std::int64_t channels = stored_channels();
    const std::int64_t packed_row = (header_.width * channels * header_.bits + 7) / 8;
    if (checked_product(packed_row, height, "PNG rows") / kMostExpansion > source_->size()) {
      throw_malformed("is cut off: " + std::to_string(source_->size()) + " bytes cannot hold its " +
                      std::to_string(height) + " rows");
    }
    const std::int64_t all = static_cast<std::int64_t>(header_.row_bytes) * height;
    if (header_.interlaced && all > limits_.memory - limits_.memory / 4) {
      throw_unsupported(
          "is interlaced, so that all of it would have to be in memory (" + megabytes(all) +
          " MB): save it without interlacing, for example with ImageMagick's 'convert IN "
          "-interlace none OUT', " +
          raised(all + all / 2, limits_));
    }
  }

  [[nodiscard]] int stored_channels() const {
    switch (header_.colour) {
      case PNG_COLOR_TYPE_RGB:
        return 3;
      case PNG_COLOR_TYPE_RGB_ALPHA:
        return 4;
      case PNG_COLOR_TYPE_GRAY_ALPHA:
        return 2;
      default:
        return 1;
    }
  }

  void describe() {
    info_.format = "PNG";
    info_.compression = "deflate";
    info_.width = header_.width;
    info_.height = header_.height;
    info_.bits = header_.bits == 16 ? 16 : 8;
    if (header_.per_metre_x > 0 && header_.per_metre_y > 0) {
      info_.mm_per_pixel_x = 1000.0 / header_.per_metre_x;
      info_.mm_per_pixel_y = 1000.0 / header_.per_metre_y;
    }
    if (header_.exif_bytes > 0) {
      check_orientation(exif_orientation(Bytes(header_.exif, header_.exif_bytes)));
    }
    if (header_.transparent) info_.notes.emplace_back("transparency is laid over white");
    if (header_.gamma) info_.notes.emplace_back("the gamma that it gives is not applied");
    if (header_.interlaced) info_.notes.emplace_back("interlaced: all of it is held in memory");
    layout_.bits = layout_.out_bits = info_.bits;
    layout_.alpha = header_.transparent ? Alpha::kStraight : Alpha::kNone;
    layout_.stride = layout_.channels();
  }

  void restart() override {
    whole_ = {};
    start();
  }

  void decode(std::uint8_t* rgb, std::int64_t rows) override {
    if (header_.interlaced && whole_.empty()) decode_whole();
    stored_.resize(header_.row_bytes);
    const std::int64_t sample_bytes = info_.bits / 8;
    for (std::int64_t done = 0; done < rows; ++done, ++row_, rgb += info_.row_bytes()) {
      const std::uint8_t* from = stored_.data();
      if (header_.interlaced) {
        from = whole_.data() + row_ * static_cast<std::int64_t>(header_.row_bytes);
      } else if (!decoder_->read_row(layout_.plain() ? rgb : stored_.data())) {
        decoder_->raise(row_label(row_, info_.height));
      }
      if (header_.interlaced || !layout_.plain()) {
        ChannelRows channels{};
        for (std::size_t c = 0; c < channels.size(); ++c) {
          channels[c] = from + static_cast<std::int64_t>(c) * sample_bytes;
        }
        to_rgb(layout_, channels, info_.width, rgb, scratch_);
      }
      if (row_ + 1 == info_.height && !header_.interlaced && !decoder_->end()) {
        decoder_->raise(row_label(row_, info_.height));
      }
    }
  }

  void decode_whole() {
    whole_.resize(header_.row_bytes * header_.height);
    std::vector<std::uint8_t*> rows(header_.height);
    for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = whole_.data() + y * header_.row_bytes;
    if (!decoder_->read_all(rows.data()) || !decoder_->end()) {
      whole_ = {};
      decoder_->raise("");
    }
  }

  std::shared_ptr<const ByteSource> source_;
  ScanLimits limits_;
  std::unique_ptr<Decoder> decoder_;
  Header header_;
  SampleLayout layout_;
  std::int64_t row_ = 0;
  Buffer stored_;
  Buffer scratch_;
  Buffer whole_;
};

}  // namespace

std::unique_ptr<ScanReader> open_png(const ScanFile& file) {
  return std::make_unique<PngReader>(file);
}

}  // namespace spinekit
