// DICOM series as volumes: what their headers say of slices, and the frames behind them.
//
// Objects are thread-safe where they are const; DicomFrames and FetchedFrames are as a whole.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "spinekit/dicom.h"
#include "spinekit/geometry.h"
#include "spinekit/loader.h"
#include "spinekit/volume.h"

namespace spinekit {

struct FrameHeader {
  SlicePlace place;
  double slope = 1;
  double intercept = 0;
};

// What a volume needs to know of an image, from its header alone.
struct ImageHeader {
  std::string study_instance_uid;
  std::string series_instance_uid;
  std::string series_number;
  std::string series_description;
  std::string modality;
  ImageDescription image;
  std::string transfer_syntax_uid;
  std::vector<FrameHeader> frames;  // image.frames of them
};

// Also reads functional groups of enhanced objects (PS3.3 C.7.6.16). Throws as describe_image does.
ImageHeader read_image_header(const DataSet& data_set);

// Voxels of a volume of such frames. CT is int16 HU. Other modalities keep their stored type as long
// as rescaled values fit it. Otherwise, and for fractions, float32. Colour is never rescaled; that of
// palettes is uint8.
// A CT's signed 16-bit values with a negative intercept count as fitting: HU below -32768 do not
// occur; should one, its slice fails.
VoxelType voxel_type(const std::string& modality, const ImageDescription& image,
                     const std::vector<FrameHeader>& frames);

// Samples a voxel once colours are made RGB: 3 for RGB, YBR and palette colour.
int voxel_samples(const ImageDescription& image);

// Where a file's bytes are: a file of its own, or an entry of a ZIP.
struct FileLocation {
  std::string path;
  std::string label;  // for messages
  bool archived = false;
  std::int64_t offset = 0;  // of the entry's local header
  std::int64_t packed_bytes = 0;
  std::int64_t size = 0;
  int method = 0;
  std::uint32_t crc = 0;
};

// The file's bytes, read and unpacked when they are looked at. Only whole() checks the CRC.
std::shared_ptr<const ByteSource> open_location(const FileLocation& location);
// All of them.
Buffer whole(const FileLocation& location);

// Reads one file's header; errors carry its label.
ImageHeader scan_header(const FileLocation& location);

// How many first bytes of a file of one J2K frame decode to its picture halved `reduction` times; 0
// where it is no such file.
std::int64_t coarse_bytes(const FileLocation& location, int reduction);

struct SliceOrigin {
  std::int64_t file = 0;
  std::int64_t frame = 0;
};

// Slices out of files that can be sought in. Files of one frame are read as a whole when their slice
// is; others stay open and are read frame by frame.
class DicomFrames : public FrameSource {
 public:
  DicomFrames(std::vector<FileLocation> files, std::vector<SliceOrigin> slices);
  int most_reduction(std::int64_t slice) override;
  void read(std::int64_t slice, int reduction, StoredFrame& frame) override;
  // Finds the frames of a slice's file, if it has several, so that the first read need not; what is
  // wrong with it, read() tells.
  void prepare(std::int64_t slice);

 private:
  struct Open;
  std::shared_ptr<Open> open(std::int64_t file);

  std::vector<FileLocation> files_;
  std::vector<SliceOrigin> slices_;
  std::vector<std::int64_t> slices_of_file_;
  std::mutex mutex_;  // guards opened_
  std::map<std::int64_t, std::shared_ptr<Open>> opened_;
};

// Slices whose bytes somebody else fetches; each is given before its loader is told.
class FetchedFrames : public FrameSource {
 public:
  explicit FetchedFrames(std::vector<std::string> labels) : labels_(std::move(labels)) {}
  // Of a file of several frames: what is given are extents of `file`, slice k from frames[k].
  FetchedFrames(std::vector<std::string> labels, std::shared_ptr<const DicomFile> file,
                std::vector<std::int64_t> frames);

  // A whole DICOM file of one frame or, for reduction > 0, its first bytes out of `file_bytes`.
  void give_file(std::int64_t slice, int reduction, Buffer bytes, std::int64_t file_bytes);
  void give_extent(std::int64_t slice, int reduction, Buffer bytes);

  int most_reduction(std::int64_t slice) override;
  void read(std::int64_t slice, int reduction, StoredFrame& frame) override;

 private:
  struct Given {
    Buffer bytes;
    std::int64_t file_bytes = 0;
  };
  std::vector<std::string> labels_;
  std::shared_ptr<const DicomFile> file_;
  std::vector<std::int64_t> frames_;
  std::vector<FrameHeader> headers_;
  std::mutex mutex_;  // guards given_
  std::map<std::pair<std::int64_t, int>, Given> given_;
};

// Frames of files whose places in a volume are not known yet: decoded when they come, and kept in a
// temporary file that goes away with the object.
class FrameSpool {
 public:
  // `folder` for the file. Error(kResource) where none can be made.
  explicit FrameSpool(const std::string& folder);
  ~FrameSpool();
  FrameSpool(const FrameSpool&) = delete;
  FrameSpool& operator=(const FrameSpool&) = delete;

  // Decodes every frame of a file in memory. Returns the number of the first; they follow each other.
  // Error(kResource) where they cannot be written; what was added before stays.
  std::int64_t add(Bytes file, const std::string& label, const ImageHeader& header);
  void read(std::int64_t number, StoredFrame& frame) const;

 private:
  struct Record {
    std::int64_t offset = 0;
    StoredFrame frame;  // without its bytes
    std::int64_t bytes = 0;
  };
  Record write(const StoredFrame& frame);

  int file_ = -1;
  mutable std::mutex mutex_;  // guards what follows
  std::int64_t end_ = 0;
  std::vector<Record> records_;
};

// Slices that are frames of a spool: slice k is frame numbers[k].
class SpooledFrames : public FrameSource {
 public:
  SpooledFrames(std::shared_ptr<const FrameSpool> spool, std::vector<std::int64_t> numbers)
      : spool_(std::move(spool)), numbers_(std::move(numbers)) {}
  int most_reduction(std::int64_t) override { return 0; }
  void read(std::int64_t slice, int reduction, StoredFrame& frame) override;

 private:
  std::shared_ptr<const FrameSpool> spool_;
  std::vector<std::int64_t> numbers_;
};

// Decodes one frame to values that are ready for a volume: YBR and palette colours made RGB.
void decode_frame(const DicomFile& file, std::int64_t index, int reduction,
                  const FrameHeader& header, StoredFrame& frame);

}  // namespace spinekit
