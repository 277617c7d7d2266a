// Matrix products on the matrix units of a CPU (AMX), as near to float32 as its own units are.
//
// Each float32 factor is two bfloat16 ones, what it rounds to and what that leaves out, and a product is three of
// theirs, summed in float32: 16 bits of each factor count, and it takes less than half the time that the units for
// float32 need.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "map_kernels.h"

namespace spinekit::infer {

// A factor, in bfloat16: what it rounds to, and what that leaves out.
struct Operand {
  at::Tensor high, low;

  static Operand empty(at::IntArrayRef size);
};

// Where the values of an operand lie, to be filled.
struct Bits {
  Bfloat16 *high, *low;

  explicit Bits(const Operand& operand);
};

// Weights of a convolution of stride 1 and of one tap or more, or of a linear layer, as the units want them.
class Products {
 public:
  // Outputs of one tile.
  static constexpr std::int64_t kWidth = 64;

  // Whether this machine has such units.
  static bool available();
  // Whether layers of that size keep the units busy.
  static bool fit(std::int64_t inputs, std::int64_t outputs);

  Products() = default;
  // weight (taps, outputs, inputs), float32
  explicit Products(const at::Tensor& weight);

  [[nodiscard]] bool defined() const { return high_.defined(); }
  [[nodiscard]] std::int64_t outputs() const { return blocks_ * kWidth; }

  // out (rows, kWidth) = the sum over all taps of rows of the operand, beginning with `first` + offsets[tap],
  // times weights of outputs kWidth * block and following.
  void tile(const Operand& operand, std::int64_t first, std::int64_t rows,
            const std::vector<std::int64_t>& offsets, std::int64_t block, float* out) const;

 private:
  std::int64_t inputs_ = 0, blocks_ = 0;
  at::Tensor high_, low_;  // (taps, blocks, inputs x kWidth)
};

void release_matrix_units();

// Rows of a tile: enough that weights are read seldom, few enough that a tile stays in the caches.
constexpr std::int64_t kTileRows = 208;

// Calls finish(tile, first row, rows, first output) for each tile of operand (rows, inputs) x weight^T, from
// several threads.
template <typename Finish>
void for_tiles(const Products& products, const Operand& operand, const Finish& finish) {
  const std::int64_t rows = operand.high.size(0);
  const std::int64_t bands = (rows + kTileRows - 1) / kTileRows;
  const std::int64_t blocks = products.outputs() / Products::kWidth;
  at::parallel_for(0, blocks * bands, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> tile(static_cast<std::size_t>(std::min(rows, kTileRows) * Products::kWidth));
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t block = item / bands;
      const std::int64_t first = item % bands * kTileRows;
      const std::int64_t count = std::min(kTileRows, rows - first);
      products.tile(operand, first, count, {0}, block, tile.data());
      finish(tile.data(), first, count, block * Products::kWidth);
    }
    release_matrix_units();
  });
}

// (rows, features) float32 as an operand.
Operand operand_of(const at::Tensor& values);

// Channels-last float32 maps (count, channels, rows, columns), convolved with stride 1 by `kernel` x `kernel` taps,
// the border zero; plus bias (undefined for none), and rectified if asked for.
at::Tensor convolved(const Products& products, const at::Tensor& maps, std::int64_t kernel,
                     const at::Tensor& bias, bool rectify);

}  // namespace spinekit::infer
