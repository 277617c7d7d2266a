#include "dicom_bytes.h"
#include "spinekit/series.h"

namespace {

using namespace spinekit;
using namespace spinekit::testing;

constexpr Encoder kLittle{true, false};
constexpr Encoder kImplicitLittle{false, false};
constexpr Encoder kBig{true, true};

ImageHeader header_of(const Buffer& file) {
  const DataSet data_set(file);
  return read_image_header(data_set);
}

ImageHeader header_with(const Buffer& elements, int frames = 1) {
  Picture p;
  p.frames = frames;
  p.extra = elements;
  return header_of(picture_file(p, Buffer(static_cast<std::size_t>(32 * frames))));
}

// How a sequence and its items are written.
struct Sequences {
  Encoder encoder;
  bool undefined = false;

  [[nodiscard]] Buffer item(const Buffer& content) const {
    return undefined ? encoder.undefined_item(content) : encoder.item(content);
  }
  [[nodiscard]] Buffer of(Tag tag, const Buffer& items, const char* vr = "SQ") const {
    return undefined ? encoder.undefined(tag, vr, items) : encoder.element(tag, vr, items);
  }
  [[nodiscard]] Buffer group(Tag tag, const Buffer& content) const {
    return of(tag, item(content));
  }
  [[nodiscard]] Buffer ds(Tag tag, const std::string& value) const {
    return encoder.text(tag, "DS", value);
  }
};

// PS3.3 C.7.6.16: orientation, spacing and rescale for all, position for each, rescale for one.
Buffer shared_groups(const Sequences& s) {
  return s.item(
      s.group({0x0020, 0x9116}, s.ds({0x0020, 0x0037}, R"(0\1\0\0\0\-1)")) +
      s.group({0x0028, 0x9110}, s.ds({0x0018, 0x0050}, "3") + s.ds({0x0028, 0x0030}, "0.5\\0.25")) +
      s.group({0x0028, 0x9145}, s.ds({0x0028, 0x1052}, "-1024") + s.ds({0x0028, 0x1053}, "2")));
}

Buffer frame_groups(const Sequences& s) {
  Buffer out;
  for (int f = 0; f < 3; ++f) {
    Buffer groups =
        s.group({0x0020, 0x9113}, s.ds({0x0020, 0x0032}, std::to_string(-4 * f) + "\\7\\1.5e1"));
    if (f == 1) groups = groups + s.group({0x0028, 0x9145}, s.ds({0x0028, 0x1053}, "0.5"));
    out = out + s.item(groups);
  }
  return out;
}

void check_enhanced(const ImageHeader& header) {
  REQUIRE(header.frames.size() == 3);
  for (std::size_t f = 0; f < 3; ++f) {
    CAPTURE(f);
    const FrameHeader& frame = header.frames[f];
    CHECK(frame.place.position == Vector3{-4.0 * static_cast<double>(f), 7, 15});
    CHECK(frame.place.orientation == std::array<double, 6>{0, 1, 0, 0, 0, -1});
    CHECK(frame.place.spacing_mm == std::array<double, 2>{0.5, 0.25});
    CHECK(frame.place.number == static_cast<double>(f));
    CHECK(frame.slope == (f == 1 ? 0.5 : 2));
    CHECK(frame.intercept == -1024);
  }
}

ImageDescription image_of(int allocated, int stored, bool is_signed, int samples = 1) {
  ImageDescription image;
  image.format = {4, 4, samples, allocated, stored, is_signed};
  image.photometric = samples == 3 ? "RGB" : "MONOCHROME2";
  return image;
}

std::vector<FrameHeader> rescaled(double slope, double intercept) {
  FrameHeader frame;
  frame.slope = slope;
  frame.intercept = intercept;
  return {FrameHeader(), frame};
}

}  // namespace

