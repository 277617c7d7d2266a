#include "products.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/cpu/Utils.h>
#include <ATen/native/CPUBlas.h>
#include <c10/core/MemoryFormat.h>

namespace spinekit::infer {
namespace {

namespace blas = at::native::cpublas;

// The units take factors of 32 values at a time.
constexpr std::int64_t kDepth = 32;

const c10::BFloat16* data_of(const at::Tensor& values) {
  return values.const_data_ptr<c10::BFloat16>();
}

// Maps with a border of zeros, as rows of pixels.
Operand bordered(const at::Tensor& maps, std::int64_t border) {
  const std::int64_t count = maps.size(0), channels = maps.size(1), rows = maps.size(2),
                     columns = maps.size(3);
  const std::int64_t all_rows = rows + 2 * border, all_columns = columns + 2 * border;
  Operand operand = Operand::empty({count * all_rows * all_columns, channels});
  const auto* from = maps.const_data_ptr<float>();
  const Bits bits(operand);
  Bfloat16* high = bits.high;
  Bfloat16* low = bits.low;
  at::parallel_for(0, count * all_rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t row = item % all_rows - border;
      const std::int64_t place = item * all_columns * channels;
      const auto clear = [&](std::int64_t column, std::int64_t number) {
        std::fill_n(high + place + column * channels, number * channels, Bfloat16{0});
        std::fill_n(low + place + column * channels, number * channels, Bfloat16{0});
      };
      if (row < 0 || row >= rows) {
        clear(0, all_columns);
        continue;
      }
      clear(0, border);
      clear(border + columns, border);
      const std::int64_t inside = place + border * channels;
      token_kernels().split(from + ((item / all_rows) * rows + row) * columns * channels,
                            columns * channels, high + inside, low + inside);
    }
  });
  return operand;
}

}  // namespace

Operand Operand::empty(at::IntArrayRef size) {
  return {at::empty(size, at::kBFloat16), at::empty(size, at::kBFloat16)};
}

Bits::Bits(const Operand& operand)
    : high(static_cast<Bfloat16*>(operand.high.data_ptr())),
      low(static_cast<Bfloat16*>(operand.low.data_ptr())) {}

bool Products::available() {
  static const bool kAvailable =
      at::hasMKLDNN() && at::cpu::init_amx() && blas::could_pack(at::kBFloat16);
  return kAvailable;
}

bool Products::fit(std::int64_t inputs, std::int64_t outputs) {
  return inputs % kDepth == 0 && outputs % kWidth == 0;
}

Products::Products(const at::Tensor& weight)
    : inputs_(weight.size(2)), blocks_(weight.size(1) / kWidth) {
  const std::int64_t values = inputs_ * kWidth;
  high_ = at::empty({weight.size(0), blocks_, values}, at::kBFloat16);
  low_ = at::empty_like(high_);
  const auto* from = weight.const_data_ptr<float>();
  const std::int64_t by_tap = weight.stride(0), by_output = weight.stride(1),
                     by_input = weight.stride(2);
  // A block at a time: the weights of a network are hundreds of megabytes, and each further copy is felt.
  at::parallel_for(0, weight.size(0) * blocks_, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> across(static_cast<std::size_t>(values));
    std::vector<c10::BFloat16> high(across.size()), low(across.size());
    for (std::int64_t item = begin; item < end; ++item) {
      const float* block = from + item / blocks_ * by_tap + item % blocks_ * kWidth * by_output;
      for (std::int64_t input = 0; input < inputs_; ++input) {
        for (std::int64_t output = 0; output < kWidth; ++output) {
          across[static_cast<std::size_t>(input * kWidth + output)] =
              block[output * by_output + input * by_input];
        }
      }
      token_kernels().split(across.data(), values, reinterpret_cast<Bfloat16*>(high.data()),
                            reinterpret_cast<Bfloat16*>(low.data()));
      const auto pack = [&](const std::vector<c10::BFloat16>& part, const at::Tensor& packed) {
        blas::pack(inputs_, kWidth, kWidth, kWidth, at::kBFloat16, at::kBFloat16, part.data(),
                   packed.data_ptr<c10::BFloat16>() + item * values);
      };
      pack(high, high_);
      pack(low, low_);
    }
  });
}

