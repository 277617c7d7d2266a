#include <doctest/doctest.h>

#include "transcoding.h"

using namespace spinekit;
using namespace spinekit::testing;

TEST_CASE("the file ratio is what was asked for, never below, from one encode") {
  for (const int side : {192, 320, 512}) {
    const Picture picture = square(side);
    const Buffer source = picture_file(picture, scan(picture, 64));
    for (const double ratio : {4.0, 7.5, 10.0, 20.0}) {
      CAPTURE(side);
      CAPTURE(ratio);
      const Result result = run(source, to_ratio(ratio));
      REQUIRE_FALSE(result.report.lossless);
      const double reached =
          static_cast<double>(source.size()) / static_cast<double>(result.file.size());
      CHECK(reached >= ratio);
      // A file is even: where that alone is more than 0.05 %, two bytes are granted.
      const double two_bytes = 2.0 * ratio * ratio / static_cast<double>(source.size());
      CHECK(reached <= ratio * 1.0005 + two_bytes);
      CHECK(result.report.encodes == 1);
      CHECK(result.report.verified);
      CHECK(result.file.size() % 2 == 0);
    }
  }
}

TEST_CASE("the ratio holds for many frames and for colour") {
  Picture colour = square(160);
  colour.bits_allocated = colour.bits_stored = 8;
  colour.samples = 3;
  colour.photometric = "RGB";
  colour.planar = 1;
  for (const Picture& picture : {square(96, 9), colour}) {
    const Buffer source = picture_file(picture, scan(picture, 32));
    const Result result = run(source, to_ratio(8));
    const double reached =
        static_cast<double>(source.size()) / static_cast<double>(result.file.size());
    CHECK_FALSE(result.report.lossless);
    CHECK(reached >= 8);
    CHECK(reached <= 8 * 1.0005 + 0.01);
  }
}

TEST_CASE("a lossy file says so (PS3.3 C.7.6.1.1.5)") {
  Picture picture = square(256);
  const Buffer source = picture_file(picture, scan(picture, 64));
  const Result result = run(source, to_ratio(10));
  const DataSet data_set(result.file);
  CHECK(data_set.syntax().uid == kLossyUid);
  CHECK(data_set.text({0x0008, 0x0008}) == "DERIVED\\PRIMARY\\AXIAL");
  CHECK(data_set.text({0x0028, 0x2110}) == "01");
  CHECK(data_set.text({0x0028, 0x2114}) == "ISO_15444_1");
  const double pixel_ratio =
      256.0 * 256 * 2 / static_cast<double>(result.report.target_pixel_bytes);
  CHECK(std::stod(data_set.text({0x0028, 0x2112})) == doctest::Approx(pixel_ratio).epsilon(1e-4));
  const std::string uid = data_set.text({0x0008, 0x0018});
  CHECK(uid != "1.2.826.0.1.1");
  CHECK(uid == data_set.text({0x0002, 0x0003}));
  CHECK(uid == result.report.target_sop_instance_uid);
  CHECK(result.report.source_sop_instance_uid == "1.2.826.0.1.1");
  CHECK(result.report.derived);
  for (const Tag tag : {Tag{0x0008, 0x2112}, Tag{0x0008, 0x9215}}) {
    REQUIRE(data_set.find(tag) != nullptr);
    CHECK(data_set.find(tag)->vr == Vr("SQ"));
  }
  CHECK(data_set.text({0x0008, 0x2111}).find("test: JPEG 2000 irreversible") == 0);
  // The same request gives the same file, another one another UID.
  CHECK(run(source, to_ratio(10)).file == result.file);
  CHECK(run(source, to_ratio(12)).report.target_sop_instance_uid != uid);

  // A second lossy step is appended in matching order.
  const Result twice = run(result.file, to_quality(40));
  const DataSet second(twice.file);
  CHECK(second.text({0x0028, 0x2114}) == "ISO_15444_1\\ISO_15444_1");
  CHECK(second.text({0x0028, 0x2112}).starts_with(data_set.text({0x0028, 0x2112}) + "\\"));
  CHECK(second.text({0x0008, 0x2111}).find("; test: ") != std::string::npos);
}

TEST_CASE("a lossy source without LossyImageCompression gets it when its syntax would hide it") {
  Picture picture = square(64);
  const Result lossy = run(picture_file(picture, scan(picture)), to_quality(50));
  const DataSet data_set(lossy.file);
  const Bytes value = data_set.value(*data_set.find({0x7FE0, 0x0010}));
  const Buffer codestream = copy_of(value.subspan(16));
  const Buffer silent = encapsulated_file(picture, kLossyUid, {{}, codestream});
  const Result native = run(silent, to_native());
  const DataSet said(native.file);
  CHECK(said.text({0x0028, 0x2110}) == "01");
  CHECK(said.text({0x0028, 0x2114}) == "ISO_15444_1");
  CHECK(said.text({0x0008, 0x0018}) == "1.2.826.0.1.1");
  CHECK(pixels_of(native.file) == pixels_of(silent));
}

