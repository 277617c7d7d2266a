#include "spinekit/transcode.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "atomic_file.h"
#include "derivation.h"
#include "element_scanner.h"
#include "encapsulation.h"
#include "frame_store.h"
#include "proof.h"
#include "spinekit/error.h"
#include "spinekit/sha256.h"
#include "stored_range.h"

namespace spinekit {
namespace {

constexpr std::string_view kJ2kLosslessUid = "1.2.840.10008.1.2.4.90";
constexpr std::string_view kJpegLsLosslessUid = "1.2.840.10008.1.2.4.80";
constexpr std::string_view kHtj2kLosslessUid = "1.2.840.10008.1.2.4.202";
constexpr std::string_view kJ2kUid = "1.2.840.10008.1.2.4.91";
constexpr std::string_view kExplicitLittleEndianUid = "1.2.840.10008.1.2.1";
constexpr std::string_view kJ2kMethod = "ISO_15444_1";
constexpr std::string_view kRct = "YBR_RCT";
constexpr std::string_view kIct = "YBR_ICT";
constexpr std::int64_t kPaddingHeaderBytes = 12;

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

std::int64_t size_of(const Buffer& bytes) { return static_cast<std::int64_t>(bytes.size()); }

std::string short_number(double value) {
  std::string text = decimal_string(value);
  while (text.find('.') != std::string::npos && (text.back() == '0' || text.back() == '.')) {
    const bool point = text.back() == '.';
    text.pop_back();
    if (point) break;
  }
  return text;
}

// The file around the pixel data.
struct Envelope {
  Edits edits;  // what was meant to change
  Buffer head;  // preamble, meta header, elements up to the pixel data
  Buffer tail;  // elements behind it
};

constexpr Tag kIconImageSequence{0x0088, 0x0200};

// An icon may be encapsulated, then in the codec of the whole file (PS3.5 A.4).
bool holds_encapsulated_icon(const DataSet& data_set) {
  const Element* icon = data_set.find(kIconImageSequence);
  if (icon == nullptr || !data_set.syntax().encapsulated()) return false;
  constexpr std::array<std::uint8_t, 12> kEncapsulated{0xE0, 0x7F, 0x10, 0x00, 'O',  'B',
                                                       0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF};
  const Bytes value = data_set.value(*icon);
  return std::search(value.begin(), value.end(), kEncapsulated.begin(), kEncapsulated.end()) !=
         value.end();
}

class Job {
 public:
  Job(Bytes source, const std::string& target_path, const TranscodeOptions& options,
      Executor& executor, const CancelToken& cancel)
      : source_(source),
        target_path_(target_path),
        options_(options),
        executor_(executor),
        cancel_(cancel),
        data_set_(source),
        image_(describe_image(data_set_)),
        reader_(data_set_, image_),
        store_(data_set_, reader_, image_.frames, executor, cancel) {}

  Transcoded run() {
    describe_source();
    switch (options_.target) {
      case Target::kNative:
        native();
        break;
      case Target::kJ2kLossless:
        lossless(lossless_envelope(), encode({.reversible = true}), kJ2kLosslessUid);
        break;
      case Target::kHtj2kLossless:
        lossless(envelope(pixel_edits(kRct), kHtj2kLosslessUid, image_.sop_instance_uid),
                 encode_with([this](Bytes frame) {
                   return encode_htj2k(frame, store_.format(), color_transform());
                 }),
                 kHtj2kLosslessUid);
        break;
      case Target::kJpegLsLossless:
        lossless(envelope(pixel_edits({}), kJpegLsLosslessUid, image_.sop_instance_uid),
                 encode_with([this](Bytes frame) { return encode_jpegls(frame, store_.format()); }),
                 kJpegLsLosslessUid);
        break;
      case Target::kJ2kQuality:
        refuse_lossy_palette();
        quality();
        break;
      case Target::kJ2kRatio:
        ratio();
        break;
    }
    return std::move(result_);
  }

 private:
  // ---- what is known before any work

