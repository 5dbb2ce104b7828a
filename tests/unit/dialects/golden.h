#pragma once

#include <optional>
#include <string>
#include <vector>

namespace switchyard {

// A golden file is prose, then sections: a line "=== heading" and what follows it, byte for byte, up to the
// next one. A section is given or derived; a derived one is worked out from the given one before it:
//
//   === parse request               a request in the dialect of the folder
//   === parse request of NAME       ... in the dialect NAME, for the folder of one that no client speaks
//   === canonical                     what it is in the canonical model
//   === written as NAME               the request that the dialect NAME makes of it, for a plain target
//   === written as NAME for P/M       ... for the model M of provider type P
//   === upstream stream             a provider's streaming reply
//   === events                        its events
//   === stream as NAME                the stream that a client of NAME gets
//   === scanned                       what passes through unchanged, and what was read along the way
//   === upstream reply              a provider's whole reply
//   === events                        its events
//   === reply as NAME                 the reply that a client of NAME gets
//   === upstream error STATUS       a provider's error
//   === error                         what it is in the canonical model
//   === error as NAME                 what a client of NAME gets
//
// A stream that is to end inside a frame ends with "<cut>", which is no part of it. One in Amazon's binary
// framing is written as aws_frames.h says.
struct GoldenSection {
  std::string heading, body;
};

struct GoldenFile {
  std::string prose;
  std::vector<GoldenSection> sections;
};

class Dialect;

// The bytes that the section "upstream stream" stands for.
std::string stream_bytes(const Dialect& dialect, const std::string& body);

GoldenFile split_golden(const std::string& text);
std::string join_golden(const GoldenFile& file);

// True for the sections that a person writes.
bool is_given(const std::string& heading);

// What the derived section `heading` of a file in the folder of `dialect` holds; nothing for a heading that
// does not fit `given`.
std::optional<std::string> derive_golden(const std::string& dialect, const GoldenSection& given,
                                         const std::string& heading);

}  // namespace switchyard
