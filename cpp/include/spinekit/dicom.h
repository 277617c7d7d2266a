// DICOM files: a bounded reader of Part 10, and the index of what its bytes mean.
//
// A DataSet borrows the file's bytes (it owns them only when they were deflated) and never looks
// beyond them: every length is checked against what contains it, nesting and counts are bounded.
// Objects are immutable after construction and may be read from several threads.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spinekit/codec.h"
#include "spinekit/executor.h"

namespace spinekit {

struct Tag {
  std::uint16_t group = 0;
  std::uint16_t element = 0;
  auto operator<=>(const Tag&) const = default;
  [[nodiscard]] bool is_private() const { return (group & 1U) != 0; }
  [[nodiscard]] std::string text() const;  // (gggg,eeee)
};

struct Vr {
  char first = 'U';
  char second = 'N';
  constexpr Vr() = default;
  constexpr Vr(char a, char b) : first(a), second(b) {}
  constexpr explicit Vr(const char (&name)[3]) : first(name[0]), second(name[1]) {}
  bool operator==(const Vr&) const = default;
  // PS3.5 7.1.2: these have a 32-bit length in explicit VR.
  [[nodiscard]] bool has_long_length() const;
  // Bytes of the unit that byte order applies to: 1, 2, 4 or 8.
  [[nodiscard]] int word_bytes() const;
};

enum class PixelCoding { kNative, kRle, kJpeg, kJpegLs, kJ2k, kUnknown };

struct TransferSyntax {
  std::string uid;
  bool explicit_vr = true;
  bool big_endian = false;
  bool deflated = false;
  PixelCoding coding = PixelCoding::kNative;
  // ISO name of an irreversible process for (0028,2114), empty where the syntax alone does not say.
  std::string lossy_method;

  [[nodiscard]] bool encapsulated() const { return coding != PixelCoding::kNative; }
};

TransferSyntax transfer_syntax(std::string_view uid);

// A text value without its padding of blanks and zeros.
std::string trimmed_text(Bytes value);

struct Element {
  Tag tag;
  Vr vr;
  bool undefined_length = false;
  std::int64_t offset = 0;  // of the value, within DataSet::body() or the file for meta elements
  std::int64_t length = 0;  // of the value; without the delimiter for undefined lengths
};

class DataSet {
 public:
  // Throws Error(kMalformed) or Error(kUnsupported). A file without preamble and meta header is
  // read as the bare data set that it may be.
  explicit DataSet(Bytes file);
  DataSet(const DataSet&) = delete;
  DataSet& operator=(const DataSet&) = delete;

  [[nodiscard]] const TransferSyntax& syntax() const { return syntax_; }
  // The 128 bytes before "DICM"; empty when the file has none.
  [[nodiscard]] Bytes preamble() const { return preamble_; }
  // Group 0002, then everything else, each in tag order, tags unique.
  [[nodiscard]] const std::vector<Element>& meta() const { return meta_; }
  [[nodiscard]] const std::vector<Element>& elements() const { return elements_; }
  // Everything behind group 0002, inflated where it was deflated.
  [[nodiscard]] Bytes body() const { return body_; }
  [[nodiscard]] const Element* find(Tag tag) const;
  [[nodiscard]] Bytes value(const Element& element) const;

  // Value without padding; empty when absent.
  [[nodiscard]] std::string text(Tag tag) const;
  // First value of a US or IS element.
  [[nodiscard]] std::optional<std::int64_t> integer(Tag tag) const;

 private:
  void read_meta(Bytes file, std::size_t start);
  void read_body();

  TransferSyntax syntax_;
  Bytes file_;
  Bytes preamble_;
  Buffer inflated_;
  Bytes body_;
  std::vector<Element> meta_;
  std::vector<Element> elements_;
};

// What the Image Pixel module says (PS3.3 C.7.6.3), checked for consistency.
struct ImageDescription {
  FrameFormat format;
  std::int64_t frames = 1;
  std::string photometric;
  bool planar = false;  // PlanarConfiguration 1, meaningful for native colour
  std::string sop_class_uid;
  std::string sop_instance_uid;

  [[nodiscard]] bool palette() const { return photometric == "PALETTE COLOR"; }
};

ImageDescription describe_image(const DataSet& data_set);

// The fragments that hold each frame, in order (PS3.5 A.4).
std::vector<std::vector<Bytes>> frame_fragments(const DataSet& data_set, std::int64_t frames);

// Reads frames in any order, from any thread.
class FrameReader {
 public:
  FrameReader(const DataSet& data_set, const ImageDescription& image);

  [[nodiscard]] const FrameFormat& format() const { return image_.format; }
  // How the samples of a decoded frame are to be understood: YBR_FULL for a decoded YBR_FULL_422,
  // RGB for a decoded YBR_RCT or YBR_ICT.
  [[nodiscard]] const std::string& photometric() const { return photometric_; }
  // Fills `out` with the stored values of one frame (format().byte_count() bytes).
  void read(std::int64_t index, MutableBytes out, std::vector<std::string>& warnings) const;
  // Whether any frame went through an irreversible process, as far as its codestream tells; the
  // method's name for (0028,2114) or empty.
  [[nodiscard]] std::string lossy_method() const;
  // Bytes of the pixel data as they are in the file, without item headers and offset tables.
  [[nodiscard]] std::int64_t stored_bytes() const;
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  void read_native(std::int64_t index, MutableBytes out) const;
  [[nodiscard]] Bytes codestream(std::int64_t index, Buffer& joined) const;

  const DataSet& data_set_;
  ImageDescription image_;
  std::string photometric_;
  Bytes native_;
  std::int64_t native_frame_bytes_ = 0;
  bool swap_words_ = false;
  std::vector<std::vector<Bytes>> fragments_;
  std::vector<std::string> warnings_;
};

struct Pixels {
  Buffer bytes;  // every frame, one after the other
  FrameFormat format;
  std::int64_t frames = 1;
  std::vector<std::string> warnings;
};

// Stored values of a whole file; `name` is for messages.
Pixels read_pixels(Bytes file, const std::string& name, Executor& executor,
                   const CancelToken& cancel);

// Names and versions of the libraries behind this room.
std::vector<std::pair<std::string, std::string>> dicom_versions();

}  // namespace spinekit