  void describe_source() {
    const FrameFormat& format = store_.format();
    result_.source_transfer_syntax = data_set_.syntax().uid;
    result_.source_sop_instance_uid = image_.sop_instance_uid;
    result_.target_sop_instance_uid = image_.sop_instance_uid;
    result_.photometric = reader_.photometric();
    result_.rows = format.rows;
    result_.columns = format.columns;
    result_.frames = image_.frames;
    result_.samples = format.samples;
    result_.bits_stored = format.bits_stored;
    result_.is_signed = format.is_signed;
    result_.source_bytes = static_cast<std::int64_t>(source_.size());
    result_.pixel_bytes = format.byte_count() * image_.frames;
    result_.source_sha256 = sha256_hex(source_);
    result_.warnings = store_.warnings();
    if (data_set_.find({0xFFFA, 0xFFFA}) != nullptr) {
      result_.warnings.emplace_back(
          "digital signatures (FFFA,FFFA) are carried over but no longer valid");
    }
    past_lossy_method_ = reader_.lossy_method();
    result_.source_lossy = was_lossy();
    has_encapsulated_icon_ = holds_encapsulated_icon(data_set_);
    if (has_encapsulated_icon_) {
      result_.warnings.emplace_back(
          "the icon image (0088,0200) is left out: it is compressed for the source's transfer "
          "syntax");
    }
  }

  void refuse_lossy_palette() const {
    if (image_.palette()) {
      throw_unsupported(
          "PALETTE COLOR: a lossy codec would mix up the palette's indices; compress without loss");
    }
  }

  [[nodiscard]] bool was_lossy() const {
    return !past_lossy_method_.empty() || data_set_.text({0x0028, 0x2110}) == "01";
  }

  [[nodiscard]] bool color_transform() const { return reader_.photometric() == "RGB"; }

  // ---- headers

  // `transformed` is the photometric interpretation of RGB behind the codec's colour transform.
  [[nodiscard]] Edits pixel_edits(std::string_view transformed) const {
    Edits edits;
    const FrameFormat& format = store_.format();
    const auto put = [&](Tag tag, NewElement element) { edits.elements[tag] = std::move(element); };
    std::string photometric = reader_.photometric();
    if (!transformed.empty() && color_transform()) photometric = transformed;
    if (photometric != data_set_.text({0x0028, 0x0004})) {
      put({0x0028, 0x0004}, text_element(Vr("CS"), photometric));
    }
    if (format.samples > 1 && data_set_.integer({0x0028, 0x0006}).value_or(-1) != 0) {
      put({0x0028, 0x0006}, uint16_element(0));
    }
    if (format.bits_stored != image_.format.bits_stored) {
      put({0x0028, 0x0101}, uint16_element(static_cast<std::uint16_t>(format.bits_stored)));
      put({0x0028, 0x0102}, uint16_element(static_cast<std::uint16_t>(format.bits_stored - 1)));
    }
    if (has_encapsulated_icon_) edits.elements[kIconImageSequence] = std::nullopt;
    for (const Tag tag : {kPixelData, Tag{0x7FE0, 0x0001}, Tag{0x7FE0, 0x0002}, kTrailingPadding}) {
      edits.elements[tag] = std::nullopt;
    }
    if (!past_lossy_method_.empty()) {
      admit_past_loss(
          data_set_, past_lossy_method_,
          static_cast<double>(result_.pixel_bytes) / static_cast<double>(reader_.stored_bytes()),
          edits);
    }
    return edits;
  }

  [[nodiscard]] Envelope envelope(Edits edits, std::string_view syntax_uid,
                                  const std::string& sop_instance_uid) const {
    Envelope parts{.edits = std::move(edits), .head = {}, .tail = {}};
    parts.head = file_head(data_set_, std::string(syntax_uid), sop_instance_uid);
    append_elements(data_set_, parts.edits, {0, 0}, kPixelData, parts.head);
    append_elements(data_set_, parts.edits, kPixelData, {0xFFFF, 0xFFFF}, parts.tail);
    return parts;
  }

  [[nodiscard]] LossyStep lossy_step(double pixel_ratio, const std::string& how) const {
    LossyStep step;
    step.pixel_ratio = pixel_ratio;
    step.method = kJ2kMethod;
    step.description = options_.software + ": JPEG 2000 irreversible (9/7), " + how +
                       ", pixel data ratio " + decimal_string(pixel_ratio);
    // The same for the same work, another for anything that could change the pixels.
    std::string work = "lossy " + image_.sop_instance_uid + " " + result_.source_sha256 + " " +
                       options_.software + " " + std::to_string(options_.ratio) + " " +
                       std::to_string(options_.quality);
    for (const auto& [library, version] : codec_versions()) {
      work.append(" ").append(library).append(version);
    }
    step.sop_instance_uid = uid_from(work);
    return step;
  }

