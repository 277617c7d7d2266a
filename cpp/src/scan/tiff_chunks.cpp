#include "scan/tiff_chunks.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "scan/readers.h"

namespace spinekit {
namespace {

// TIFF 6.0, section 14: each sample is stored as the difference from the one a pixel before.
template <typename T>
void add_up(std::uint8_t* row, std::int64_t count, std::int64_t step) {
  for (std::int64_t k = step; k < count; ++k) {
    T before;
    T value;
    std::memcpy(&before, row + (k - step) * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
    std::memcpy(&value, row + k * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
    value = static_cast<T>(value + before);
    std::memcpy(row + k * static_cast<std::int64_t>(sizeof(T)), &value, sizeof(T));
  }
}

// Sums that stay in registers: RGB of 8 bits is what most scans are.
void add_up_rgb(std::uint8_t* row, std::int64_t count) {
  std::uint8_t red = 0;
  std::uint8_t green = 0;
  std::uint8_t blue = 0;
  for (std::uint8_t* const end = row + count; row < end; row += 3) {
    row[0] = red = static_cast<std::uint8_t>(red + row[0]);
    row[1] = green = static_cast<std::uint8_t>(green + row[1]);
    row[2] = blue = static_cast<std::uint8_t>(blue + row[2]);
  }
}

void swap_bytes(std::uint8_t* row, std::int64_t count) {
  for (std::int64_t k = 0; k < count; ++k) std::swap(row[2 * k], row[2 * k + 1]);
}

// From the order and the differences of the file to samples.
void restore_samples(const TiffLayout& layout, MutableBytes packed) {
  const int bits = layout.samples.bits;
  if (bits < 8) return;
  if (bits == 16 && layout.swapped) {
    swap_bytes(packed.data(), static_cast<std::int64_t>(packed.size()) / 2);
  }
  if (layout.predictor != PREDICTOR_HORIZONTAL) return;
  const std::int64_t count = layout.chunk_width * layout.plane_samples;
  const std::int64_t row_bytes = layout.chunk_row_bytes();
  std::uint8_t* row = packed.data();
  for (std::uint8_t* const end = row + packed.size(); row < end; row += row_bytes) {
    if (bits == 16) {
      add_up<std::uint16_t>(row, count, layout.plane_samples);
    } else if (layout.plane_samples == 3) {
      add_up_rgb(row, count);
    } else {
      add_up<std::uint8_t>(row, count, layout.plane_samples);
    }
  }
}

class StreamedChunks : public ChunkDecoder {
 public:
  StreamedChunks(const TiffLayout& layout, const ByteSource& source, std::int64_t most_packed)
      : layout_(layout), stream_(make_packed_stream(layout.compression, source, most_packed)) {}

  void decode(std::int64_t chunk, MutableBytes out) override {
    try {
      const auto index = static_cast<std::size_t>(chunk);
      stream_->read_whole(layout_.offsets[index], layout_.lengths[index], out);
    } catch (const Error& error) {
      throw Error(error.code(), layout_.chunk_label(chunk) + ": " + error.message());
    }
    restore_samples(layout_, out);
  }

 private:
  const TiffLayout& layout_;
  std::unique_ptr<PackedStream> stream_;
};

class StreamedRows : public StripRows {
 public:
  StreamedRows(const TiffLayout& layout, const ByteSource& source, int plane)
      : layout_(layout),
        plane_(plane),
        stream_(make_packed_stream(layout.compression, source, 0)) {}

  void next(std::int64_t rows, MutableBytes out) override {
    const std::int64_t row_bytes = layout_.row_bytes();
    while (rows > 0) {
      const std::int64_t strip = row_ / layout_.chunk_rows;
      const std::int64_t within = row_ % layout_.chunk_rows;
      const std::int64_t left = layout_.rows_of(strip) - within;
      const std::int64_t count = std::min(rows, left);
      const std::int64_t chunk = layout_.chunk_index(plane_, strip, 0);
      const MutableBytes part = out.first(static_cast<std::size_t>(count * row_bytes));
      try {
        if (within == 0) {
          const auto index = static_cast<std::size_t>(chunk);
          stream_->start(layout_.offsets[index], layout_.lengths[index]);
        }
        stream_->read(part);
        if (count == left) stream_->finish();
      } catch (const Error& error) {
        throw Error(error.code(), row_label(row_, layout_.height) + layout_.chunk_label(chunk) +
                                      ": " + error.message());
      }
      restore_samples(layout_, part);
      out = out.subspan(part.size());
      row_ += count;
      rows -= count;
    }
  }

 private:
  const TiffLayout& layout_;
  int plane_;
  std::unique_ptr<PackedStream> stream_;
  std::int64_t row_ = 0;
};

// Of LZW there is one only: that the codes are of the old style, which is why libtiff has them.
bool heeds_warnings(const TiffLayout& layout) { return layout.compression != COMPRESSION_LZW; }

class LibtiffChunks : public ChunkDecoder {
 public:
  LibtiffChunks(const TiffLayout& layout, TiffFile& tiff) : layout_(layout), tiff_(tiff) {
    tiff_.begin_decoding(heeds_warnings(layout_));
  }

  void decode(std::int64_t chunk, MutableBytes out) override {
    const auto index = static_cast<std::uint32_t>(chunk);
    const auto size = static_cast<tmsize_t>(out.size());
    const tmsize_t got = layout_.tiled
                             ? TIFFReadEncodedTile(tiff_.handle(), index, out.data(), size)
                             : TIFFReadEncodedStrip(tiff_.handle(), index, out.data(), size);
    tiff_.check(got != size, layout_.chunk_label(chunk) + ": ");
  }

 private:
  const TiffLayout& layout_;
  TiffFile& tiff_;
};

class LibtiffRows : public StripRows {
 public:
  LibtiffRows(const TiffLayout& layout, TiffFile& tiff) : layout_(layout), tiff_(tiff) {
    tiff_.begin_decoding(heeds_warnings(layout_));
    // What TIFFReadScanline writes, wherever it has got it from.
    if (TIFFScanlineSize64(tiff_.handle()) != static_cast<std::uint64_t>(layout_.row_bytes())) {
      throw_malformed("its rows are not of the length that its directory gives");
    }
  }

  void next(std::int64_t rows, MutableBytes out) override {
    const std::int64_t row_bytes = layout_.row_bytes();
    for (std::int64_t done = 0; done < rows; ++done, ++row_) {
      const int status = TIFFReadScanline(tiff_.handle(), out.data() + done * row_bytes,
                                          static_cast<std::uint32_t>(row_), 0);
      tiff_.check(status != 1, row_label(row_, layout_.height));
    }
  }

 private:
  const TiffLayout& layout_;
  TiffFile& tiff_;
  std::int64_t row_ = 0;
};

}  // namespace

std::unique_ptr<ChunkDecoder> make_chunk_decoder(const TiffLayout& layout, const ByteSource& source,
                                                 std::int64_t most_packed) {
  return std::make_unique<StreamedChunks>(layout, source, most_packed);
}

std::unique_ptr<ChunkDecoder> make_libtiff_chunk_decoder(const TiffLayout& layout, TiffFile& tiff) {
  return std::make_unique<LibtiffChunks>(layout, tiff);
}

std::unique_ptr<StripRows> make_strip_rows(const TiffLayout& layout, const ByteSource& source,
                                           int plane) {
  return std::make_unique<StreamedRows>(layout, source, plane);
}

std::unique_ptr<StripRows> make_libtiff_strip_rows(const TiffLayout& layout, TiffFile& tiff) {
  return std::make_unique<LibtiffRows>(layout, tiff);
}

}  // namespace spinekit