void Products::tile(const Operand& operand, std::int64_t first, std::int64_t rows,
                    const std::vector<std::int64_t>& offsets, std::int64_t block,
                    float* out) const {
  bool add = false;
  for (std::size_t tap = 0; tap < offsets.size(); ++tap) {
    const std::int64_t from = (first + offsets[tap]) * inputs_;
    const std::int64_t weights =
        (static_cast<std::int64_t>(tap) * blocks_ + block) * inputs_ * kWidth;
    const auto multiply = [&](const at::Tensor& left, const at::Tensor& right) {
      blas::brgemm(rows, kWidth, inputs_, inputs_, kWidth, kWidth, add, data_of(left) + from,
                   data_of(right) + weights, out);
      add = true;
    };
    multiply(operand.high, high_);
    multiply(operand.low, high_);
    multiply(operand.high, low_);
  }
}

void release_matrix_units() { blas::brgemm_release(); }

Operand operand_of(const at::Tensor& values) {
  const std::int64_t columns = values.size(1);
  Operand operand = Operand::empty(values.sizes());
  const Bits bits(operand);
  const float* from = values.const_data_ptr<float>();
  at::parallel_for(0, values.size(0), 16, [&](std::int64_t begin, std::int64_t end) {
    token_kernels().split(from + begin * columns, (end - begin) * columns,
                          bits.high + begin * columns, bits.low + begin * columns);
  });
  return operand;
}

at::Tensor convolved(const Products& products, const at::Tensor& maps, std::int64_t kernel,
                     const at::Tensor& bias, bool rectify) {
  const std::int64_t count = maps.size(0), rows = maps.size(2), columns = maps.size(3);
  const std::int64_t border = kernel / 2;
  const std::int64_t all_rows = rows + 2 * border, all_columns = columns + 2 * border;
  const Operand operand = bordered(maps, border);
  std::vector<std::int64_t> offsets;
  for (std::int64_t y = 0; y < kernel; ++y) {
    for (std::int64_t x = 0; x < kernel; ++x) offsets.push_back(y * all_columns + x);
  }
  // A tile is some rows of pixels as they lie, what is computed at their borders being left aside, or, of wide maps,
  // a part of one row.
  const std::int64_t parts = (columns + kTileRows - 1) / kTileRows;
  const std::int64_t part = (columns + parts - 1) / parts;
  const std::int64_t bands = (rows * all_columns + kTileRows - 1) / kTileRows;
  const std::int64_t band = parts > 1 ? 1 : (rows + bands - 1) / bands;
  const std::int64_t bands_used = (rows + band - 1) / band;
  const std::int64_t blocks = products.outputs() / Products::kWidth;
  const std::int64_t outputs = products.outputs();
  const std::int64_t tile_rows = (band - 1) * all_columns + part;

  at::Tensor result = at::empty({count, outputs, rows, columns},
                                maps.options().memory_format(at::MemoryFormat::ChannelsLast));
  float* out = result.data_ptr<float>();
  const std::vector<float> none(static_cast<std::size_t>(outputs));
  const float* added = bias.defined() ? bias.const_data_ptr<float>() : none.data();
  const std::int64_t tiles = count * bands_used * parts;
  at::parallel_for(0, blocks * tiles, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> tile(static_cast<std::size_t>(tile_rows * Products::kWidth));
    for (std::int64_t item = begin; item < end; ++item) {
      const std::int64_t block = item / tiles;
      const std::int64_t map = item % tiles / (bands_used * parts);
      const std::int64_t y = item % (bands_used * parts) / parts * band;
      const std::int64_t x = item % parts * part;
      const std::int64_t height = std::min(band, rows - y), width = std::min(part, columns - x);
      products.tile(operand, (map * all_rows + y) * all_columns + x,
                    (height - 1) * all_columns + width, offsets, block, tile.data());
      for (std::int64_t row = 0; row < height; ++row) {
        const std::int64_t place = ((map * rows + y + row) * columns + x) * outputs;
        for (std::int64_t column = 0; column < width; ++column) {
          token_kernels().finish_pixel(
              tile.data() + (row * all_columns + column) * Products::kWidth,
              added + block * Products::kWidth, rectify, Products::kWidth,
              out + place + column * outputs + block * Products::kWidth);
        }
      }
    }
    release_matrix_units();
  });
  return result;
}

}  // namespace spinekit::infer
