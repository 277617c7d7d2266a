// Which of libjpeg's warnings are no damage, for the rooms that decode with it.
#pragma once

#include <cstdio>

// These headers need what the one above declares.
#include <jerror.h>
#include <jpeglib.h>

namespace spinekit {

// libjpeg-turbo's fast path takes codes that do not exist for zeros in silence; that the picture is
// full long before its data end is then the only sign of damage. Encoders pad with a few bytes.
inline bool harmless(const jpeg_error_mgr& errors) {
  constexpr int kMostPadding = 16;
  switch (errors.msg_code) {
    case JWRN_EXTRANEOUS_DATA:
      return errors.msg_parm.i[0] <= kMostPadding;
    case JWRN_TOO_MUCH_DATA:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_NOT_SEQUENTIAL:
      return true;
    default:
      return false;
  }
}

}  // namespace spinekit
