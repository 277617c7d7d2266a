// OpenJPEG used directly, as the peer that the engine's own paths are held against.
#pragma once

#include <doctest/doctest.h>
#include <openjpeg.h>

#include <algorithm>

#include "spinekit/codec.h"

namespace spinekit::testing {

// Bytes in memory as OpenJPEG's stream, for writing or for reading.
class MemoryStream {
 public:
  explicit MemoryStream(bool reading) : stream_(opj_stream_default_create(reading ? 1 : 0)) {
    opj_stream_set_user_data(stream_, this, nullptr);
    opj_stream_set_write_function(stream_, write);
    opj_stream_set_read_function(stream_, read);
    opj_stream_set_seek_function(stream_, seek);
    opj_stream_set_skip_function(stream_, skip);
  }
  explicit MemoryStream(Bytes source) : MemoryStream(true) {
    bytes.assign(source.begin(), source.end());
    opj_stream_set_user_data_length(stream_, bytes.size());
  }
  ~MemoryStream() { opj_stream_destroy(stream_); }
  MemoryStream(const MemoryStream&) = delete;
  MemoryStream& operator=(const MemoryStream&) = delete;

  [[nodiscard]] opj_stream_t* get() const { return stream_; }
  Buffer bytes;

 private:
  static OPJ_SIZE_T write(void* data, OPJ_SIZE_T size, void* self) {
    auto& to = *static_cast<MemoryStream*>(self);
    to.bytes.resize(std::max(to.bytes.size(), to.position_ + size));
    std::copy_n(static_cast<std::uint8_t*>(data), size,
                to.bytes.begin() + static_cast<std::ptrdiff_t>(to.position_));
    to.position_ += size;
    return size;
  }
  static OPJ_SIZE_T read(void* data, OPJ_SIZE_T size, void* self) {
    auto& from = *static_cast<MemoryStream*>(self);
    const std::size_t count = std::min<std::size_t>(size, from.bytes.size() - from.position_);
    if (count == 0) return static_cast<OPJ_SIZE_T>(-1);
    std::copy_n(from.bytes.begin() + static_cast<std::ptrdiff_t>(from.position_), count,
                static_cast<std::uint8_t*>(data));
    from.position_ += count;
    return count;
  }
  static OPJ_BOOL seek(OPJ_OFF_T position, void* self) {
    static_cast<MemoryStream*>(self)->position_ = static_cast<std::size_t>(position);
    return OPJ_TRUE;
  }
  static OPJ_OFF_T skip(OPJ_OFF_T count, void* self) {
    static_cast<MemoryStream*>(self)->position_ += static_cast<std::size_t>(count);
    return count;
  }

  opj_stream_t* stream_;
  std::size_t position_ = 0;
};

// Every sample of a picture, component after component.
inline std::vector<int> decoded_by_openjpeg(Bytes codestream, int reduction = 0) {
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  parameters.cp_reduce = static_cast<OPJ_UINT32>(reduction);
  const MemoryStream stream(codestream);
  opj_codec_t* codec = opj_create_decompress(OPJ_CODEC_J2K);
  opj_image_t* image = nullptr;
  REQUIRE(opj_setup_decoder(codec, &parameters) != OPJ_FALSE);
  REQUIRE(opj_read_header(stream.get(), codec, &image) != OPJ_FALSE);
  REQUIRE(opj_decode(codec, stream.get(), image) != OPJ_FALSE);
  std::vector<int> out;
  for (OPJ_UINT32 c = 0; c < image->numcomps; ++c) {
    const opj_image_comp_t& component = image->comps[c];
    out.insert(out.end(), component.data, component.data + std::size_t{component.w} * component.h);
  }
  opj_image_destroy(image);
  opj_destroy_codec(codec);
  return out;
}

}  // namespace spinekit::testing