TEST_CASE("a single image's header: series, place, rescale") {
  const Sequences s{kLittle};
  const ImageHeader header = header_with(
      kLittle.text({0x0008, 0x0060}, "CS", "CT") + kLittle.text({0x0008, 0x103E}, "LO", "lumbar") +
      kLittle.text({0x0020, 0x000D}, "UI", "1.2") + kLittle.text({0x0020, 0x000E}, "UI", "1.3") +
      kLittle.text({0x0020, 0x0011}, "IS", "4") + kLittle.text({0x0020, 0x0013}, "IS", "12") +
      s.ds({0x0020, 0x0032}, " 1.5\\-2\\+3 ") + s.ds({0x0020, 0x0037}, R"(1\0\0\0\1\0)") +
      s.ds({0x0028, 0x0030}, "0.5\\0.7") + s.ds({0x0028, 0x1052}, "-1024") +
      s.ds({0x0028, 0x1053}, "1.0"));
  CHECK(header.modality == "CT");
  CHECK(header.series_description == "lumbar");
  CHECK(header.study_instance_uid == "1.2");
  CHECK(header.series_instance_uid == "1.3");
  CHECK(header.series_number == "4");
  CHECK(header.transfer_syntax_uid == kExplicit);
  REQUIRE(header.frames.size() == 1);
  const FrameHeader& frame = header.frames.front();
  CHECK(frame.place.position == Vector3{1.5, -2, 3});
  CHECK(frame.place.orientation == std::array<double, 6>{1, 0, 0, 0, 1, 0});
  CHECK(frame.place.spacing_mm == std::array<double, 2>{0.5, 0.7});
  CHECK(frame.place.number == 12.0);
  CHECK(frame.slope == 1);
  CHECK(frame.intercept == -1024);
}

TEST_CASE("enhanced objects: groups for all and for each, in every encoding") {
  Picture p;
  p.frames = 3;
  struct Encoded {
    Encoder encoder;
    std::string syntax;
  };
  const auto file = [&](const Encoded& in, const Buffer& shared, const Buffer& per_frame) {
    return part10(in.syntax, picture_elements(p, in.encoder) + shared + per_frame +
                                 in.encoder.element({0x7FE0, 0x0010}, "OW", Buffer(96)));
  };
  constexpr Tag kShared{0x5200, 0x9229};
  constexpr Tag kPerFrame{0x5200, 0x9230};
  for (const bool undefined : {false, true}) {
    CAPTURE(undefined);
    for (const Encoded& in : {Encoded{kLittle, kExplicit}, Encoded{kImplicitLittle, kImplicit},
                              Encoded{kBig, kBigEndian}}) {
      CAPTURE(in.syntax);
      const Sequences s{in.encoder, undefined};
      check_enhanced(
          header_of(file(in, s.of(kShared, shared_groups(s)), s.of(kPerFrame, frame_groups(s)))));
    }
    // PS3.5 6.2.2: of unknown VR, and then implicit little endian inside, whatever is around.
    const Sequences inner{kImplicitLittle, undefined};
    for (const Encoded& in : {Encoded{kLittle, kExplicit}, Encoded{kBig, kBigEndian}}) {
      CAPTURE(in.syntax);
      const auto unknown = [&](Tag tag, const Buffer& items) {
        if (!undefined) return in.encoder.element(tag, "UN", items);
        return in.encoder.header(tag, "UN", kUndefined) + items +
               kImplicitLittle.tag({0xFFFE, 0xE0DD}) + kImplicitLittle.number(0, 4);
      };
      check_enhanced(header_of(file(in, unknown(kShared, shared_groups(inner)),
                                    unknown(kPerFrame, frame_groups(inner)))));
    }
  }
}

TEST_CASE("one position above several frames is not each frame's; one for all in the groups is") {
  const Sequences s{kLittle};
  const Buffer position = s.ds({0x0020, 0x0032}, "1\\2\\3");
  const ImageHeader plain = header_with(position, 2);
  CHECK_FALSE(plain.frames[0].place.position);
  CHECK(plain.frames[0].place.number == 0.0);
  CHECK(plain.frames[1].place.number == 1.0);
  CHECK(header_with(position).frames[0].place.position == Vector3{1, 2, 3});

  Picture p;
  p.frames = 2;
  const Buffer groups = s.of({0x5200, 0x9229}, s.item(s.group({0x0020, 0x9113}, position))) +
                        s.of({0x5200, 0x9230}, s.item({}) + s.item({}));
  const ImageHeader shared =
      header_of(part10(kExplicit, picture_elements(p, kLittle) + groups +
                                      kLittle.element({0x7FE0, 0x0010}, "OW", Buffer(64))));
  CHECK(shared.frames[1].place.position == Vector3{1, 2, 3});
}

