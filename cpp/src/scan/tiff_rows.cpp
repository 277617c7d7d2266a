#include "scan/tiff_rows.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>

#include "scan/tiff_chunks.h"

namespace spinekit {
namespace {

// Of the memory limit: what decoded rows may take, what packed chunks may, all threads together.
constexpr std::int64_t kRowsShare = 2;
constexpr std::int64_t kPackedShare = 4;
// Enough for threads to be worth waking, little enough to stay in a cache.
constexpr std::int64_t kUsualBand = std::int64_t{2} << 20;
// So that threads seldom wait for the slowest strip.
constexpr std::int64_t kStripsOfLane = 4;
// What a thread's decoder takes for itself: tables and a piece of the file.
constexpr std::int64_t kLaneBytes = std::int64_t{256} << 10;

// Whole strips, several at once where they are small, or one row of tiles.
class ChunkBands : public TiffRows {
 public:
  ChunkBands(const TiffLayout& layout, TiffFile* tiff, const ScanFile& file)
      : layout_(layout), tiff_(tiff), file_(file), row_bytes_(layout.row_bytes()) {
    const std::int64_t budget = file.limits.memory / kRowsShare;
    const std::int64_t tile = layout.tiled ? layout.chunk_row_bytes() * layout.chunk_rows : 0;
    const std::int64_t most_lanes =
        std::max<std::int64_t>(1, file.limits.memory / kPackedShare / (tile + kLaneBytes));
    const bool parallel = file.executor != nullptr && layout.unpacked;
    const std::int64_t lanes =
        std::min<std::int64_t>(most_lanes, parallel ? file.executor->workers() : 1);
    lanes_.resize(static_cast<std::size_t>(lanes));
    if (layout.tiled) return;
    const std::int64_t strips = row_bytes_ * layout.planes * layout.chunk_rows;
    const std::int64_t wanted = lanes > 1 ? kStripsOfLane * lanes * strips : strips;
    const std::int64_t side_by_side = std::max(wanted, kUsualBand) / strips;
    chunk_rows_ = std::max<std::int64_t>(1, std::min(side_by_side, budget / strips));
  }

  std::int64_t reach(std::int64_t row) override {
    if (row < first_ || row >= first_ + rows_) load(row / layout_.chunk_rows);
    return first_ + rows_ - row;
  }

  [[nodiscard]] const std::uint8_t* at(std::int64_t row, int plane) const override {
    return band_.data() + (plane * rows_ + row - first_) * row_bytes_;
  }

 private:
  struct Part {
    std::int64_t chunk;
    std::int64_t column;
    std::int64_t rows;  // of the picture
    std::int64_t to;    // in band_
  };

  void load(std::int64_t chunk_row) {
    const std::int64_t end_row = std::min(chunk_row + chunk_rows_, layout_.down());
    first_ = chunk_row * layout_.chunk_rows;
    rows_ = std::min(end_row * layout_.chunk_rows, layout_.height) - first_;
    band_.resize(static_cast<std::size_t>(rows_ * row_bytes_ * layout_.planes));
    parts_.clear();
    for (int plane = 0; plane < layout_.planes; ++plane) {
      for (std::int64_t k = chunk_row; k < end_row; ++k) {
        const std::int64_t top = k * layout_.chunk_rows;
        const std::int64_t rows = std::min(layout_.chunk_rows, layout_.height - top);
        for (std::int64_t column = 0; column < layout_.across(); ++column) {
          parts_.push_back({layout_.chunk_index(plane, k, column), column, rows,
                            (plane * rows_ + top - first_) * row_bytes_});
        }
      }
    }
    fetch_ahead(end_row);
    try {
      decode_parts();
    } catch (...) {
      rows_ = 0;
      throw;
    }
  }

  // A FileSource has the kernel's own reading ahead turned off.
  void fetch_ahead(std::int64_t chunk_row) const {
    if (chunk_row >= layout_.down()) return;
    for (int plane = 0; plane < layout_.planes; ++plane) {
      const std::int64_t last_row = std::min(chunk_row + chunk_rows_, layout_.down()) - 1;
      const auto begin = static_cast<std::size_t>(layout_.chunk_index(plane, chunk_row, 0));
      const auto last =
          static_cast<std::size_t>(layout_.chunk_index(plane, last_row, layout_.across() - 1));
      const std::int64_t from = layout_.offsets[begin];
      const std::int64_t to = layout_.offsets[last] + layout_.lengths[last];
      // Otherwise they do not lie one behind the other.
      if (to > from && to - from < file_.limits.memory) {
        (void)file_.source->will_read(from, to - from);
      }
    }
  }

  struct Lane {
    std::unique_ptr<ChunkDecoder> decoder;
    Buffer tile;
  };

  // The first failure by place, not by time, so that any number of workers reports the same.
  void decode_parts() {
    const auto count = static_cast<std::int64_t>(parts_.size());
    std::mutex mutex;
    std::int64_t failed = count;
    std::optional<Error> failure;
    std::atomic<std::int64_t> next{0};
    const auto run = [&](std::int64_t lane) {
      while (true) {
        const std::int64_t k = next.fetch_add(1);
        if (k >= count) return;
        try {
          decode_part(lanes_[static_cast<std::size_t>(lane)], parts_[static_cast<std::size_t>(k)]);
        } catch (const Error& error) {
          const std::lock_guard lock(mutex);
          if (k < failed) {
            failed = k;
            failure = error;
          }
          return;
        }
      }
    };
    if (lanes_.size() > 1) {
      file_.executor->parallel_for(static_cast<std::int64_t>(lanes_.size()), run, {});
    } else {
      run(0);
    }
    if (failure) throw Error(*failure);
  }

