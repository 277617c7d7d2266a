// Hand-made DICOM bytes, and a folder that goes away with its test.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>

#include "spinekit/dicom.h"
#include "spinekit/error.h"

namespace spinekit::testing {

constexpr std::uint32_t kUndefined = 0xFFFFFFFFU;

inline Buffer hex(std::string_view digits) {
  Buffer out;
  std::string pair;
  for (const char c : digits) {
    if (c == ' ' || c == '\n') continue;
    pair += c;
    if (pair.size() == 2) {
      out.push_back(static_cast<std::uint8_t>(std::stoi(pair, nullptr, 16)));
      pair.clear();
    }
  }
  return out;
}

inline Buffer chars(std::string_view text) { return {text.begin(), text.end()}; }

inline Buffer operator+(Buffer a, const Buffer& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline Buffer copy_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

// Writes one encoding of elements, without any knowledge of the engine's own writer.
struct Encoder {
  bool explicit_vr = true;
  bool big_endian = false;

  [[nodiscard]] Buffer number(std::uint64_t value, int bytes) const {
    Buffer out;
    for (int i = 0; i < bytes; ++i) {
      const int shift = 8 * (big_endian ? bytes - 1 - i : i);
      out.push_back(static_cast<std::uint8_t>(value >> shift & 0xFFU));
    }
    return out;
  }

  [[nodiscard]] Buffer tag(Tag t) const { return number(t.group, 2) + number(t.element, 2); }

  [[nodiscard]] Buffer header(Tag t, std::string_view vr, std::uint32_t length) const {
    if (!explicit_vr) return tag(t) + number(length, 4);
    constexpr std::string_view kLong = "OB OD OF OL OV OW SQ SV UC UN UR UT UV";
    if (kLong.find(vr) == std::string_view::npos) return tag(t) + chars(vr) + number(length, 2);
    return tag(t) + chars(vr) + number(0, 2) + number(length, 4);
  }

  [[nodiscard]] Buffer element(Tag t, std::string_view vr, const Buffer& value) const {
    return header(t, vr, static_cast<std::uint32_t>(value.size())) + value;
  }

  [[nodiscard]] Buffer text(Tag t, std::string_view vr, std::string value) const {
    if (value.size() % 2 != 0) value += vr == "UI" ? '\0' : ' ';
    return element(t, vr, chars(value));
  }

  [[nodiscard]] Buffer us(Tag t, int value, std::string_view vr = "US") const {
    return element(t, vr, number(static_cast<std::uint16_t>(value), 2));
  }

  [[nodiscard]] Buffer item(const Buffer& content) const {
    return tag({0xFFFE, 0xE000}) + number(content.size(), 4) + content;
  }

  [[nodiscard]] Buffer undefined_item(const Buffer& content) const {
    return tag({0xFFFE, 0xE000}) + number(kUndefined, 4) + content + tag({0xFFFE, 0xE00D}) +
           number(0, 4);
  }

  [[nodiscard]] Buffer undefined(Tag t, std::string_view vr, const Buffer& items) const {
    return header(t, vr, kUndefined) + items + tag({0xFFFE, 0xE0DD}) + number(0, 4);
  }
};

constexpr const char* kImplicit = "1.2.840.10008.1.2";
constexpr const char* kExplicit = "1.2.840.10008.1.2.1";
constexpr const char* kDeflated = "1.2.840.10008.1.2.1.99";
constexpr const char* kBigEndian = "1.2.840.10008.1.2.2";

inline Buffer part10(const std::string& syntax, const Buffer& body, std::uint8_t preamble = 0) {
  const Encoder meta;
  return Buffer(128, preamble) + chars("DICM") + meta.text({0x0002, 0x0010}, "UI", syntax) + body;
}

struct Picture {
  int rows = 4;
  int columns = 4;
  int samples = 1;
  int bits_allocated = 16;
  int bits_stored = 12;
  bool is_signed = false;
  int frames = 1;
  std::string photometric = "MONOCHROME2";
  int planar = -1;    // < 0: absent
  Buffer extra = {};  // elements between (0008,0018) and group 0028
};

inline Buffer picture_elements(const Picture& p, const Encoder& e) {
  Buffer body = e.text({0x0008, 0x0008}, "CS", "ORIGINAL\\PRIMARY\\AXIAL") +
                e.text({0x0008, 0x0016}, "UI", "1.2.840.10008.5.1.4.1.1.2") +
                e.text({0x0008, 0x0018}, "UI", "1.2.826.0.1.1") + p.extra +
                e.us({0x0028, 0x0002}, p.samples) + e.text({0x0028, 0x0004}, "CS", p.photometric);
  if (p.planar >= 0) body = body + e.us({0x0028, 0x0006}, p.planar);
  if (p.frames != 1) body = body + e.text({0x0028, 0x0008}, "IS", std::to_string(p.frames));
  return body + e.us({0x0028, 0x0010}, p.rows) + e.us({0x0028, 0x0011}, p.columns) +
         e.us({0x0028, 0x0100}, p.bits_allocated) + e.us({0x0028, 0x0101}, p.bits_stored) +
         e.us({0x0028, 0x0102}, p.bits_stored - 1) + e.us({0x0028, 0x0103}, p.is_signed ? 1 : 0);
}

inline Buffer picture_file(const Picture& p, const Buffer& pixels,
                           const std::string& syntax = kExplicit, Encoder e = {}) {
  Buffer value = pixels;
  if (value.size() % 2 != 0) value.push_back(0);
  return part10(syntax, picture_elements(p, e) +
                            e.element({0x7FE0, 0x0010}, p.bits_allocated > 8 ? "OW" : "OB", value));
}

inline Buffer encapsulated_file(const Picture& p, const std::string& syntax,
                                const std::vector<Buffer>& items) {
  const Encoder e;
  Buffer joined;
  for (const Buffer& item : items) joined = joined + e.item(item);
  return part10(syntax, picture_elements(p, e) + e.undefined({0x7FE0, 0x0010}, "OB", joined));
}

template <typename Sample>
Buffer samples_of(const std::vector<Sample>& values) {
  Buffer out;
  for (const Sample value : values) {
    for (std::size_t i = 0; i < sizeof(Sample); ++i) {
      out.push_back(
          static_cast<std::uint8_t>(static_cast<std::uint32_t>(value) >> (8 * i) & 0xFFU));
    }
  }
  return out;
}

// The code and a part of the message of the Error that `call` throws.
template <typename Call>
void check_refuses(ErrorCode code, std::string_view part, const Call& call) {
  try {
    call();
    FAIL_CHECK("nothing was thrown, expected: " << part);
  } catch (const Error& error) {
    CHECK(error.code() == code);
    CHECK_MESSAGE(error.message().find(part) != std::string::npos, error.message());
  }
}

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "spinekit-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] std::int64_t entries() const {
    return std::distance(std::filesystem::directory_iterator(path_), {});
  }

 private:
  std::filesystem::path path_;
};

inline Buffer read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace spinekit::testing