TEST_CASE("fewer groups than frames, and more, are borne") {
  const Sequences s{kLittle};
  for (const int count : {0, 1, 2, 3, 5}) {
    CAPTURE(count);
    Picture p;
    p.frames = 3;
    Buffer items;
    for (int f = 0; f < count; ++f) {
      items = items + s.item(s.group({0x0020, 0x9113}, s.ds({0x0020, 0x0032}, "1\\2\\3")));
    }
    const ImageHeader header =
        header_of(part10(kExplicit, picture_elements(p, kLittle) + s.of({0x5200, 0x9230}, items) +
                                        kLittle.element({0x7FE0, 0x0010}, "OW", Buffer(96))));
    REQUIRE(header.frames.size() == 3);
    for (int f = 0; f < 3; ++f) {
      CHECK(header.frames[static_cast<std::size_t>(f)].place.position.has_value() == (f < count));
    }
  }
}

TEST_CASE("numbers that are none are absent; a rescale that is none is refused") {
  const Sequences s{kLittle};
  for (const char* position :
       {"", "1\\2", R"(1\2\3\4)", "1\\2\\x", "1\\2\\nan", "1\\2\\inf", "1\\2\\1e999", "1\\\\3",
        R"(1\2\3\)", "1 2 3", "\\\\", "1\\2\\--3"}) {
    CAPTURE(position);
    CHECK_FALSE(header_with(s.ds({0x0020, 0x0032}, position)).frames[0].place.position);
  }
  for (const char* spacing : {"0\\1", "1\\-1", "0.5", "a\\b"}) {
    CAPTURE(spacing);
    CHECK_FALSE(header_with(s.ds({0x0028, 0x0030}, spacing)).frames[0].place.spacing_mm);
  }
  CHECK(header_with(s.ds({0x0028, 0x1053}, "0")).frames[0].slope == 1);
  CHECK(header_with(s.ds({0x0028, 0x1053}, "")).frames[0].slope == 1);
  check_refuses(ErrorCode::kMalformed, "RescaleSlope is no number", [&] {
    (void)header_with(s.ds({0x0028, 0x1053}, "one"));
  });
  check_refuses(ErrorCode::kMalformed, "RescaleIntercept is no number", [&] {
    (void)header_with(s.ds({0x0028, 0x1052}, "nan"));
  });
}

TEST_CASE("spacing is the patient's, else the detector's, else the scanned film's") {
  const Sequences s{kLittle};
  const Buffer imager = s.ds({0x0018, 0x1164}, "0.2\\0.3");
  const Buffer film = s.ds({0x0018, 0x2010}, "0.4\\0.5");
  using Spacing = std::array<double, 2>;
  CHECK(header_with(imager + film).frames[0].place.spacing_mm == Spacing{0.2, 0.3});
  CHECK(header_with(film).frames[0].place.spacing_mm == Spacing{0.4, 0.5});
  CHECK(header_with(imager + s.ds({0x0028, 0x0030}, "1\\2")).frames[0].place.spacing_mm ==
        Spacing{1, 2});
}

TEST_CASE("groups that are broken, or frames that are only claimed, are refused") {
  Picture p;
  p.frames = 2;
  const auto refused = [&](const Buffer& groups, const char* part) {
    const Buffer file = part10(kExplicit, picture_elements(p, kLittle) + groups +
                                              kLittle.element({0x7FE0, 0x0010}, "OW", Buffer(64)));
    check_refuses(ErrorCode::kMalformed, part, [&] { (void)header_of(file); });
  };
  refused(kLittle.element({0x5200, 0x9230}, "SQ", kLittle.us({0x0028, 0x0010}, 1)),
          "expected an item");
  refused(kLittle.element({0x5200, 0x9230}, "SQ", hex("FEFF00E0 10000000 0000")), "beyond");
  refused(kLittle.element({0x5200, 0x9230}, "SQ", hex("FEFF00E0 FFFFFFFF")), "cut off");
  refused(kLittle.element({0x5200, 0x9230}, "SQ", hex("FEFF00E0 04000000 28001000")), "cut off");

  // 16 million frames' headers would take 2 GB.
  for (const int frames : {100000, 16777216, 2147483647}) {
    CAPTURE(frames);
    check_refuses(ErrorCode::kMalformed, "NumberOfFrames is", [&] {
      Picture many;
      many.frames = frames;
      (void)header_of(picture_file(many, Buffer(64)));
    });
    check_refuses(ErrorCode::kMalformed, "NumberOfFrames is", [&] {
      Picture many;
      many.frames = frames;
      (void)header_of(encapsulated_file(many, "1.2.840.10008.1.2.5", {{}, Buffer(1000)}));
    });
  }
}

