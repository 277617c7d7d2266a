// TransUNet (Chen et al. 2021) under the names of the published checkpoints. Filters are standardised and
// batch normalisation is folded into its convolutions when the network is made; see nn/ for the same
// network as it is trained.
#include <ATen/Functions.h>
#include <c10/core/MemoryFormat.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "layer_source.h"
#include "torch_guard.h"

namespace spinekit::infer {
namespace {

constexpr double kNormEps = 1e-6;
constexpr double kProjectionEps = 1e-5;  // of gn_proj, as published

// Rounding to bfloat16 costs most at the start, where a film's low contrast is told from its brightness, and at
// the very end, where logits that differ little would fall together; least where most work is. So the first
// stages and the last convolution always compute in float32: errors of logits become a tenth, for a tenth of
// the time.
constexpr std::size_t kEarlyStages = 2;

// Films whose maps are computed at once on a CPU: in bfloat16 they are smaller, and layers done sooner.
constexpr std::int64_t kTogetherFloat = 1;
constexpr std::int64_t kTogetherBfloat = 4;

constexpr std::int64_t kStep = 16;
// On a single token the last stage's projection would have nothing to be normalised over.
constexpr std::int64_t kLeast = 32;

std::int64_t strided(std::int64_t side, std::int64_t stride) { return (side - 1) / stride + 1; }

std::int64_t pooled(std::int64_t side) { return (side - 3) / 2 + 1; }

// 1 x 1, 3 x 3, which carries the stride, and 1 x 1, beside a shortcut.
class Unit {
 public:
  Unit(const Source& source, const std::string& name, std::int64_t inputs, std::int64_t outputs,
       std::int64_t groups, std::int64_t stride, Size size)
      : Unit(source, name, inputs, outputs, groups, stride, size,
             {strided(size.rows, stride), strided(size.columns, stride)}) {}

  [[nodiscard]] at::Tensor operator()(const at::Tensor& maps) const {
    at::Tensor found = norm1_.relu(reduce_(maps));
    found = norm2_.relu(spread_(found));
    found = expand_(found);
    if (!projection_) return norm3_.relu_plus(found, maps);
    return norm3_.relu_plus(found, projection_->first(maps), &projection_->second);
  }

 private:
  Unit(const Source& source, const std::string& name, std::int64_t inputs, std::int64_t outputs,
       std::int64_t groups, std::int64_t stride, Size size, Size after)
      : reduce_(source.standardised_convolution(name + ".conv1", inputs, outputs / 4, 1, 1, size)),
        spread_(source.standardised_convolution(name + ".conv2", outputs / 4, outputs / 4, 3,
                                                stride, size)),
        expand_(
            source.standardised_convolution(name + ".conv3", outputs / 4, outputs, 1, 1, after)),
        norm1_(source.group_norm(name + ".gn1", groups, outputs / 4, kNormEps)),
        norm2_(source.group_norm(name + ".gn2", groups, outputs / 4, kNormEps)),
        norm3_(source.group_norm(name + ".gn3", groups, outputs, kNormEps)) {
    if (stride == 1 && inputs == outputs) return;
    projection_.emplace(
        source.standardised_convolution(name + ".downsample", inputs, outputs, 1, stride, size),
        source.group_norm(name + ".gn_proj", outputs, outputs, kProjectionEps));
  }

  Convolution reduce_, spread_, expand_;
  GroupNorm norm1_, norm2_, norm3_;
  std::optional<std::pair<Convolution, GroupNorm>> projection_;
};

// Attention, then two linear layers, each after a normalisation and beside a shortcut.
class Layer {
 public:
  Layer(const Source& source, const std::string& name, const TransUnetConfiguration& numbers,
        std::int64_t tokens)
      : on_matrix_units_(source.placement.matrix_units),
        heads_(numbers.heads),
        attention_norm_(source.layer_norm(name + ".attention_norm", numbers.hidden)),
        ffn_norm_(source.layer_norm(name + ".ffn_norm", numbers.hidden)),
        queries_keys_values_(source.queries_keys_values(name + ".attn", numbers.hidden, tokens)),
        out_(source.linear(name + ".attn.out", numbers.hidden, numbers.hidden, tokens)),
        fc1_(source.linear(name + ".ffn.fc1", numbers.hidden, numbers.mlp, tokens)),
        fc2_(source.linear(name + ".ffn.fc2", numbers.mlp, numbers.hidden, tokens)) {}

