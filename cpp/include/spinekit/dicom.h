// DICOM files: a bounded reader of Part 10, and the index of what its bytes mean.
//
// A DataSet borrows the file's bytes (it owns them only when they were deflated) and never looks
// beyond them: every length is checked against what contains it, nesting and counts are bounded.
// A DicomFile holds the header alone and reads frames where they lie. Objects are immutable after
// construction and may be read from several threads.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spinekit/byte_source.h"
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

// A file's first bytes end before its header does; so many are needed to go on.
struct HeadTooShort {
  std::int64_t needed = 0;
  bool whole = false;  // the file was deflated, and cannot be read in part
};

class DataSet {
 public:
  // Throws Error(kMalformed) or Error(kUnsupported). A file without preamble and meta header is
  // read as the bare data set that it may be.
  explicit DataSet(Bytes file);
  // The same of a file's first bytes: elements up to the pixel data, whose value is not looked at
  // (with an undefined length, or one that is too long, it goes to the end of the file). Throws
  // HeadTooShort.
  DataSet(Bytes head, std::int64_t file_bytes);
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
  // Where body() begins in the file; meaningless where it was deflated.
  [[nodiscard]] std::int64_t body_offset() const { return body_offset_; }
  [[nodiscard]] const Element* find(Tag tag) const;
  [[nodiscard]] Bytes value(const Element& element) const;

  // Value without padding; empty when absent.
  [[nodiscard]] std::string text(Tag tag) const;
  // First value of a US or IS element.
  [[nodiscard]] std::optional<std::int64_t> integer(Tag tag) const;

 private:
  void read(Bytes file);
  void read_meta(std::size_t start);
  void read_body();

  TransferSyntax syntax_;
  std::int64_t file_bytes_;
  bool head_only_ = false;
  std::int64_t body_offset_ = 0;
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

struct Extent {
  std::int64_t offset = 0;
  std::int64_t length = 0;
};

// Reads frames in any order, from any thread.
class FrameReader {
 public:
  // Of a data set that is in memory as a whole. Both are borrowed.
  FrameReader(const DataSet& data_set, const ImageDescription& image);
  // Of a file whose header `data_set` is; frames are read from `file` when they are asked for.
  FrameReader(const DataSet& data_set, const ImageDescription& image, const ByteSource& file);

  [[nodiscard]] const FrameFormat& format() const { return image_.format; }
  // How the samples of a decoded frame are to be understood: YBR_FULL for a decoded YBR_FULL_422,
  // RGB for a decoded YBR_RCT or YBR_ICT.
  [[nodiscard]] const std::string& photometric() const { return photometric_; }
  // Resolutions that decode_frame can halve to: 0 where the codec has none.
  [[nodiscard]] int most_reduction(std::int64_t index) const;
  // Fills `out` with the stored values of one frame, its sides halved `reduction` times
  // (reduced(format(), reduction).byte_count() bytes).
  void read(std::int64_t index, MutableBytes out, std::vector<std::string>& warnings,
            int reduction = 0) const;
  // Where the frame's bytes lie in the file; and what read() makes of them once they were fetched.
  // A J2K frame of reduced size may be cut off behind the packets that it needs. Of a deflated file,
  // which is in memory already, nothing has to be fetched: the length is 0.
  [[nodiscard]] Extent extent(std::int64_t index) const;
  void decode(std::int64_t index, Bytes fetched, MutableBytes out,
              std::vector<std::string>& warnings, int reduction = 0) const;
  // Whether any frame went through an irreversible process, as far as its codestream tells; the
  // method's name for (0028,2114) or empty.
  [[nodiscard]] std::string lossy_method() const;
  // Bytes of the pixel data as they are in the file, without item headers and offset tables.
  [[nodiscard]] std::int64_t stored_bytes() const;
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  FrameReader(const DataSet& data_set, const ImageDescription& image, const ByteSource* file);
  void open_native(const Element& pixel_data);
  void open_encapsulated(const Element& pixel_data);
  void check_index(std::int64_t index) const;
  [[nodiscard]] Extent extent_in_source(std::int64_t index) const;
  Bytes in_order(std::int64_t index, Bytes fetched, Buffer& scratch) const;
  void decode_native(Bytes frame, MutableBytes out) const;

  const DataSet& data_set_;
  ImageDescription image_;
  std::unique_ptr<const ByteSource>
      memory_;  // the data set's body; null where frames are in a file
  bool inflated_from_file_;
  const ByteSource& source_;
  std::int64_t body_offset_;  // of the data set's elements in source_
  std::string photometric_;
  Extent native_;
  std::int64_t native_frame_bytes_ = 0;
  bool swap_bytes_ = false;  // 8-bit samples in big-endian words
  std::vector<Extent> frames_;
  std::vector<std::string> warnings_;
};

// A file of any size: its header in memory, its frames read and decoded when they are asked for.
class DicomFile {
 public:
  explicit DicomFile(std::shared_ptr<const ByteSource> bytes);
  [[nodiscard]] const DataSet& data_set() const { return *data_set_; }
  // Throws where the file holds no image that can be read.
  [[nodiscard]] const ImageDescription& image() const;
  [[nodiscard]] const FrameReader& frames() const;

 private:
  std::shared_ptr<const ByteSource> bytes_;
  Buffer head_;
  std::optional<DataSet> data_set_;
  mutable std::mutex mutex_;  // guards what is made when it is first asked for
  mutable std::optional<ImageDescription> image_;
  mutable std::optional<FrameReader> frames_;
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
