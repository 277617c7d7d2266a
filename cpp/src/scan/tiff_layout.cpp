#include "scan/tiff_layout.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "scan/packed_stream.h"
#include "scan/readers.h"

namespace spinekit {
namespace {

constexpr const char* kSaveAsRgb =
    ": save it as RGB or grey of 8 or 16 bits, for example with ImageMagick's 'convert IN "
    "-colorspace sRGB -depth 8 OUT'";
constexpr const char* kSaveAgain =
    ": save it uncompressed or with LZW, for example with libtiff's 'tiffcp -c lzw IN OUT'";

std::string compression_name(int compression) {
  switch (compression) {
    case COMPRESSION_NONE:
      return "none";
    case COMPRESSION_CCITTRLE:
      return "CCITT RLE";
    case COMPRESSION_CCITTFAX3:
      return "CCITT group 3";
    case COMPRESSION_CCITTFAX4:
      return "CCITT group 4";
    case COMPRESSION_LZW:
      return "LZW";
    case COMPRESSION_OJPEG:
      return "old-style JPEG";
    case COMPRESSION_JPEG:
      return "JPEG";
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE:
      return "deflate";
    case COMPRESSION_PACKBITS:
      return "PackBits";
    case COMPRESSION_ZSTD:
      return "zstd";
    default:
      return "compression " + std::to_string(compression);
  }
}

// Others of libtiff's take memory without a bound (LZMA), or are not for rows.
bool through_libtiff(int compression) {
  switch (compression) {
    case COMPRESSION_CCITTRLE:
    case COMPRESSION_CCITTFAX3:
    case COMPRESSION_CCITTFAX4:
    case COMPRESSION_JPEG:
    case COMPRESSION_ZSTD:
      return TIFFIsCODECConfigured(static_cast<std::uint16_t>(compression)) != 0;
    default:
      return false;
  }
}

const char* photometric_name(int photometric) {
  switch (photometric) {
    case PHOTOMETRIC_SEPARATED:
      return "CMYK or other inks";
    case PHOTOMETRIC_YCBCR:
      return "YCbCr outside of JPEG";
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_ICCLAB:
    case PHOTOMETRIC_ITULAB:
      return "Lab";
    case PHOTOMETRIC_LOGL:
    case PHOTOMETRIC_LOGLUV:
      return "logarithmic luminance";
    case PHOTOMETRIC_CFA:
      return "a camera's raw colours";
    case PHOTOMETRIC_MASK:
      return "a transparency mask";
    default:
      return "of an unknown kind";
  }
}

class Directory {
 public:
  Directory(const TiffFile& tiff, const ByteSource& source, const ScanLimits& limits,
            ScanInfo& info)
      : tiff_(tiff), source_(source), limits_(limits), info_(info) {}

  TiffLayout read() {
    sides();
    compression();
    samples();
    colours();
    chunk_shape();
    place_chunks();
    describe();
    return std::move(out_);
  }

 private:
  // Also what a tag means when it is not there.
  [[nodiscard]] int number(std::uint32_t tag, int otherwise) const {
    std::uint16_t value = 0;
    return TIFFGetFieldDefaulted(tiff_.handle(), tag, &value) == 1 ? value : otherwise;
  }

  void sides() {
    out_.width = tiff_.tag<std::uint32_t>(TIFFTAG_IMAGEWIDTH).value_or(0);
    out_.height = tiff_.tag<std::uint32_t>(TIFFTAG_IMAGELENGTH).value_or(0);
    check_sides(out_.width, out_.height);
    check_orientation(number(TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT));
  }