  [[nodiscard]] at::Tensor operator()(const at::Tensor& tokens, std::int64_t count) const {
    const at::Tensor mixed = attention(
        queries_keys_values_(attention_norm_.tokens(tokens, on_matrix_units_)), count, heads_);
    const at::Tensor between = out_.plus(tokens_of(mixed, on_matrix_units_), tokens);
    return fc2_.plus(fc1_.gelu(ffn_norm_.tokens(between, on_matrix_units_)), between);
  }

 private:
  bool on_matrix_units_;
  std::int64_t heads_;
  LayerNorm attention_norm_, ffn_norm_;
  Linear queries_keys_values_, out_, fc1_, fc2_;
};

struct DecoderBlock {
  Convolution first, second;
};

class TransUnet final : public Network {
 public:
  TransUnet(const TransUnetConfiguration& numbers, Weights& weights, const NetworkOptions& options)
      : numbers_(numbers),
        threads_(options.threads),
        placement_(placement_of(options)),
        early_(placement_) {
    early_.type = at::kFloat;
    early_.matrix_units = early_.matrix_units && placement_.type == at::kFloat;
    const Source source{weights, placement_};
    const Source early{weights, early_};
    const Size film{numbers.rows, numbers.columns};
    if (numbers.pen) {
      pen_.emplace(
          early.convolution("pen.conv", numbers.channels, 3, 7, Activation::kLeakyRelu, film));
    }
    take_resnet(early, source, film);
    take_transformer(source, film);
    take_decoder(early, source, film);
  }

  [[nodiscard]] NetworkShape logits_shape(const NetworkShape& films) const override {
    const bool repeated = films.channels == 1 && numbers_.channels == 3 && !numbers_.pen;
    if (films.channels != numbers_.channels && !repeated) {
      throw_argument("films: " + std::to_string(films.channels) + " channels, expected " +
                     std::to_string(numbers_.channels));
    }
    const auto fits = [](std::int64_t side) { return side % kStep == 0 && side >= kLeast; };
    if (films.count < 1 || !fits(films.rows) || !fits(films.columns)) {
      throw_argument("films: " + std::to_string(films.count) + " of " + std::to_string(films.rows) +
                     " x " + std::to_string(films.columns) +
                     " pixels, expected rows and columns that are multiples of 16, at least 32");
    }
    return {films.count, numbers_.classes, films.rows, films.columns};
  }

  void forward(const float* films, const NetworkShape& shape, float* logits) const override {
    const NetworkShape result = logits_shape(shape);
    with_torch("the network", [&] {
      const ThreadLimit limit(threads_);
      const at::Tensor all = at::from_blob(
          const_cast<float*>(films), {shape.count, shape.channels, shape.rows, shape.columns});
      at::Tensor found =
          at::from_blob(logits, {result.count, result.channels, result.rows, result.columns});
      // Maps of a few films stay in the caches; the transformer, whose weights are what it waits for, takes
      // the tokens of all.
      const std::int64_t together = !placement_.device.is_cpu()     ? shape.count
                                    : placement_.type == at::kFloat ? kTogetherFloat
                                                                    : kTogetherBfloat;
      std::vector<Features> features;
      std::vector<at::Tensor> tokens;
      for (std::int64_t first = 0; first < shape.count; first += together) {
        const std::int64_t number = std::min(together, shape.count - first);
        features.push_back(features_of(all.narrow(0, first, number)));
        tokens.push_back(std::move(features.back().tokens));
      }
      const Size grid{shape.rows / kStep, shape.columns / kStep};
      const at::Tensor encoded =
          transformed(tokens.size() == 1 ? tokens[0] : at::cat(tokens), grid);
      std::int64_t first = 0;
      for (Features& part : features) {
        const std::int64_t number = part.skips[0].size(0);
        found.narrow(0, first, number)
            .copy_(decoded(encoded.narrow(0, first, number), part.skips, grid));
        part = {};
        first += number;
      }
    });
  }

