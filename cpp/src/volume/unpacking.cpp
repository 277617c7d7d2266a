#include "unpacking.h"

#include <libdeflate.h>

#include <algorithm>
#include <memory>

#include "entry_checks.h"
#include "spinekit/error.h"
#include "zip_format.h"

namespace spinekit {
namespace {

void require_method(int method) {
  if (method != kStoredMethod && method != kDeflatedMethod) {
    throw_unsupported("entry packed by method " + std::to_string(method) +
                      ", only 0 (stored) and 8 (deflated) can be read");
  }
}

// Hands what `raw` unpacks to to `receive` until that returns false; whether the data came to its
// end.
template <typename Receive>
bool inflate_into(Bytes raw, const Receive& receive) {
  Inflater inflater;
  while (true) {
    const Inflater::Step step = inflater.step(raw);
    raw = raw.subspan(static_cast<std::size_t>(step.taken));
    if (!receive(step.output)) return false;
    if (step.status == Inflater::Status::kDamaged) throw_malformed("damaged deflated data");
    if (step.status == Inflater::Status::kEnd) return raw.empty();
    if (raw.empty() && !step.output_full) return false;
  }
}

struct DecompressorDeleter {
  void operator()(libdeflate_decompressor* self) const { libdeflate_free_decompressor(self); }
};

// A whole entry in one go, several times as fast as in steps; nothing where anything is not as it
// should be, for the steps to say what.
std::optional<Buffer> inflated_at_once(Bytes raw, std::int64_t size, std::uint32_t crc) {
  // No deflated byte makes more than 1032 (two bits for 258 bytes each).
  constexpr std::int64_t kMostExpansion = 1032;
  if (size > kMostExpansion * static_cast<std::int64_t>(raw.size())) return std::nullopt;
  const std::unique_ptr<libdeflate_decompressor, DecompressorDeleter> decompressor(
      libdeflate_alloc_decompressor());
  if (!decompressor) return std::nullopt;
  Buffer out(static_cast<std::size_t>(size));
  std::size_t taken = 0;
  std::size_t made = 0;
  const libdeflate_result result = libdeflate_deflate_decompress_ex(
      decompressor.get(), raw.data(), raw.size(), out.data(), out.size(), &taken, &made);
  if (result != LIBDEFLATE_SUCCESS || taken != raw.size() || made != out.size() ||
      libdeflate_crc32(0, out.data(), out.size()) != crc) {
    return std::nullopt;
  }
  return out;
}

}  // namespace

Inflater::Inflater() {
  if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) throw_resource("zlib gave no decoder");
}

Inflater::~Inflater() { inflateEnd(&stream_); }

void Inflater::restart() { inflateReset(&stream_); }

Inflater::Step Inflater::step(Bytes input) {
  const std::size_t offered = std::min<std::size_t>(input.size(), 1U << 30U);
  // zlib's interface is not const-correct; it does not write here.
  stream_.next_in = const_cast<Bytef*>(input.data());
  stream_.avail_in = static_cast<uInt>(offered);
  stream_.next_out = scratch_.data();
  stream_.avail_out = static_cast<uInt>(scratch_.size());
  const int result = inflate(&stream_, Z_NO_FLUSH);
  if (result == Z_MEM_ERROR) throw_resource("not enough memory to inflate");
  Step step{};
  step.status = Status::kDamaged;
  if (result == Z_OK || result == Z_BUF_ERROR) step.status = Status::kMore;
  if (result == Z_STREAM_END) step.status = Status::kEnd;
  step.taken = static_cast<std::int64_t>(offered - stream_.avail_in);
  step.output = Bytes(scratch_.data(), scratch_.size() - stream_.avail_out);
  step.output_full = stream_.avail_out == 0;
  return step;
}

void UnpackedBytes::take(Bytes bytes, std::optional<std::int64_t> expected) {
  // What was announced is believed a step at a time: room for 4 times what came costs a third of a
  // copy in all, and pages that stay empty are not taken from the system.
  constexpr std::size_t kFirstRoom = std::size_t{1} << 20U;
  if (bytes.empty()) return;
  crc_ = static_cast<std::uint32_t>(crc32_z(crc_, bytes.data(), bytes.size()));
  count_ += static_cast<std::int64_t>(bytes.size());
  if (dropped_) return;
  const std::size_t needed = bytes_.size() + bytes.size();
  if (expected && needed > bytes_.capacity()) {
    const std::size_t room = std::max(kFirstRoom, 4 * bytes_.size());
    bytes_.reserve(std::max(needed, std::min(room, static_cast<std::size_t>(*expected))));
  }
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void UnpackedBytes::drop() {
  dropped_ = true;
  bytes_ = Buffer();
}

Buffer unpack_entry(Bytes raw, int method, std::int64_t size, std::uint32_t crc,
                    const ZipLimits& limits) {
  check_limits(limits);
  require_method(method);
  const auto packed = static_cast<std::int64_t>(raw.size());
  const std::int64_t most =
      method == kStoredMethod ? limits.most_entry_bytes : most_unpacked_bytes(packed, limits);
  if (size < 0) throw_argument("the size of an entry is " + std::to_string(size));
  if (size > most) {
    throw_malformed("claims " + std::to_string(size) + " bytes, at most " + std::to_string(most) +
                    " are allowed for " + std::to_string(packed) + " packed bytes");
  }
  if (method == kDeflatedMethod && size <= limits.always_allowed) {
    if (auto whole = inflated_at_once(raw, size, crc)) return *std::move(whole);
  }
  UnpackedBytes out;
  // Files of no bytes are "deflated" to none by some writers.
  if (method == kStoredMethod || packed == 0) {
    if (packed == size) out.take(raw, size);
  } else {
    const bool ended = inflate_into(raw, [&](Bytes bytes) {
      out.take(bytes, size);
      return out.count() <= size;
    });
    if (out.count() > size) {
      throw_malformed("unpacks to more than the expected " + std::to_string(size) + " bytes");
    }
    if (!ended) {
      throw_malformed("deflated data do not end with their " + std::to_string(packed) + " bytes");
    }
  }
  const std::int64_t got = method == kStoredMethod ? packed : out.count();
  if (got != size) {
    throw_malformed("unpacks to " + std::to_string(got) + " bytes, expected " +
                    std::to_string(size));
  }
  if (out.crc() != crc) {
    throw_malformed("CRC " + hex_crc(out.crc()) + ", expected " + hex_crc(crc));
  }
  return out.release();
}

Buffer unpack_prefix(Bytes raw_prefix, int method, std::int64_t want) {
  require_method(method);
  if (want < 0) throw_argument(std::to_string(want) + " bytes were wanted");
  UnpackedBytes out;
  const auto take = [&](Bytes bytes) {
    const std::int64_t left = want - out.count();
    out.take(bytes.first(std::min(bytes.size(), static_cast<std::size_t>(left))), want);
    return out.count() < want;
  };
  if (method == kStoredMethod) {
    take(raw_prefix);
  } else if (want > 0) {
    inflate_into(raw_prefix, take);
  }
  return out.release();
}

}  // namespace spinekit
