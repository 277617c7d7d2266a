#include "smoothing.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace spinekit::classify {
namespace {

constexpr std::int64_t kReach = 3;

// 64 numbers of N bits, one word a bit, the lowest first.
template <std::size_t N>
using Sliced = std::array<Word, N>;

template <std::size_t Result, std::size_t A, std::size_t B>
[[gnu::always_inline]] inline Sliced<Result> add(const Sliced<A>& a, const Sliced<B>& b) {
  Sliced<Result> sum{};
  Word carry = 0;
  for (std::size_t k = 0; k < Result; ++k) {
    const Word p = k < A ? a[k] : 0;
    const Word q = k < B ? b[k] : 0;
    const Word half = p ^ q;
    sum[k] = half ^ carry;
    carry = (p & q) | (half & carry);
  }
  return sum;
}

template <std::size_t Result, std::size_t A, std::size_t B>
[[gnu::always_inline]] inline Sliced<Result> subtract(const Sliced<A>& a, const Sliced<B>& b) {
  Sliced<Result> rest{};
  Word borrow = 0;
  for (std::size_t k = 0; k < Result; ++k) {
    const Word p = k < A ? a[k] : 0;
    const Word q = k < B ? b[k] : 0;
    const Word half = p ^ q;
    rest[k] = half ^ borrow;
    borrow = (~p & q) | (~half & borrow);
  }
  return rest;
}

template <std::size_t Shift, std::size_t N>
[[gnu::always_inline]] inline Sliced<N + Shift> doubled(const Sliced<N>& a) {
  Sliced<N + Shift> result{};
  for (std::size_t k = 0; k < N; ++k) result[k + Shift] = a[k];
  return result;
}

// 2 outer + 7 (middle + 2 inner) + 18 centre, for the pairs at distance 3, 2, 1 and the centre. N bits
// each pair, Result bits the whole.
template <std::size_t Result, std::size_t N, std::size_t C>
[[gnu::always_inline]] inline Sliced<Result> weighted(const Sliced<N>& outer,
                                                      const Sliced<N>& middle,
                                                      const Sliced<N>& inner,
                                                      const Sliced<C>& centre) {
  const Sliced<N + 2> u = add<N + 2>(middle, doubled<1>(inner));
  const Sliced<N + 4> seven_u = subtract<N + 4>(doubled<3>(u), u);
  const Sliced<C + 4> nine = add<C + 4>(doubled<3>(centre), centre);
  const Sliced<C + 5> rest = add<C + 5>(nine, outer);
  return add<Result>(seven_u, doubled<1>(rest));
}

// As OpenCV's BORDER_REFLECT_101, also for images smaller than the kernel.
std::int64_t mirrored(std::int64_t place, std::int64_t length) {
  if (length == 1) return 0;
  while (place < 0 || place >= length) place = place < 0 ? -place : 2 * (length - 1) - place;
  return place;
}

void sums_along(const Word* row, Word* planes) {
  for (std::int64_t k = 0; k < kBlock; ++k) {
    const Word here = row[k], before = row[k - 1], after = row[k + 1];
    const auto left = [&](int by) { return here << by | before >> (64 - by); };
    const auto right = [&](int by) { return here >> by | after << (64 - by); };
    const auto pair = [&](int by) { return Sliced<2>{left(by) ^ right(by), left(by) & right(by)}; };
    const Sliced<7> sum = weighted<7>(pair(3), pair(2), pair(1), Sliced<1>{here});
    for (std::int64_t bit = 0; bit < 7; ++bit)
      planes[bit * kBlock + k] = sum[static_cast<std::size_t>(bit)];
  }
}

// At least half of the weight of the seven rows' sums, by distance: 3, 2, 1 above and below.
void majority(const std::array<const Word*, 7>& rows, Word* out) {
  for (std::int64_t k = 0; k < kBlock; ++k) {
    const auto sums = [&](std::size_t row) {
      Sliced<7> bits;
      for (std::int64_t bit = 0; bit < 7; ++bit)
        bits[static_cast<std::size_t>(bit)] = rows[row][bit * kBlock + k];
      return bits;
    };
    const Sliced<13> total = weighted<13>(add<8>(sums(0), sums(6)), add<8>(sums(1), sums(5)),
                                          add<8>(sums(2), sums(4)), sums(3));
    out[k] = total[11] | total[12];
  }
}

}  // namespace