TEST_CASE("voxels are HU for CT, the stored type elsewhere, floats where those do not do") {
  using enum VoxelType;
  const ImageDescription u12 = image_of(16, 12, false);
  const ImageDescription u16 = image_of(16, 16, false);
  const ImageDescription s12 = image_of(16, 12, true);
  const ImageDescription s16 = image_of(16, 16, true);
  const ImageDescription u8 = image_of(8, 8, false);
  const ImageDescription s8 = image_of(8, 8, true);
  CHECK(voxel_type("CT", u12, rescaled(1, -1024)) == kInt16);
  CHECK(voxel_type("CT", s16, rescaled(1, 0)) == kInt16);
  CHECK(voxel_type("CT", s16, rescaled(1, -1024)) == kInt16);  // no HU below -32768 occurs
  CHECK(voxel_type("CT", s16, rescaled(1, 1)) == kFloat32);    // 32768 does not fit
  CHECK(voxel_type("CT", u16, rescaled(1, -1024)) == kFloat32);
  CHECK(voxel_type("CT", u16, rescaled(1, -32768)) == kFloat32);  // the other frame's 65535
  CHECK(voxel_type("CT", u12, rescaled(8, 0)) == kInt16);         // 4095 * 8 = 32760
  CHECK(voxel_type("CT", u12, rescaled(9, 0)) == kFloat32);
  CHECK(voxel_type("CT", u12, rescaled(0.5, 0)) == kFloat32);
  CHECK(voxel_type("CT", u8, rescaled(1, -100)) == kInt16);
  CHECK(voxel_type("CT", s8, rescaled(1, 0)) == kInt16);
  CHECK(voxel_type("MR", u12, rescaled(1, 0)) == kUint16);
  CHECK(voxel_type("MR", u12, rescaled(16, 0)) == kUint16);  // 4095 * 16 = 65520
  CHECK(voxel_type("MR", u12, rescaled(17, 0)) == kFloat32);
  CHECK(voxel_type("MR", u12, rescaled(1, -1)) == kFloat32);
  CHECK(voxel_type("MR", u16, rescaled(1, 0)) == kUint16);
  CHECK(voxel_type("MR", u16, rescaled(1, 1)) == kFloat32);
  CHECK(voxel_type("MR", s12, rescaled(-1, 0)) == kInt16);
  CHECK(voxel_type("MR", s16, rescaled(-1, 0)) == kFloat32);
  CHECK(voxel_type("PT", s16, rescaled(0.31, 0)) == kFloat32);
  CHECK(voxel_type("US", u8, rescaled(1, 0)) == kUint8);
  CHECK(voxel_type("US", s8, rescaled(1, 0)) == kInt8);
  CHECK(voxel_type("US", u8, rescaled(2, 0)) == kFloat32);
  CHECK(voxel_type("MR", u16, rescaled(1e300, 1e300)) == kFloat32);
  CHECK(voxel_type("MR", u16, {}) == kUint16);
  // Colour is never rescaled.
  CHECK(voxel_type("US", image_of(8, 8, false, 3), rescaled(0.5, 1)) == kUint8);
  CHECK(voxel_type("CT", image_of(16, 16, false, 3), rescaled(2, 1)) == kUint16);
  for (ImageDescription image : {u8, u16, s16}) {
    image.photometric = "PALETTE COLOR";
    CHECK(voxel_type("CT", image, rescaled(0.5, 1)) == kUint8);
    CHECK(voxel_samples(image) == 3);
  }
  CHECK(voxel_samples(u8) == 1);
  CHECK(voxel_samples(image_of(8, 8, false, 3)) == 3);
}
