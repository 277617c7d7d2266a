#include <ATen/Functions.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include "layers.h"
#include "torch_guard.h"

namespace spinekit {
namespace {

class ScriptedNetwork final : public Network {
 public:
  ScriptedNetwork(const std::string& path, std::int64_t channels, std::int64_t classes,
                  const NetworkOptions& options)
      : channels_(channels),
        classes_(classes),
        threads_(options.threads),
        placement_(infer::placement_of(options)) {
    try {
      module_ = torch::jit::load(path, placement_.device);
    } catch (const c10::Error& error) {
      throw_malformed("no TorchScript file that this torch reads: " + infer::first_line(error));
    }
    module_.eval();
    // Not module_.to(type): that would make floats of indices too.
    for (const at::Tensor& one : module_.parameters()) to_precision(one);
    for (const at::Tensor& one : module_.buffers()) to_precision(one);
  }

  [[nodiscard]] NetworkShape logits_shape(const NetworkShape& films) const override {
    if (films.count < 1 || films.rows < 1 || films.columns < 1 || films.channels != channels_) {
      throw_argument("films: shape (" + std::to_string(films.count) + ", " +
                     std::to_string(films.channels) + ", " + std::to_string(films.rows) + ", " +
                     std::to_string(films.columns) + "), expected " + std::to_string(channels_) +
                     " channels and no side empty");
    }
    return {films.count, classes_, films.rows, films.columns};
  }

  void forward(const float* films, const NetworkShape& shape, float* logits) const override {
    const NetworkShape expected = logits_shape(shape);
    infer::with_torch("the TorchScript network", [&] {
      const infer::ThreadLimit limit(threads_);
      const at::Tensor maps = at::from_blob(const_cast<float*>(films), {shape.count, shape.channels,
                                                                        shape.rows, shape.columns})
                                  .to(placement_.device, placement_.type);
      // A method of a module is not const, although nothing of ours changes.
      const c10::IValue result = torch::jit::Module(module_).forward({maps});
      const std::vector<std::int64_t> wanted{expected.count, expected.channels, expected.rows,
                                             expected.columns};
      if (!result.isTensor() || result.toTensor().sizes() != at::IntArrayRef(wanted)) {
        std::string got = result.isTensor()
                              ? "a tensor of " + std::to_string(result.toTensor().dim()) +
                                    " dimensions or of another size"
                              : result.tagKind();
        throw_argument("the TorchScript network gives " + got + ", expected logits (" +
                       std::to_string(wanted[0]) + ", " + std::to_string(wanted[1]) + ", " +
                       std::to_string(wanted[2]) + ", " + std::to_string(wanted[3]) + ")");
      }
      at::from_blob(logits, wanted).copy_(result.toTensor());
    });
  }

 private:
  void to_precision(const at::Tensor& values) const {
    if (values.is_floating_point()) values.set_data(values.to(placement_.type));
  }

  std::int64_t channels_, classes_;
  int threads_;
  infer::Placement placement_;
  torch::jit::Module module_;
};

}  // namespace

std::unique_ptr<Network> open_torchscript(const std::string& path, std::int64_t channels,
                                          std::int64_t classes, const NetworkOptions& options) {
  return infer::with_torch("the TorchScript network", [&] {
    const infer::ThreadLimit limit(options.threads);
    return std::unique_ptr<Network>(
        std::make_unique<ScriptedNetwork>(path, channels, classes, options));
  });
}

}  // namespace spinekit