  [[nodiscard]] Envelope lossy_envelope(const LossyStep& step) const {
    Edits edits = pixel_edits(kIct);
    describe_lossy_step(data_set_, step, was_lossy(), edits);
    return envelope(std::move(edits), kJ2kUid, step.sop_instance_uid);
  }

  [[nodiscard]] Envelope lossless_envelope() const {
    return envelope(pixel_edits(kRct), kJ2kLosslessUid, image_.sop_instance_uid);
  }

  // ---- encoding

  std::vector<Buffer> encode(J2kEncoding encoding) {
    encoding.color_transform = color_transform();
    return encode_with([&](Bytes frame) { return encode_j2k(frame, store_.format(), encoding); });
  }

  template <typename Encode>
  std::vector<Buffer> encode_with(const Encode& encode_frame) {
    const Stopwatch watch;
    std::vector<Buffer> codestreams(static_cast<std::size_t>(store_.frames()));
    for_each_frame(0, store_.frames(), executor_, cancel_, [&](std::int64_t index) {
      Buffer scratch;
      codestreams[static_cast<std::size_t>(index)] = encode_frame(store_.get(index, scratch));
    });
    ++result_.encodes;
    result_.encode_seconds += watch.seconds();
    return codestreams;
  }

  static std::int64_t payload(const std::vector<Buffer>& codestreams) {
    std::int64_t total = 0;
    for (const Buffer& codestream : codestreams) total += size_of(codestream);
    return total;
  }

  static std::int64_t encapsulated_bytes(const std::vector<Buffer>& codestreams) {
    std::int64_t padded = 0;
    for (const Buffer& codestream : codestreams) {
      padded += size_of(codestream) + size_of(codestream) % 2;
    }
    return Encapsulation::total_bytes(static_cast<std::int64_t>(codestreams.size()), padded);
  }

  [[nodiscard]] double pixel_ratio(const std::vector<Buffer>& codestreams) const {
    return static_cast<double>(result_.pixel_bytes) / static_cast<double>(payload(codestreams));
  }

  // ---- the targets

  void lossless(const Envelope& parts, const std::vector<Buffer>& codestreams,
                std::string_view syntax_uid) {
    result_.lossless = true;
    write_encapsulated(parts, codestreams, syntax_uid, 0);
  }

  void quality() {
    // gdcmconv's scale: a PSNR in dB over the whole allocated range, here over the stored one.
    const FrameFormat& format = store_.format();
    const double narrower = 20 * std::log10((std::exp2(format.bits_stored) - 1) /
                                            (std::exp2(format.bits_allocated) - 1));
    const std::vector<Buffer> codestreams =
        encode({.reversible = false, .quality = std::max(options_.quality + narrower, 1.0)});
    const std::string how = "quality " + short_number(options_.quality);
    write_lossy(codestreams, how, 0);
  }

