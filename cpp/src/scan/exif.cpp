#include "scan/exif.h"

#include <algorithm>
#include <array>

namespace spinekit {
namespace {

constexpr std::uint16_t kOrientation = 0x0112;
constexpr std::uint16_t kShort = 3;

class Numbers {
 public:
  Numbers(Bytes bytes, bool little) : bytes_(bytes), little_(little) {}
  // 0 beyond the end.
  [[nodiscard]] std::uint16_t u16(std::int64_t at) const {
    if (at < 0 || at + 2 > static_cast<std::int64_t>(bytes_.size())) return 0;
    const std::uint8_t* p = bytes_.data() + at;
    return static_cast<std::uint16_t>(little_ ? p[0] | p[1] << 8 : p[0] << 8 | p[1]);
  }
  [[nodiscard]] std::uint32_t u32(std::int64_t at) const {
    const std::uint32_t first = u16(at);
    const std::uint32_t second = u16(at + 2);
    return little_ ? second << 16U | first : first << 16U | second;
  }

 private:
  Bytes bytes_;
  bool little_;
};

}  // namespace

int exif_orientation(Bytes tiff) {
  if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return 0;
  const Numbers numbers(tiff, tiff[0] == 'I');
  const std::int64_t directory = numbers.u32(4);
  const int entries = numbers.u16(directory);
  for (int k = 0; k < entries; ++k) {
    const std::int64_t entry = directory + 2 + std::int64_t{12} * k;
    if (numbers.u16(entry) == kOrientation && numbers.u16(entry + 2) == kShort) {
      return numbers.u16(entry + 8);
    }
  }
  return 0;
}

int jpeg_exif_orientation(const ByteSource& jpeg) {
  constexpr int kMostSegments = 1000;
  constexpr std::uint8_t kSos = 0xDA;
  constexpr std::uint8_t kApp1 = 0xE1;
  constexpr std::array<std::uint8_t, 6> kExif = {'E', 'x', 'i', 'f', 0, 0};
  std::int64_t at = 2;
  for (int k = 0; k < kMostSegments && at + 4 <= jpeg.size(); ++k) {
    std::array<std::uint8_t, 4> head{};
    jpeg.read(at, head);
    if (head[0] != 0xFF || head[1] == kSos) return 0;
    if (head[1] == 0xFF) {  // padding
      ++at;
      continue;
    }
    const std::int64_t length = head[2] << 8 | head[3];
    if (length < 2 || at + 2 + length > jpeg.size()) return 0;
    if (head[1] == kApp1 && length > 2 + static_cast<std::int64_t>(kExif.size())) {
      Buffer segment(static_cast<std::size_t>(length - 2));
      jpeg.read(at + 4, segment);
      if (std::equal(kExif.begin(), kExif.end(), segment.begin())) {
        return exif_orientation(Bytes(segment).subspan(kExif.size()));
      }
    }
    at += 2 + length;
  }
  return 0;
}

}  // namespace spinekit
