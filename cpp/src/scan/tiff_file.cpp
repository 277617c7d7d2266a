#include "scan/tiff_file.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

namespace spinekit {

struct TiffFile::Session {
  std::shared_ptr<const ByteSource> source;
  std::int64_t position = 0;
  bool heed_warnings = false;
  std::string message;
  std::optional<Error> source_error;

  static Session& of(thandle_t handle) { return *static_cast<Session*>(handle); }

  void note(const char* format, std::va_list arguments) noexcept {
    if (!message.empty()) return;
    std::array<char, 512> text{};
    (void)std::vsnprintf(text.data(), text.size(), format, arguments);
    try {
      message = text.data();
    } catch (const std::bad_alloc&) {
      source_error.emplace(ErrorCode::kResource, std::string());
    }
  }

  static int on_error(TIFF* /*tiff*/, void* user, const char* /*module*/, const char* format,
                      std::va_list arguments) {
    of(user).note(format, arguments);
    return 1;
  }

  // Of directories they tell of unknown tags and the like.
  static int on_warning(TIFF* /*tiff*/, void* user, const char* /*module*/, const char* format,
                        std::va_list arguments) {
    if (of(user).heed_warnings) of(user).note(format, arguments);
    return 1;
  }

  static tmsize_t read(thandle_t handle, void* out, tmsize_t wanted) noexcept {
    Session& session = of(handle);
    const std::int64_t left = std::max<std::int64_t>(0, session.source->size() - session.position);
    const std::int64_t count = std::min<std::int64_t>(wanted, left);
    if (count <= 0) return 0;
    try {
      session.source->read(session.position, MutableBytes(static_cast<std::uint8_t*>(out),
                                                          static_cast<std::size_t>(count)));
    } catch (const Error& error) {
      session.source_error = error;
      return -1;
    } catch (const std::exception&) {
      return -1;
    }
    session.position += count;
    return count;
  }

  static tmsize_t write(thandle_t /*handle*/, void* /*data*/, tmsize_t /*size*/) { return -1; }

  static toff_t seek(thandle_t handle, toff_t offset, int whence) {
    Session& session = of(handle);
    // Offsets wrap: SEEK_CUR and SEEK_END take negative ones.
    std::uint64_t to = offset;
    if (whence == SEEK_CUR) to += static_cast<std::uint64_t>(session.position);
    if (whence == SEEK_END) to += static_cast<std::uint64_t>(session.source->size());
    if (to > static_cast<std::uint64_t>(INT64_MAX)) return static_cast<toff_t>(-1);
    session.position = static_cast<std::int64_t>(to);
    return to;
  }

  static int close(thandle_t /*handle*/) { return 0; }
  static toff_t size(thandle_t handle) { return static_cast<toff_t>(of(handle).source->size()); }
  static int map(thandle_t /*handle*/, void** /*base*/, toff_t* /*size*/) { return 0; }
  static void unmap(thandle_t /*handle*/, void* /*base*/, toff_t /*size*/) {}
};

TiffFile::TiffFile(std::shared_ptr<const ByteSource> source, std::int64_t memory)
    : session_(std::make_unique<Session>()) {
  session_->source = std::move(source);
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(
      TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
  if (!options) throw std::bad_alloc();
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), memory);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), Session::on_error, session_.get());
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), Session::on_warning, session_.get());
  // m: no memory map; c: strips as they are in the file, not cut into smaller ones.
  tiff_ =
      TIFFClientOpenExt("scan", "rmc", session_.get(), Session::read, Session::write, Session::seek,
                        Session::close, Session::size, Session::map, Session::unmap, options.get());
  if (tiff_ == nullptr) check(true, "its directory cannot be read: ");
}

TiffFile::~TiffFile() {
  if (tiff_ != nullptr) TIFFClose(tiff_);
}

void TiffFile::begin_decoding(bool warnings_are_damage) {
  session_->heed_warnings = warnings_are_damage;
  session_->message.clear();
}

void TiffFile::check(bool failed, const std::string& where) const {
  if (session_->source_error) throw Error(*session_->source_error);
  if (!failed && session_->message.empty()) return;
  throw_malformed(where + (session_->message.empty() ? "does not decode" : session_->message));
}

}  // namespace spinekit