  void ratio() {
    const auto source_bytes = static_cast<double>(result_.source_bytes);
    std::int64_t allowed =
        static_cast<std::int64_t>(source_bytes / options_.ratio) & ~std::int64_t{1};
    // The division may have rounded up to a whole number.
    if (static_cast<double>(allowed) * options_.ratio > source_bytes) allowed -= 2;
    if (!options_.force_lossy && lossless_may_fit(allowed)) {
      const std::vector<Buffer> codestreams = encode({.reversible = true});
      const Envelope parts = lossless_envelope();
      if (size_of(parts.head) + encapsulated_bytes(codestreams) + size_of(parts.tail) <= allowed) {
        lossless(parts, codestreams, kJ2kLosslessUid);
        return;
      }
    }
    refuse_lossy_palette();
    const std::string how = "file ratio " + short_number(options_.ratio);
    // As long as the numbers in it can get, so that the real one is never longer.
    constexpr double kWidestNumber = 999999.9999;
    const Envelope widest = lossy_envelope(lossy_step(kWidestNumber, how));
    const std::int64_t frames = store_.frames();
    const std::int64_t fixed = size_of(widest.head) + size_of(widest.tail) +
                               Encapsulation::total_bytes(frames, 0) + kPaddingHeaderBytes;
    // OpenJPEG's rate control ends up to 15 bytes above what it was asked for; one more for parity.
    constexpr std::int64_t kReserve = 24;
    // Below this a codestream is hardly more than its markers.
    constexpr std::int64_t kLeastCodestream = 256;
    std::int64_t budget = (allowed - fixed) / frames - kReserve;
    if (allowed - fixed < frames * (kLeastCodestream + kReserve)) unreachable(allowed, fixed);
    constexpr int kMostAttempts = 4;
    for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
      const std::vector<Buffer> codestreams = encode({.reversible = false, .target_bytes = budget});
      const std::int64_t least_total =
          fixed - Encapsulation::total_bytes(frames, 0) + encapsulated_bytes(codestreams);
      if (least_total <= allowed) {
        write_lossy(codestreams, how, allowed);
        return;
      }
      budget -= (least_total - allowed) / frames + kReserve;
      if (budget < kLeastCodestream) break;
    }
    unreachable(allowed, fixed);
  }

  [[noreturn]] void unreachable(std::int64_t allowed, std::int64_t fixed) const {
    constexpr std::int64_t kRoom = 1024;
    const double reachable = static_cast<double>(result_.source_bytes) /
                             static_cast<double>(fixed + kRoom * store_.frames());
    std::string message = "ratio " + short_number(options_.ratio) + " leaves " +
                          std::to_string(allowed) + " bytes, the header alone takes " +
                          std::to_string(fixed);
    if (reachable >= 1.1) {
      message += "; try a ratio of " + short_number(std::floor(reachable * 10) / 10) + " or less";
    } else {
      message += "; compress this file without loss";
    }
    throw_argument(message);
  }

  // Whether a lossless encode is worth trying: it takes as long as the lossy one.
  [[nodiscard]] bool lossless_may_fit(std::int64_t allowed) const {
    if (image_.palette()) return true;
    // How far below that entropy J2K got on real files: 0.927; 0.79 where pictures were smoothed by a
    // loss before, 0.65 in colour.
    const double best_case = store_.format().samples == 3 ? 0.6 : was_lossy() ? 0.77 : 0.92;
    constexpr std::int64_t kProbes = 5;
    const std::int64_t probes = std::min(kProbes, store_.frames());
    double bytes = 0;
    for (std::int64_t i = 0; i < probes; ++i) {
      Buffer scratch;
      const std::int64_t index = (2 * i + 1) * store_.frames() / (2 * probes);
      bytes += predicted_lossless_bytes(store_.get(index, scratch), store_.format());
    }
    const double all = bytes / static_cast<double>(probes) * static_cast<double>(store_.frames());
    return all * best_case <= static_cast<double>(allowed);
  }

  void write_lossy(const std::vector<Buffer>& codestreams, const std::string& how,
                   std::int64_t exact_bytes) {
    const LossyStep step = lossy_step(pixel_ratio(codestreams), how);
    result_.lossless = false;
    result_.derived = true;
    result_.target_sop_instance_uid = step.sop_instance_uid;
    write_encapsulated(lossy_envelope(step), codestreams, kJ2kUid, exact_bytes);
  }

  void native() {
    const FrameFormat& format = store_.format();
    const std::int64_t bytes = result_.pixel_bytes;
    if (bytes >= std::int64_t{kUndefinedLength} - 1) {
      throw_unsupported("decompressed pixel data of " + std::to_string(bytes) +
                        " bytes does not fit one element (4 GB); leave it compressed");
    }
    Envelope parts = envelope(pixel_edits({}), kExplicitLittleEndianUid, image_.sop_instance_uid);
    append_header(kPixelData, format.bits_allocated > 8 ? Vr("OW") : Vr("OB"),
                  static_cast<std::uint32_t>(bytes + bytes % 2), parts.head);
    result_.target_pixel_bytes = bytes;
    result_.target_transfer_syntax = kExplicitLittleEndianUid;
    put_in_place(parts.edits, [&](const auto& write) {
      write(parts.head);
      Buffer scratch;
      for (std::int64_t index = 0; index < store_.frames(); ++index) {
        cancel_.check();
        write(store_.get(index, scratch));
      }
      if (bytes % 2 != 0) write(Buffer(1, 0));
      write(parts.tail);
    });
  }

