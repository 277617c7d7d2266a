// The attributes that a changed image must carry (PS3.3 C.7.6.1.1.5, C.12.4).
#pragma once

#include "data_set_writer.h"

namespace spinekit {

struct LossyStep {
  double pixel_ratio = 0;        // uncompressed pixel data / codestreams
  std::string method;            // (0028,2114), for example ISO_15444_1
  std::string description;       // for DerivationDescription
  std::string sop_instance_uid;  // of the new image
};

// What an irreversible compression changes beside the pixels.
void describe_lossy_step(const DataSet& source, const LossyStep& step, bool source_was_lossy,
                         Edits& edits);

// A source of an irreversible transfer syntax that does not say so in (0028,2110), or not how in
// (0028,2114), gets it said: the next syntax would hide it.
void admit_past_loss(const DataSet& source, const std::string& method, double pixel_ratio,
                     Edits& edits);

// "2.25." and the decimal form of 128 bits of the text's SHA-256 (PS3.5 B.2): the same for the same text.
std::string uid_from(const std::string& text);

// Group 0002 for `edits` applied to `source`, with preamble and prefix.
Buffer file_head(const DataSet& source, const std::string& transfer_syntax_uid,
                 const std::string& sop_instance_uid);

// DS of a positive number in at most 16 bytes.
std::string decimal_string(double value);

}  // namespace spinekit