SmoothingStage::SmoothingStage(std::int64_t width, std::int64_t height, RowStage& next)
    : width_(width),
      height_(height),
      words_(block_words(width)),
      next_(next),
      row_words_(words_),
      out_(static_cast<std::size_t>(words_)) {
  for (auto& sums : sums_) sums.resize(static_cast<std::size_t>(kPlanes * words_));
  for (auto& contents : contents_) contents.resize(static_cast<std::size_t>(words_ / kBlock));
}

void SmoothingStage::mirror(const Word* row) {
  Word* words = row_words_.data();
  std::copy(row, row + words_, words);
  words[-1] = 0;
  words[words_] = 0;
  const auto pixel = [&](std::int64_t x) { return row[x / kWordBits] >> (x % kWordBits) & 1; };
  for (std::int64_t by = 1; by <= kReach; ++by) {
    words[-1] |= pixel(mirrored(-by, width_)) << (kWordBits - by);
    const std::int64_t x = width_ - 1 + by;
    words[x / kWordBits] |= pixel(mirrored(x, width_)) << (x % kWordBits);
  }
}

void SmoothingStage::add(const Word* row) {
  mirror(row);
  const Word* words = row_words_.data();
  const auto slot = static_cast<std::size_t>(row_ % kRows);
  for (std::int64_t block = 0; block < words_ / kBlock; ++block) {
    const Word* from = words + block * kBlock;
    Word* planes = sums_[slot].data() + block * kBlock * kPlanes;
    Word any = from[-1] >> (kWordBits - kReach) | (from[kBlock] & 7);
    Word all = (from[-1] | kAllOnes >> kReach) & (from[kBlock] | kAllOnes << kReach);
    for (std::int64_t k = 0; k < kBlock; ++k) {
      any |= from[k];
      all &= from[k];
    }
    Content& content = contents_[slot][static_cast<std::size_t>(block)];
    if (any == 0) {
      content = Content::kEmpty;
      std::fill(planes, planes + kBlock * kPlanes, Word{0});
    } else if (all == kAllOnes) {
      content = Content::kFull;
      std::fill(planes, planes + kBlock * (kPlanes - 1), Word{0});
      std::fill(planes + kBlock * (kPlanes - 1), planes + kBlock * kPlanes, kAllOnes);
    } else {
      content = Content::kMixed;
      sums_along(from, planes);
    }
  }
  if (row_ >= kReach) emit(row_ - kReach);
  ++row_;
  if (row_ < height_) return;
  for (std::int64_t target = std::max<std::int64_t>(0, height_ - kReach); target < height_;
       ++target) {
    emit(target);
  }
}

void SmoothingStage::emit(std::int64_t target) {
  std::array<std::size_t, 7> slots;
  for (std::int64_t k = 0; k < kRows; ++k) {
    slots[static_cast<std::size_t>(k)] =
        static_cast<std::size_t>(mirrored(target + k - kReach, height_) % kRows);
  }
  for (std::int64_t block = 0; block < words_ / kBlock; ++block) {
    Word* out = out_.data() + block * kBlock;
    const auto at = [&](std::size_t slot) {
      return contents_[slot][static_cast<std::size_t>(block)];
    };
    const Content content = at(slots[0]);
    const bool uniform = content != Content::kMixed &&
                         std::all_of(slots.begin(), slots.end(),
                                     [&](std::size_t slot) { return at(slot) == content; });
    if (uniform) {
      std::fill(out, out + kBlock, content == Content::kFull ? kAllOnes : 0);
      continue;
    }
    std::array<const Word*, 7> rows;
    for (std::size_t k = 0; k < rows.size(); ++k) {
      rows[k] = sums_[slots[k]].data() + block * kBlock * kPlanes;
    }
    majority(rows, out);
  }
  const std::int64_t last = mask_words(width_) - 1;
  out_[static_cast<std::size_t>(last)] &= tail_mask(width_);
  std::fill(out_.begin() + last + 1, out_.end(), Word{0});
  next_.add(out_.data());
}

std::int64_t SmoothingStage::memory() const {
  return (kRows * kPlanes + 2) * words_ * 8 + kRows * words_ / kBlock;
}

}  // namespace spinekit::classify
