#include <algorithm>
#include <cstring>

#include "scan/tiff_rows.h"

namespace spinekit {
namespace {

class TiffReader : public ScanReader {
 public:
  explicit TiffReader(const ScanFile& file) : ScanReader(file.name), file_(file) {
    tiff_ = std::make_unique<TiffFile>(file_.source, file_.limits.memory);
    layout_ = tiff_layout(*tiff_, *file_.source, file_.limits, info_);
    rows_ = make_tiff_rows(layout_, tiff_.get(), file_);
    if (layout_.unpacked) tiff_.reset();
  }

 private:
  void restart() override {
    row_ = 0;
    rows_.reset();
    if (!layout_.unpacked) {
      // libtiff goes back by seeking; after damage only a fresh start is one.
      tiff_ = std::make_unique<TiffFile>(file_.source, file_.limits.memory);
      ScanInfo same;
      layout_ = tiff_layout(*tiff_, *file_.source, file_.limits, same);
    }
    rows_ = make_tiff_rows(layout_, tiff_.get(), file_);
  }

  void decode(std::uint8_t* rgb, std::int64_t rows) override {
    const std::int64_t row_bytes = info_.row_bytes();
    while (rows > 0) {
      const std::int64_t count = std::min(rows, rows_->reach(row_));
      if (layout_.samples.plain() && layout_.planes == 1) {
        std::memcpy(rgb, rows_->at(row_, 0), static_cast<std::size_t>(count * row_bytes));
      } else {
        for (std::int64_t k = 0; k < count; ++k) {
          to_rgb(layout_.samples, channels_of(row_ + k), layout_.width, rgb + k * row_bytes,
                 scratch_);
        }
      }
      rgb += count * row_bytes;
      row_ += count;
      rows -= count;
    }
  }

  [[nodiscard]] ChannelRows channels_of(std::int64_t row) const {
    ChannelRows channels{};
    for (int c = 0; c < layout_.samples.channels(); ++c) {
      channels[static_cast<std::size_t>(c)] =
          layout_.planes > 1 ? rows_->at(row, c)
                             : rows_->at(row, 0) + std::int64_t{c} * (layout_.samples.bits / 8);
    }
    return channels;
  }

  ScanFile file_;
  std::unique_ptr<TiffFile> tiff_;
  TiffLayout layout_;
  std::unique_ptr<TiffRows> rows_;
  std::int64_t row_ = 0;
  Buffer scratch_;
};

}  // namespace

std::unique_ptr<ScanReader> open_tiff(const ScanFile& file) {
  return std::make_unique<TiffReader>(file);
}

}  // namespace spinekit
