#include "spinekit/jpeg.h"

#include <array>
#include <csetjmp>
#include <cstdio>

// These headers need what the ones above declare.
#include <jerror.h>
#include <jpeglib.h>

#include "core/jpeg_messages.h"
#include "spinekit/error.h"

namespace spinekit {
namespace {

// What libjpeg's callbacks know. Errors leave by longjmp, so nothing here or in decode() below may
// have a destructor.
struct Session {
  jpeg_error_mgr errors;  // the first member: libjpeg hands out its address
  std::jmp_buf leave;
  std::array<char, JMSG_LENGTH_MAX> error;
  std::array<char, JMSG_LENGTH_MAX> warning;
};

Session& session_of(j_common_ptr info) { return *reinterpret_cast<Session*>(info->err); }

[[noreturn]] void fail(j_common_ptr info) {
  Session& session = session_of(info);
  session.errors.format_message(info, session.error.data());
  std::longjmp(session.leave, 1);
}

// Level -1: libjpeg goes on with made-up samples, or has passed over bytes; others are traces.
void take_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  Session& session = session_of(info);
  if (!harmless(session.errors)) fail(info);
  if (session.errors.num_warnings++ == 0) {
    session.errors.format_message(info, session.warning.data());
  }
}

void print_nothing(j_common_ptr /*info*/) {}

class Decoder {
 public:
  Decoder() {
    info_.err = jpeg_std_error(&session_.errors);
    session_.errors.error_exit = fail;
    session_.errors.emit_message = take_message;
    session_.errors.output_message = print_nothing;
  }
  ~Decoder() { jpeg_destroy_decompress(&info_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Returns false with error() set. `out` has rows x columns x components bytes.
  bool decode(Bytes stream, const FrameFormat& format, std::uint8_t* out) {
    if (setjmp(session_.leave) != 0) return false;
    jpeg_create_decompress(&info_);
    jpeg_mem_src(&info_, stream.data(), static_cast<unsigned long>(stream.size()));
    (void)jpeg_read_header(&info_, TRUE);
    info_.out_color_space = info_.jpeg_color_space;
    (void)jpeg_start_decompress(&info_);
    if (info_.output_width != static_cast<JDIMENSION>(format.columns) ||
        info_.output_height != static_cast<JDIMENSION>(format.rows) ||
        info_.output_components != format.samples) {
      return false;
    }
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = out + std::size_t{info_.output_scanline} *
                               static_cast<std::size_t>(format.columns * format.samples);
      (void)jpeg_read_scanlines(&info_, &row, 1);
    }
    (void)jpeg_finish_decompress(&info_);
    return true;
  }

  [[nodiscard]] const char* error() const { return session_.error.data(); }
  [[nodiscard]] const char* warning() const { return session_.warning.data(); }

 private:
  Session session_{};
  jpeg_decompress_struct info_{};
};

}  // namespace

void decode_jpeg_8_bit(const JpegStream& stream, const FrameFormat& format, MutableBytes out,
                       std::vector<std::string>& warnings) {
  const bool in_place = format.bits_allocated == 8;
  Buffer samples;
  if (!in_place) samples.resize(static_cast<std::size_t>(format.sample_count()));
  Decoder decoder;
  if (!decoder.decode(stream.bytes, format, in_place ? out.data() : samples.data())) {
    throw_malformed(std::string("JPEG codestream does not decode: ") + decoder.error());
  }
  if (!in_place) store_samples(samples, stream.precision, false, format, out);
  if (*decoder.warning() != 0) warnings.push_back(std::string("JPEG: ") + decoder.warning());
}

#define SPINEKIT_TEXT_OF(x) #x
#define SPINEKIT_TEXT(x) SPINEKIT_TEXT_OF(x)
std::string libjpeg_version() { return SPINEKIT_TEXT(LIBJPEG_TURBO_VERSION); }

}  // namespace spinekit