 private:
  void take_resnet(const Source& early, const Source& late, Size film) {
    const std::string name = "transformer.embeddings.hybrid_model.";
    root_.emplace(early.standardised_convolution(name + "root.conv", 3, numbers_.width, 7, 2, film),
                  early.group_norm(name + "root.gn", numbers_.groups, numbers_.width, kNormEps));
    const Size half = film.divided(2);
    Size size{pooled(half.rows), pooled(half.columns)};
    std::int64_t inputs = numbers_.width;
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      const std::int64_t outputs = numbers_.width * std::int64_t{4} << stage;
      for (int unit = 0; unit < numbers_.units[stage]; ++unit) {
        const std::int64_t stride = stage > 0 && unit == 0 ? 2 : 1;
        stages_[stage].emplace_back(
            stage < kEarlyStages ? early : late,
            name + "body.block" + std::to_string(stage + 1) + ".unit" + std::to_string(unit + 1),
            inputs, outputs, numbers_.groups, stride, size);
        size = {strided(size.rows, stride), strided(size.columns, stride)};
        inputs = outputs;
      }
    }
  }

  void take_transformer(const Source& source, Size film) {
    const Size grid = film.divided(kStep);
    const std::int64_t tokens = grid.rows * grid.columns;
    const std::string name = "transformer.";
    // All of its layers, as they hand tokens to each other, or none.
    Placement together = source.placement;
    together.matrix_units = together.on_matrix_units(numbers_.hidden, numbers_.mlp) &&
                            together.on_matrix_units(numbers_.mlp, numbers_.hidden);
    const Source encoder{source.weights, together};
    patches_.emplace(source.convolution(name + "embeddings.patch_embeddings",
                                        numbers_.width * std::int64_t{16}, numbers_.hidden, 1,
                                        Activation::kNone, grid));
    // As a picture in float32: it is interpolated for films of other sizes.
    positions_ =
        source.weights.take(name + "embeddings.position_embeddings", {1, tokens, numbers_.hidden})
            .view({1, grid.rows, grid.columns, numbers_.hidden})
            .permute({0, 3, 1, 2})
            .to(placement_.device, at::kFloat, /*non_blocking=*/false, /*copy=*/true);
    for (int layer = 0; layer < numbers_.layers; ++layer) {
      layers_.emplace_back(encoder, name + "encoder.layer." + std::to_string(layer), numbers_,
                           tokens);
    }
    encoder_norm_.emplace(source.layer_norm(name + "encoder.encoder_norm", numbers_.hidden));
  }

  void take_decoder(const Source& exact, const Source& source, Size film) {
    const std::int64_t width = numbers_.width;
    const std::array<std::int64_t, 4> skips{8 * width, 4 * width, width, 0};
    more_.emplace(source.normalised_convolution("decoder.conv_more", numbers_.hidden,
                                                numbers_.entry, film.divided(kStep)));
    std::int64_t inputs = numbers_.entry;
    for (std::size_t block = 0; block < numbers_.decoder.size(); ++block) {
      const Size size = film.divided(kStep >> (block + 1));
      const std::string name = "decoder.blocks." + std::to_string(block);
      const std::int64_t outputs = numbers_.decoder[block];
      decoder_.push_back(
          {source.normalised_convolution(name + ".conv1", inputs + skips[block], outputs, size),
           source.normalised_convolution(name + ".conv2", outputs, outputs, size)});
      inputs = outputs;
    }
    head_.emplace(exact.convolution("segmentation_head.0", inputs, numbers_.classes, 3,
                                    Activation::kNone, film));
  }

  [[nodiscard]] at::Tensor positions(Size grid) const {
    at::Tensor stored = positions_;
    if (stored.size(2) != grid.rows || stored.size(3) != grid.columns) {
      stored = at::upsample_bilinear2d(stored, {grid.rows, grid.columns}, /*align_corners=*/false);
    }
    return stored.permute({0, 2, 3, 1}).reshape({1, grid.rows * grid.columns, numbers_.hidden});
  }

  // What the decoder and the transformer need of some films.
  struct Features {
    std::array<at::Tensor, 3> skips;  // largest first
    at::Tensor tokens;                // (films, tokens, hidden)
  };

  [[nodiscard]] Features features_of(const at::Tensor& films) const {
    at::Tensor maps = films.to(placement_.device, early_.type)
                          .expand({-1, numbers_.channels, -1, -1})
                          .contiguous(at::MemoryFormat::ChannelsLast);
    if (pen_) maps = (*pen_)(maps);
    Features features;
    features.skips[0] = root_->second.relu(root_->first(maps));
    // No padding, as published: the pooled map is one row and column short of a quarter.
    maps = at::max_pool2d(features.skips[0], {3, 3}, {2, 2});
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      if (stage == kEarlyStages) maps = maps.to(placement_.type);
      for (const Unit& unit : stages_[stage]) maps = unit(maps);
      if (stage + 1 < features.skips.size()) features.skips[stage + 1] = maps;
    }
    for (at::Tensor& skip : features.skips) skip = skip.to(placement_.type);
    const at::Tensor patches = (*patches_)(maps);
    // Channels-last maps are tokens as they lie.
    features.tokens =
        patches.permute({0, 2, 3, 1})
            .reshape({patches.size(0), patches.size(2) * patches.size(3), numbers_.hidden});
    return features;
  }