  // exact_bytes > 0: the file is filled up to it with DataSetTrailingPadding (PS3.10 7.2).
  void write_encapsulated(const Envelope& parts, const std::vector<Buffer>& codestreams,
                          std::string_view syntax_uid, std::int64_t exact_bytes) {
    std::vector<std::int64_t> sizes;
    sizes.reserve(codestreams.size());
    for (const Buffer& codestream : codestreams) sizes.push_back(size_of(codestream));
    const Encapsulation encapsulation(sizes);
    Buffer padding;
    if (exact_bytes > 0) {
      const std::int64_t gap =
          exact_bytes - size_of(parts.head) - size_of(parts.tail) - encapsulation.total_bytes();
      if (gap >= kPaddingHeaderBytes) {
        const std::int64_t zeros = (gap - kPaddingHeaderBytes) & ~std::int64_t{1};
        append_element(kTrailingPadding, {Vr("OB"), Buffer(static_cast<std::size_t>(zeros), 0)},
                       padding);
      }
    }
    result_.padding_bytes = size_of(padding);
    result_.target_pixel_bytes = payload(codestreams);
    result_.target_transfer_syntax = syntax_uid;
    put_in_place(parts.edits, [&](const auto& write) {
      write(parts.head);
      write(encapsulation.head());
      for (const Buffer& codestream : codestreams) {
        write(Encapsulation::fragment_header(size_of(codestream)));
        write(codestream);
        if (codestream.size() % 2 != 0) write(Buffer(1, 0));
      }
      write(Encapsulation::sequence_end());
      write(parts.tail);
      write(padding);
    });
  }

  // ---- writing and proof

  template <typename Produce>
  void put_in_place(const Edits& named, const Produce& produce) {
    const Stopwatch watch;
    AtomicFile file(target_path_);
    Sha256 hash;
    produce([&](Bytes bytes) {
      file.write(bytes);
      hash.update(bytes);
      result_.target_bytes += static_cast<std::int64_t>(bytes.size());
    });
    result_.target_sha256 = hash.hex();
    result_.write_seconds = watch.seconds();
    cancel_.check();
    file.flush();
    if (options_.verify) verify(file, named);
    file.commit(options_.overwrite);
  }

  void verify(const AtomicFile& file, const Edits& named) {
    const Stopwatch watch;
    const Buffer back = file.read_back();
    if (sha256_hex(back) != result_.target_sha256) {
      throw_not_proved("the bytes on disk are not the bytes that were written");
    }
    Proof proof = prove(back, data_set_, store_, named, result_.lossless, executor_, cancel_);
    result_.differences = proof.differences;
    result_.structural_similarity = proof.structural_similarity;
    result_.pixel_sha256 = std::move(proof.pixel_sha256);
    result_.verified = true;
    result_.verify_seconds = watch.seconds();
  }

  Bytes source_;
  const std::string& target_path_;
  const TranscodeOptions& options_;
  Executor& executor_;
  const CancelToken& cancel_;
  DataSet data_set_;
  ImageDescription image_;
  FrameReader reader_;
  FrameStore store_;
  std::string past_lossy_method_;
  bool has_encapsulated_icon_ = false;
  Transcoded result_;
};

void check(const TranscodeOptions& options) {
  if (options.target == Target::kJ2kRatio && !(options.ratio > 1 && options.ratio <= 10000)) {
    throw_argument("ratio is " + short_number(options.ratio) +
                   ", expected more than 1, at most 10000");
  }
  if (options.target == Target::kJ2kQuality && !(options.quality >= 1 && options.quality <= 100)) {
    throw_argument("quality is " + short_number(options.quality) + ", expected 1 to 100");
  }
}

}  // namespace

Transcoded transcode(Bytes source, const std::string& source_name, const std::string& target_path,
                     const TranscodeOptions& options, Executor& executor,
                     const CancelToken& cancel) {
  check(options);
  return with_name(source_name,
                   [&] { return Job(source, target_path, options, executor, cancel).run(); });
}

}  // namespace spinekit