  [[nodiscard]] std::unique_ptr<ChunkDecoder> make_decoder() const {
    if (!layout_.unpacked) return make_libtiff_chunk_decoder(layout_, *tiff_);
    const auto lanes = static_cast<std::int64_t>(lanes_.size());
    return make_chunk_decoder(layout_, *file_.source, file_.limits.memory / kPackedShare / lanes);
  }

  void decode_part(Lane& lane, const Part& part) {
    if (!lane.decoder) lane.decoder = make_decoder();
    std::uint8_t* const to = band_.data() + part.to;
    if (layout_.tiled) {
      const std::int64_t tile_row = layout_.chunk_row_bytes();
      lane.tile.resize(static_cast<std::size_t>(tile_row * layout_.chunk_rows));
      lane.decoder->decode(part.chunk, lane.tile);
      const std::int64_t left = row_bytes_ - part.column * tile_row;
      for (std::int64_t y = 0; y < part.rows; ++y) {
        std::memcpy(to + y * row_bytes_ + part.column * tile_row, lane.tile.data() + y * tile_row,
                    static_cast<std::size_t>(std::min(tile_row, left)));
      }
    } else {
      lane.decoder->decode(part.chunk,
                           MutableBytes(to, static_cast<std::size_t>(part.rows * row_bytes_)));
    }
  }

  const TiffLayout& layout_;
  TiffFile* tiff_;
  const ScanFile& file_;
  std::int64_t row_bytes_;
  std::int64_t chunk_rows_ = 1;
  std::int64_t first_ = 0;
  std::int64_t rows_ = 0;
  Buffer band_;
  std::vector<Part> parts_;
  std::vector<Lane> lanes_;
};

// Strips too large to be held: some rows at a time from every plane.
class StripStreams : public TiffRows {
 public:
  StripStreams(const TiffLayout& layout, TiffFile* tiff, const ScanFile& file)
      : layout_(layout), row_bytes_(layout.row_bytes()) {
    constexpr std::int64_t kBand = std::int64_t{256} << 10;
    most_rows_ = std::max<std::int64_t>(1, kBand / (row_bytes_ * layout.planes));
    for (int plane = 0; plane < layout.planes; ++plane) {
      planes_.push_back(layout.unpacked ? make_strip_rows(layout, *file.source, plane)
                                        : make_libtiff_strip_rows(layout, *tiff));
    }
  }

  std::int64_t reach(std::int64_t row) override {
    if (row < first_ || row >= first_ + rows_) {
      first_ = row;
      const std::int64_t count = std::min(most_rows_, layout_.height - row);
      const auto bytes = static_cast<std::size_t>(count * row_bytes_);
      band_.resize(bytes * planes_.size());
      rows_ = count;
      for (std::size_t plane = 0; plane < planes_.size(); ++plane) {
        planes_[plane]->next(count, MutableBytes(band_).subspan(plane * bytes, bytes));
      }
    }
    return first_ + rows_ - row;
  }

  [[nodiscard]] const std::uint8_t* at(std::int64_t row, int plane) const override {
    return band_.data() + (plane * rows_ + row - first_) * row_bytes_;
  }

 private:
  const TiffLayout& layout_;
  std::int64_t row_bytes_;
  std::int64_t most_rows_;
  std::int64_t first_ = 0;
  std::int64_t rows_ = 0;
  Buffer band_;
  std::vector<std::unique_ptr<StripRows>> planes_;
};

[[noreturn]] void refuse(const std::string& what, std::int64_t bytes) {
  throw_unsupported(what + " at once (" + megabytes(bytes) +
                    " MB): save it in smaller ones, for example with libtiff's 'tiffcp -s -r 16 -c "
                    "lzw -p contig IN OUT', or raise the memory limit");
}

}  // namespace

std::unique_ptr<TiffRows> make_tiff_rows(const TiffLayout& layout, TiffFile* tiff,
                                         const ScanFile& file) {
  const std::int64_t memory = file.limits.memory;
  const std::int64_t rows =
      checked_product(layout.row_bytes() * layout.planes, layout.chunk_rows, "strip or tile");
  const std::int64_t tile = checked_product(layout.chunk_row_bytes(), layout.chunk_rows, "tile");
  const std::int64_t packed = *std::max_element(layout.lengths.begin(), layout.lengths.end());
  if (!layout.unpacked && packed > memory / kPackedShare) {
    refuse(std::string("needs a packed ") + (layout.tiled ? "tile" : "strip"), packed);
  }
  if (layout.tiled) {
    if (rows > memory / kRowsShare || tile > memory / kRowsShare / 4) {
      refuse("needs a row of tiles", std::max(rows, tile));
    }
    return std::make_unique<ChunkBands>(layout, tiff, file);
  }
  const bool stream = !layout.unpacked && layout.planes == 1;
  if (!stream && rows <= memory / kRowsShare / 2) {
    return std::make_unique<ChunkBands>(layout, tiff, file);
  }
  if (!layout.unpacked && layout.planes > 1) {
    refuse("needs a strip of each colour", rows);
  }
  return std::make_unique<StripStreams>(layout, tiff, file);
}

}  // namespace spinekit