  // Tokens (films, tokens, hidden) after all layers.
  [[nodiscard]] at::Tensor transformed(const at::Tensor& tokens, Size grid) const {
    const std::int64_t count = tokens.size(0);
    at::Tensor mixed = at::add(tokens, positions(grid).to(tokens.scalar_type()))
                           .view({tokens.size(0) * tokens.size(1), numbers_.hidden});
    for (const Layer& layer : layers_) mixed = layer(mixed, count);
    return (*encoder_norm_)(mixed).view({count, tokens.size(1), numbers_.hidden});
  }

  // Logits of films from their tokens, which lie on a grid, and their skips.
  [[nodiscard]] at::Tensor decoded(const at::Tensor& tokens, const std::array<at::Tensor, 3>& skips,
                                   Size grid) const {
    at::Tensor maps =
        (*more_)(tokens.view({tokens.size(0), grid.rows, grid.columns, numbers_.hidden})
                     .permute({0, 3, 1, 2}));
    for (std::size_t block = 0; block < decoder_.size(); ++block) {
      const at::Tensor skip = block < skips.size() ? skips[skips.size() - 1 - block] : at::Tensor();
      maps = decoder_[block].second(decoder_[block].first(doubled_beside(maps, skip)));
    }
    return (*head_)(maps.to(early_.type));
  }

  TransUnetConfiguration numbers_;
  int threads_;
  Placement placement_, early_;
  std::optional<Convolution> pen_;
  std::optional<std::pair<Convolution, GroupNorm>> root_;
  std::array<std::vector<Unit>, 3> stages_;
  std::optional<Convolution> patches_;
  at::Tensor positions_;
  std::vector<Layer> layers_;
  std::optional<LayerNorm> encoder_norm_;
  std::optional<Convolution> more_;
  std::vector<DecoderBlock> decoder_;
  std::optional<Convolution> head_;
};

void check_numbers(const TransUnetConfiguration& numbers) {
  const auto expect = [](bool holds, const std::string& what) {
    if (!holds) throw_argument("configuration: " + what);
  };
  constexpr int kMost = 1 << 16;
  const auto count = [&](const char* name, int value) {
    expect(value >= 1 && value <= kMost, std::string(name) + " " + std::to_string(value) +
                                             ", expected 1 to " + std::to_string(kMost));
  };
  count("channels", numbers.channels);
  count("classes", numbers.classes);
  count("width", numbers.width);
  count("groups", numbers.groups);
  count("hidden", numbers.hidden);
  count("heads", numbers.heads);
  count("layers", numbers.layers);
  count("mlp", numbers.mlp);
  count("entry", numbers.entry);
  for (const int units : numbers.units) count("units", units);
  for (const int width : numbers.decoder) count("decoder", width);
  for (const int side : {numbers.rows, numbers.columns}) {
    count("size", side);
    expect(side % kStep == 0 && side >= kLeast,
           "size " + std::to_string(side) + ", expected multiples of 16, at least 32");
  }
  expect(numbers.pen || numbers.channels == 3, "channels " + std::to_string(numbers.channels) +
                                                   " without an ensemble in front, expected 3");
  expect(numbers.width % numbers.groups == 0, "width " + std::to_string(numbers.width) +
                                                  ", expected a multiple of groups " +
                                                  std::to_string(numbers.groups));
  expect(numbers.hidden % numbers.heads == 0, "hidden " + std::to_string(numbers.hidden) +
                                                  ", expected a multiple of heads " +
                                                  std::to_string(numbers.heads));
}

}  // namespace
}  // namespace spinekit::infer

namespace spinekit {

std::unique_ptr<Network> make_transunet(const TransUnetConfiguration& configuration,
                                        const WeightViews& weights, const NetworkOptions& options) {
  infer::check_numbers(configuration);
  return infer::with_torch("the network", [&] {
    const infer::ThreadLimit limit(options.threads);
    infer::Weights checked(weights);
    auto made = std::make_unique<infer::TransUnet>(configuration, checked, options);
    checked.check();
    return std::unique_ptr<Network>(std::move(made));
  });
}

}  // namespace spinekit