  void compression() {
    out_.compression = number(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    const bool highest_first = number(TIFFTAG_FILLORDER, FILLORDER_MSB2LSB) == FILLORDER_MSB2LSB;
    out_.unpacked = unpacks_itself(out_.compression) && highest_first;
    if (!out_.unpacked && !unpacks_itself(out_.compression) && !through_libtiff(out_.compression)) {
      throw_unsupported("is packed with " + compression_name(out_.compression) + kSaveAgain);
    }
    out_.swapped =
        (TIFFIsBigEndian(tiff_.handle()) != 0) != (std::endian::native == std::endian::big);
    out_.predictor = 1;
    if (out_.compression == COMPRESSION_LZW || out_.compression == COMPRESSION_DEFLATE ||
        out_.compression == COMPRESSION_ADOBE_DEFLATE || out_.compression == COMPRESSION_ZSTD) {
      out_.predictor = number(TIFFTAG_PREDICTOR, PREDICTOR_NONE);
    }
    if (out_.predictor != PREDICTOR_NONE && out_.predictor != PREDICTOR_HORIZONTAL) {
      throw_unsupported("has predictor " + std::to_string(out_.predictor) + kSaveAgain);
    }
  }

  void samples() {
    SampleLayout& stored = out_.samples;
    stored.bits = number(TIFFTAG_BITSPERSAMPLE, 1);
    const int count = number(TIFFTAG_SAMPLESPERPIXEL, 1);
    const int format = number(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
    if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID) {
      throw_unsupported(std::string("has ") +
                        (format == SAMPLEFORMAT_IEEEFP ? "floating-point" : "signed or complex") +
                        " samples of " + std::to_string(stored.bits) + " bits" + kSaveAsRgb);
    }
    const bool known = stored.bits == 1 || stored.bits == 2 || stored.bits == 4 ||
                       stored.bits == 8 || stored.bits == 16;
    if (!known || (stored.bits < 8 && count != 1)) {
      throw_unsupported("has " + std::to_string(count) + " samples of " +
                        std::to_string(stored.bits) + " bits" + kSaveAsRgb);
    }
    if (count < 1) throw_malformed("has no samples");
    if (out_.predictor != PREDICTOR_NONE && stored.bits < 8) {
      throw_malformed("has a predictor on samples of " + std::to_string(stored.bits) + " bits");
    }
    out_.planes_stored =
        count > 1 && number(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE
            ? count
            : 1;
    out_.plane_samples = out_.planes_stored > 1 ? 1 : count;
    stored.stride = out_.plane_samples;
    stored.out_bits = stored.bits == 16 ? 16 : 8;
    count_ = count;
  }

  void colours() {
    const auto photometric = tiff_.tag<std::uint16_t>(TIFFTAG_PHOTOMETRIC);
    if (!photometric)
      throw_malformed("does not say how its samples are to be shown (PhotometricInterpretation)");
    SampleLayout& stored = out_.samples;
    switch (*photometric) {
      case PHOTOMETRIC_MINISBLACK:
      case PHOTOMETRIC_MINISWHITE:
        stored.colours = 1;
        stored.inverted = *photometric == PHOTOMETRIC_MINISWHITE;
        break;
      case PHOTOMETRIC_RGB:
        stored.colours = 3;
        break;
      case PHOTOMETRIC_PALETTE:
        stored.colours = 1;
        take_palette();
        break;
      case PHOTOMETRIC_YCBCR:
        if (out_.compression == COMPRESSION_JPEG && out_.planes_stored == 1 && count_ == 3) {
          (void)TIFFSetField(tiff_.handle(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
          stored.colours = 3;
          break;
        }
        [[fallthrough]];
      default:
        throw_unsupported("its colours are " + std::string(photometric_name(*photometric)) +
                          kSaveAsRgb);
    }
    if (count_ < stored.colours) {
      throw_malformed("has " + std::to_string(count_) + " samples a pixel, expected 3 for RGB");
    }
    take_extra_samples();
    out_.planes = out_.planes_stored > 1 ? stored.channels() : 1;
  }

  // Of entries that are bytes made wide (v x 257, or v x 256 of older writers) the bytes are meant.
  void take_palette() {
    SampleLayout& stored = out_.samples;
    std::array<std::uint16_t*, 3> maps{};
    if (TIFFGetField(tiff_.handle(), TIFFTAG_COLORMAP, &maps[0], &maps[1], &maps[2]) != 1) {
      throw_malformed("has a palette picture without its palette");
    }
    const std::size_t count = std::size_t{1} << static_cast<unsigned>(stored.bits);
    for (const std::uint16_t* map : maps) {
      stored.palette.insert(stored.palette.end(), map, map + count);
    }
    const auto all = [&](auto&& test) {
      return std::all_of(stored.palette.begin(), stored.palette.end(), test);
    };
    const bool bytes = all([](std::uint16_t v) { return v < 256; });
    const bool wide_bytes = all([](std::uint16_t v) { return v % 257 == 0; }) ||
                            all([](std::uint16_t v) { return v % 256 == 0; });
    stored.out_bits = bytes || wide_bytes ? 8 : 16;
    if (wide_bytes && !bytes) {
      for (std::uint16_t& value : stored.palette) value = static_cast<std::uint16_t>(value >> 8U);
    }
    info_.notes.emplace_back("palette colours are written out");
  }

  void take_extra_samples() {
    SampleLayout& stored = out_.samples;
    const int extra = count_ - stored.colours;
    if (extra == 0) return;
    std::uint16_t count = 0;
    std::uint16_t* kinds = nullptr;
    const bool said =
        TIFFGetField(tiff_.handle(), TIFFTAG_EXTRASAMPLES, &count, &kinds) == 1 && count > 0;
    const int kind = said ? kinds[0] : EXTRASAMPLE_UNSPECIFIED;
    const bool blend = stored.palette.empty();
    if (blend && kind == EXTRASAMPLE_ASSOCALPHA) stored.alpha = Alpha::kPremultiplied;
    if (blend && kind == EXTRASAMPLE_UNASSALPHA) stored.alpha = Alpha::kStraight;
    if (stored.alpha != Alpha::kNone) info_.notes.emplace_back("transparency is laid over white");
    const int ignored = count_ - stored.channels();
    if (ignored > 0) {
      info_.notes.push_back(std::to_string(ignored) + " extra sample" + (ignored > 1 ? "s" : "") +
                            " of each pixel not used");
    }
  }

  void chunk_shape() {
    out_.tiled = TIFFIsTiled(tiff_.handle()) != 0;
    if (out_.tiled) {
      out_.chunk_width = tiff_.tag<std::uint32_t>(TIFFTAG_TILEWIDTH).value_or(0);
      out_.chunk_rows = tiff_.tag<std::uint32_t>(TIFFTAG_TILELENGTH).value_or(0);
    } else {
      out_.chunk_width = out_.width;
      std::uint32_t rows = 0;
      (void)TIFFGetFieldDefaulted(tiff_.handle(), TIFFTAG_ROWSPERSTRIP, &rows);
      out_.chunk_rows = std::min<std::int64_t>(rows, out_.height);
    }
    if (out_.chunk_width < 1 || out_.chunk_rows < 1) {
      throw_malformed("has strips or tiles without rows or columns");
    }
    check_row_fits(
        std::max(out_.row_bytes() * out_.planes, out_.width * 3 * (out_.samples.out_bits / 8)),
        limits_);
  }

  void place_chunks() {
    TIFF* const tiff = tiff_.handle();
    const std::int64_t each = checked_product(out_.across(), out_.down(), "strips or tiles");
    const std::int64_t stored = checked_product(each, out_.planes_stored, "strips or tiles");
    // Of each, the file gives an offset and a length of two bytes at the least.
    if (stored > source_.size() / 4) {
      throw_malformed("is too short for " + std::to_string(stored) + " strips or tiles");
    }
    const std::int64_t wanted = each * out_.planes;
    if (wanted > limits_.memory / 64) {
      throw_unsupported("has " + std::to_string(wanted) +
                        " strips or tiles, too many for the memory limit: raise the limit, or save "
                        "it with larger ones");
    }
    if (stored != (out_.tiled ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff))) {
      throw_malformed("gives its strips or tiles in two ways");
    }
    out_.offsets.reserve(static_cast<std::size_t>(wanted));
    out_.lengths.reserve(static_cast<std::size_t>(wanted));
    for (std::int64_t chunk = 0; chunk < wanted; ++chunk) {
      int failed_offset = 0;
      int failed_length = 0;
      const auto index = static_cast<std::uint32_t>(chunk);
      const std::uint64_t offset = TIFFGetStrileOffsetWithErr(tiff, index, &failed_offset);
      const std::uint64_t length = TIFFGetStrileByteCountWithErr(tiff, index, &failed_length);
      check_chunk(chunk, offset, length, failed_offset != 0 || failed_length != 0);
      out_.offsets.push_back(static_cast<std::int64_t>(offset));
      out_.lengths.push_back(static_cast<std::int64_t>(length));
    }
    if (out_.compression == COMPRESSION_LZW && out_.lengths[0] >= 2) leave_old_lzw_to_libtiff();
  }

  // Before TIFF 5 the bits of LZW codes were stored the other way round. Codes begin with Clear, whose
  // lowest bits that then are.
  void leave_old_lzw_to_libtiff() {
    std::array<std::uint8_t, 2> head{};
    source_.read(out_.offsets[0], head);
    if (head[0] == 0 && (head[1] & 1U) != 0) out_.unpacked = false;
  }

  void check_chunk(std::int64_t chunk, std::uint64_t offset, std::uint64_t length,
                   bool failed) const {
    const auto size = static_cast<std::uint64_t>(source_.size());
    if (failed || length == 0) throw_malformed(out_.chunk_label(chunk) + " has no data");
    if (offset > size || length > size - offset) {
      throw_malformed(out_.chunk_label(chunk) + " is cut off: " + std::to_string(length) +
                      " bytes at byte " + std::to_string(offset) + " of " + std::to_string(size));
    }
    const std::int64_t expansion = most_expansion(out_.compression);
    const std::int64_t rows = out_.rows_of(chunk / out_.across() % out_.down());
    const std::int64_t needed = checked_product(out_.chunk_row_bytes(), rows, "strip or tile");
    if (expansion > 0 && needed / expansion > static_cast<std::int64_t>(length)) {
      throw_malformed(out_.chunk_label(chunk) + ": " + std::to_string(length) +
                      " bytes cannot hold its " + std::to_string(needed));
    }
  }

  void describe() {
    info_.format = TIFFIsBigTIFF(tiff_.handle()) != 0 ? "BigTIFF" : "TIFF";
    info_.width = out_.width;
    info_.height = out_.height;
    info_.bits = out_.samples.out_bits;
    info_.compression = compression_name(out_.compression);
    const int unit = number(TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
    const double mm = unit == RESUNIT_INCH ? 25.4 : unit == RESUNIT_CENTIMETER ? 10.0 : 0.0;
    const double x = mm / static_cast<double>(tiff_.tag<float>(TIFFTAG_XRESOLUTION).value_or(0.0F));
    const double y = mm / static_cast<double>(tiff_.tag<float>(TIFFTAG_YRESOLUTION).value_or(0.0F));
    if (std::isfinite(x) && std::isfinite(y) && x > 0 && y > 0) {
      info_.mm_per_pixel_x = x;
      info_.mm_per_pixel_y = y;
    }
    if (TIFFLastDirectory(tiff_.handle()) == 0) {
      info_.notes.emplace_back("the first of several pages");
    }
    const auto kind = tiff_.tag<std::uint32_t>(TIFFTAG_SUBFILETYPE).value_or(0);
    if ((kind & FILETYPE_REDUCEDIMAGE) != 0) {
      info_.notes.emplace_back("the first page is a reduced picture of another");
    }
  }

  const TiffFile& tiff_;
  const ByteSource& source_;
  const ScanLimits& limits_;
  ScanInfo& info_;
  TiffLayout out_;
  int count_ = 0;
};

}  // namespace

std::string TiffLayout::chunk_label(std::int64_t chunk) const {
  const std::int64_t row = chunk / across() % down() * chunk_rows;
  return (tiled ? "tile " : "strip ") + std::to_string(chunk) + " (rows " + std::to_string(row) +
         " to " + std::to_string(std::min(row + chunk_rows, height) - 1) + " of " +
         std::to_string(height) + ")";
}

TiffLayout tiff_layout(const TiffFile& tiff, const ByteSource& source, const ScanLimits& limits,
                       ScanInfo& info) {
  return Directory(tiff, source, limits, info).read();
}

}  // namespace spinekit
