// Segmentation networks that are ready to run: TransUNet with its weights prepared for this machine, and
// any other architecture as a TorchScript file.
//
// A network owns all that it needs; what it was made from may go. After construction it does not change:
// any number of threads may call forward() at once, each with the network's own number of threads. The
// number of threads that the process has set for torch is not touched. In a child of fork() the threads of
// its parent are not there: torch is set to one thread there by whatever comes first. Results for different
// numbers of threads may differ in their last bits, as oneDNN cuts its work by them.
//
// This is the only header of the room that knows torch, and it shows nothing of it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace spinekit {

enum class Precision {
  kFloat32,
  kBfloat16,  // weights and maps; sums, statistics and logits stay float32
};

// What computes; on other devices than a CPU, torch does in any case.
enum class Kernels {
  kBest,    // the CPU's matrix units where it has some, and oneDNN
  kOneDnn,  // oneDNN's operators alone, on weights in its own layout
  kTorch,   // torch's operators, as a module's would
};

struct NetworkOptions {
  Precision precision = Precision::kFloat32;
  int threads = 1;
  std::string device = "cpu";  // or "cuda", "cuda:1", ...
  Kernels kernels = Kernels::kBest;
};

// Borrowed weights, C-contiguous float32.
struct WeightView {
  const float* data = nullptr;
  std::vector<std::int64_t> shape;
};
using WeightViews = std::map<std::string, WeightView>;

// What a TransUNet is built from; defaults are the published R50+ViT-B/16.
struct TransUnetConfiguration {
  int channels = 6;
  bool pen = true;  // a 7 x 7 convolution from `channels` to 3 in front
  int classes = 8;
  int rows = 224, columns = 224;  // that the position embeddings are stored for
  int width = 64;
  std::array<int, 3> units{3, 4, 9};
  int groups = 32;
  int hidden = 768;
  int layers = 12;
  int heads = 12;
  int mlp = 3072;
  int entry = 512;
  std::array<int, 4> decoder{256, 128, 64, 16};
};

struct NetworkShape {
  std::int64_t count = 0, channels = 0, rows = 0, columns = 0;
};

class Network {
 public:
  virtual ~Network() = default;

  // Shape of the logits for films of that shape; Error(kArgument) for one that the network does not take.
  [[nodiscard]] virtual NetworkShape logits_shape(const NetworkShape& films) const = 0;

  // Films and logits are C-contiguous float32 (count, channels, rows, columns). `logits` holds what
  // logits_shape() says.
  virtual void forward(const float* films, const NetworkShape& shape, float* logits) const = 0;
};

// Every weight is checked first: Error(kArgument) names those that are missing, too many, or of another
// shape than the configuration asks for.
std::unique_ptr<Network> make_transunet(const TransUnetConfiguration& configuration,
                                        const WeightViews& weights, const NetworkOptions& options);

// A module that maps (count, channels, rows, columns) to logits of the same count, rows and columns.
// Error(kMalformed) for anything but a TorchScript file. Only the options precision, threads and device
// count.
std::unique_ptr<Network> open_torchscript(const std::string& path, std::int64_t channels,
                                          std::int64_t classes, const NetworkOptions& options);

// To be called in a child of fork() before torch itself is used there, as the calls above do.
void settle_after_fork();

// Release of torch that this was built for and the one it runs with, and what the CPU offers.
std::map<std::string, std::string> network_versions();

}  // namespace spinekit
