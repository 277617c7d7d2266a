#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>

// These headers need what the ones above declare.
#include <jerror.h>
#include <jpeglib.h>

#include "core/jpeg_messages.h"
#include "scan/exif.h"
#include "scan/readers.h"
#include "scan/source_stream.h"

namespace spinekit {
namespace {

// Encoders write about ten scans; each costs a walk over all coefficients.
constexpr int kMostScans = 128;

// What libjpeg's callbacks know. Errors leave by longjmp: nothing with a destructor may live in a frame
// that one of them passes.
struct Session {
  explicit Session(const ByteSource& source) : stream(source) { stream.start(0, source.size()); }

  jpeg_error_mgr errors{};
  jpeg_source_mgr bytes{};
  jpeg_progress_mgr progress{};
  std::jmp_buf leave{};
  SourceStream stream;
  std::array<char, JMSG_LENGTH_MAX> error{};
  ErrorCode code = ErrorCode::kMalformed;
};

Session& session_of(j_common_ptr info) { return *static_cast<Session*>(info->client_data); }

[[noreturn]] void leave(Session& session, ErrorCode code, const char* text) {
  session.code = code;
  std::strncpy(session.error.data(), text, session.error.size() - 1);
  std::longjmp(session.leave, 1);
}

ErrorCode code_of(int message) {
  switch (message) {
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED:
      return ErrorCode::kUnsupported;
    case JERR_OUT_OF_MEMORY:
      return ErrorCode::kResource;
    default:
      return ErrorCode::kMalformed;
  }
}

[[noreturn]] void fail(j_common_ptr info) {
  Session& session = session_of(info);
  std::array<char, JMSG_LENGTH_MAX> text{};
  session.errors.format_message(info, text.data());
  leave(session, code_of(session.errors.msg_code), text.data());
}

// Level -1: libjpeg goes on with made-up samples, or has passed over bytes; others are traces.
void take_message(j_common_ptr info, int level) {
  if (level < 0 && !harmless(session_of(info).errors)) fail(info);
}

void print_nothing(j_common_ptr /*info*/) {}
void do_nothing(j_decompress_ptr /*info*/) {}

// Null: the piece is there. No exception may pass libjpeg's frames.
const char* next_piece(Session& session, ErrorCode& code, std::array<char, 256>& text) noexcept {
  try {
    const Bytes piece = session.stream.next();
    session.bytes.next_input_byte = piece.data();
    session.bytes.bytes_in_buffer = piece.size();
    if (!piece.empty()) return nullptr;
    code = ErrorCode::kMalformed;
    return "the file is cut off";
  } catch (const Error& error) {
    code = error.code();
    std::strncpy(text.data(), error.what(), text.size() - 1);
  } catch (const std::exception&) {
    code = ErrorCode::kResource;
    std::strncpy(text.data(), "not enough memory", text.size() - 1);
  }
  return text.data();
}

boolean fill(j_decompress_ptr info) {
  Session& session = session_of(reinterpret_cast<j_common_ptr>(info));
  ErrorCode code{};
  std::array<char, 256> text{};
  if (const char* problem = next_piece(session, code, text)) leave(session, code, problem);
  return TRUE;
}

void skip(j_decompress_ptr info, long count) {
  jpeg_source_mgr& bytes = *info->src;
  while (count > 0) {
    if (bytes.bytes_in_buffer == 0) (void)fill(info);
    const std::size_t step = std::min(static_cast<std::size_t>(count), bytes.bytes_in_buffer);
    bytes.next_input_byte += step;
    bytes.bytes_in_buffer -= step;
    count -= static_cast<long>(step);
  }
}

void count_scans(j_common_ptr info) {
  if (info->is_decompressor &&
      reinterpret_cast<j_decompress_ptr>(info)->input_scan_number > kMostScans) {
    leave(session_of(info), ErrorCode::kMalformed, "it has more than 128 scans");
  }
}

// Each method returns false with error() set, and nothing but the destructor may follow.
class Decoder {
 public:
  explicit Decoder(const ByteSource& source) : session_(source) {
    info_.err = jpeg_std_error(&session_.errors);
    info_.client_data = &session_;
    session_.errors.error_exit = fail;
    session_.errors.emit_message = take_message;
    session_.errors.output_message = print_nothing;
    session_.bytes.init_source = do_nothing;
    session_.bytes.fill_input_buffer = fill;
    session_.bytes.skip_input_data = skip;
    session_.bytes.resync_to_restart = jpeg_resync_to_restart;
    session_.bytes.term_source = do_nothing;
    session_.progress.progress_monitor = count_scans;
  }
  ~Decoder() { jpeg_destroy_decompress(&info_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool read_header() {
    if (setjmp(session_.leave) != 0) return false;
    jpeg_create_decompress(&info_);
    info_.src = &session_.bytes;
    info_.progress = &session_.progress;
    (void)jpeg_read_header(&info_, TRUE);
    return true;
  }

  bool begin() {
    if (setjmp(session_.leave) != 0) return false;
    info_.out_color_space = JCS_RGB;
    (void)jpeg_start_decompress(&info_);
    return true;
  }

  bool read_row(std::uint8_t* out) {
    if (setjmp(session_.leave) != 0) return false;
    JSAMPROW row = out;
    (void)jpeg_read_scanlines(&info_, &row, 1);
    return true;
  }

  // That nothing is missing between the last row and the end.
  bool end() {
    if (setjmp(session_.leave) != 0) return false;
    (void)jpeg_finish_decompress(&info_);
    return true;
  }

  [[nodiscard]] const jpeg_decompress_struct& info() const { return info_; }
  [[nodiscard]] bool several_scans() { return jpeg_has_multiple_scans(&info_) != FALSE; }

  [[noreturn]] void raise(const std::string& where) const {
    std::string text = where + session_.error.data();
    if (session_.code == ErrorCode::kUnsupported) {
      text += ": save it as a JPEG of 8 bits, a PNG or a TIFF";
    }
    throw Error(session_.code, std::move(text));
  }

 private:
  Session session_;
  jpeg_decompress_struct info_{};
};

class JpegReader : public ScanReader {
 public:
  explicit JpegReader(const ScanFile& file)
      : ScanReader(file.name), source_(file.source), limits_(file.limits) {
    check_orientation(jpeg_exif_orientation(*source_));
    start();
    describe();
  }

 private:
  void start() {
    decoder_ = std::make_unique<Decoder>(*source_);
    begun_ = false;
    row_ = 0;
    if (!decoder_->read_header()) decoder_->raise("");
    const jpeg_decompress_struct& jpeg = decoder_->info();
    check_sides(jpeg.image_width, jpeg.image_height);
    check_row_fits(std::int64_t{3} * jpeg.image_width, limits_);
    const J_COLOR_SPACE space = jpeg.jpeg_color_space;
    if (space == JCS_CMYK || space == JCS_YCCK) {
      throw_unsupported(
          "is in CMYK, whose colours on a screen depend on its profile: convert it to RGB first, "
          "for example with ImageMagick's 'convert IN -colorspace sRGB OUT'");
    }
    if (space != JCS_GRAYSCALE && space != JCS_YCbCr && space != JCS_RGB) {
      throw_unsupported("has " + std::to_string(jpeg.num_components) +
                        " components, expected grey or three colours: save it as RGB");
    }
    if (decoder_->several_scans()) check_coefficients(jpeg);
  }

  void check_coefficients(const jpeg_decompress_struct& jpeg) const {
    std::int64_t bytes = 0;
    for (int c = 0; c < jpeg.num_components; ++c) {
      const jpeg_component_info& component = jpeg.comp_info[c];
      // libjpeg rounds up to whole units of the interleaved scan.
      const std::int64_t across = component.width_in_blocks + std::int64_t{component.h_samp_factor};
      const std::int64_t down = component.height_in_blocks + std::int64_t{component.v_samp_factor};
      bytes += across * down * static_cast<std::int64_t>(sizeof(JBLOCK));
    }
    if (bytes > limits_.memory - limits_.memory / 4) {
      throw_unsupported(
          std::string(jpeg.progressive_mode != FALSE ? "is progressive" : "has several scans") +
          ", so that all of it would have to be in memory (" + megabytes(bytes) +
          " MB): save it as baseline JPEG, for example with 'jpegtran -outfile OUT IN', " +
          raised(bytes + bytes / 2, limits_));
    }
  }

  void describe() {
    const jpeg_decompress_struct& jpeg = decoder_->info();
    info_.format = "JPEG";
    info_.compression = jpeg.progressive_mode != FALSE ? "JPEG progressive" : "JPEG";
    info_.width = jpeg.image_width;
    info_.height = jpeg.image_height;
    constexpr int kPerInch = 1;
    constexpr int kPerCentimetre = 2;
    const double unit = jpeg.density_unit == kPerInch         ? 25.4
                        : jpeg.density_unit == kPerCentimetre ? 10.0
                                                              : 0.0;
    if (jpeg.saw_JFIF_marker != FALSE && jpeg.X_density > 0 && jpeg.Y_density > 0) {
      info_.mm_per_pixel_x = unit / jpeg.X_density;
      info_.mm_per_pixel_y = unit / jpeg.Y_density;
    }
    if (decoder_->several_scans()) {
      info_.notes.emplace_back("several scans: all of it is held in memory");
    }
  }

  void restart() override { start(); }

  void decode(std::uint8_t* rgb, std::int64_t rows) override {
    if (!begun_ && !decoder_->begin()) decoder_->raise("");
    begun_ = true;
    for (std::int64_t done = 0; done < rows; ++done, ++row_, rgb += info_.row_bytes()) {
      if (!decoder_->read_row(rgb) || (row_ + 1 == info_.height && !decoder_->end())) {
        decoder_->raise(row_label(row_, info_.height));
      }
    }
  }

  std::shared_ptr<const ByteSource> source_;
  ScanLimits limits_;
  std::unique_ptr<Decoder> decoder_;
  bool begun_ = false;
  std::int64_t row_ = 0;
};

}  // namespace

std::unique_ptr<ScanReader> open_jpeg(const ScanFile& file) {
  return std::make_unique<JpegReader>(file);
}

}  // namespace spinekit
