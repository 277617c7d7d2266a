// Raw deflate (RFC 1951), as ZIP entries and deflated data sets have it.
#pragma once

#include <doctest/doctest.h>
#include <zlib.h>

#include "spinekit/bytes.h"

namespace spinekit::testing {

inline Buffer deflated(const Buffer& body) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Buffer out(deflateBound(&stream, body.size()));
  Buffer in = body;
  stream.next_in = in.data();
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace spinekit::testing