TEST_CASE("existing source sequences are kept in front; what is no sequence is refused") {
  Picture picture = square(64);
  const Encoder e;
  const Buffer item =
      e.item(e.text({0x0008, 0x1150}, "UI", "1.2") + e.text({0x0008, 0x1155}, "UI", "1.3"));
  const TranscodeOptions options = to_quality(50);
  for (const bool undefined : {false, true}) {
    picture.extra = undefined ? e.undefined({0x0008, 0x2112}, "SQ", item)
                              : e.element({0x0008, 0x2112}, "SQ", item);
    const Result result = run(picture_file(picture, scan(picture)), options);
    const DataSet data_set(result.file);
    const Bytes value = data_set.value(*data_set.find({0x0008, 0x2112}));
    REQUIRE(value.size() > item.size());
    CHECK(copy_of(value.first(item.size())) == item);
    CHECK(copy_of(value.subspan(item.size(), 4)) == hex("FEFF00E0"));
  }
  for (const Buffer& wrong :
       {e.text({0x0008, 0x2112}, "LO", "X"), e.element({0x0008, 0x2112}, "UN", item)}) {
    picture.extra = wrong;
    check_refused(ErrorCode::kUnsupported, "(0008,2112)", picture_file(picture, scan(picture)),
                  options);
  }
}

TEST_CASE("an enhanced object's derivation is a functional group, and no group is lost") {
  Picture picture = square(32, 2);
  const Encoder e;
  const Buffer measures =
      e.element({0x0028, 0x9110}, "SQ", e.item(e.text({0x0018, 0x0050}, "DS", "2.5")));
  const auto derivation_tags = [](const DataSet& data_set) {
    std::vector<Tag> found;
    for (const Tag tag : {Tag{0x0008, 0x2112}, Tag{0x0008, 0x9154}, Tag{0x0008, 0x9215}}) {
      if (data_set.find(tag) != nullptr) found.push_back(tag);
    }
    return found;
  };
  const auto lossy = [&](const Buffer& items, bool undefined) {
    const Buffer groups = undefined ? e.undefined({0x5200, 0x9229}, "SQ", items)
                                    : e.element({0x5200, 0x9229}, "SQ", items);
    const Buffer pixels = scan(picture);
    return run(part10(kExplicit, picture_elements(picture, e) + groups +
                                     e.element({0x7FE0, 0x0010}, "OW", pixels)),
               to_quality(50));
  };
  for (const bool undefined : {false, true}) {
    const Result result =
        lossy(undefined ? e.undefined_item(measures) : e.item(measures), undefined);
    const DataSet data_set(result.file);
    CHECK(derivation_tags(data_set) == std::vector<Tag>{{0x0008, 0x9154}});
    const Buffer groups = copy_of(data_set.value(*data_set.find({0x5200, 0x9229})));
    // DerivationImageSequence in front, as tags ascend within the item; PixelMeasures behind it.
    REQUIRE(groups.size() > 12 + measures.size());
    CHECK(copy_of(Bytes(groups).subspan(8, 6)) == hex("08002491 5351"));
    CHECK(copy_of(Bytes(groups).last(measures.size())) == measures);
  }
  const Buffer two = e.undefined_item(measures) + e.undefined_item(measures);
  const Result result = lossy(two, true);
  const DataSet data_set(result.file);
  CHECK(derivation_tags(data_set) == std::vector<Tag>{{0x0008, 0x2112}, {0x0008, 0x9215}});
  CHECK(copy_of(data_set.value(*data_set.find({0x5200, 0x9229}))) == two);
}

TEST_CASE("a ratio that lossless meets is kept lossless, unless told otherwise") {
  const Picture picture = square(128);
  const Buffer source = picture_file(picture, Buffer(std::size_t{128} * 128 * 2, 7));
  const Result result = run(source, to_ratio(10));
  CHECK(result.report.lossless);
  CHECK(result.report.target_transfer_syntax == kLosslessUid);
  CHECK(source.size() >= 10 * result.file.size());
  TranscodeOptions forced = to_ratio(10);
  forced.force_lossy = true;
  const Result lossy = run(source, forced);
  CHECK_FALSE(lossy.report.lossless);
  CHECK(lossy.report.target_transfer_syntax == kLossyUid);
}

TEST_CASE("a palette's indices are never coded with loss") {
  Picture picture = square(64);
  picture.bits_allocated = picture.bits_stored = 8;
  picture.photometric = "PALETTE COLOR";
  const Buffer source = picture_file(picture, scan(picture, 200));
  check_refused(ErrorCode::kUnsupported, "PALETTE", source, to_ratio(20));
  check_refused(ErrorCode::kUnsupported, "PALETTE", source, to_quality(80));
}

TEST_CASE("quality is a PSNR over the allocated range, as gdcmconv's") {
  const Picture picture = square(128);
  const Buffer source = picture_file(picture, scan(picture, 64));
  const Result result = run(source, to_quality(70));
  CHECK_FALSE(result.report.lossless);
  CHECK(result.report.differences.psnr(65535) >= 69.5);
  CHECK(result.report.structural_similarity > 0.9);
  CHECK(result.report.structural_similarity < 1);
}
