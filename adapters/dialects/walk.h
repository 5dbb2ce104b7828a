#pragma once

#include <simdjson.h>

#include <memory>
#include <string_view>

namespace switchyard {

// Reading a whole document from its bytes, without a tree: what it takes beside them is the parser's index,
// four bytes for each bracket, comma, colon, string and number. One document at a time on each thread.
class OnDemand {
 public:
  // Opens a document that is an object. `capacity` is how many bytes from the text's first may be read: with
  // less than simdjson's padding behind the text it is copied. Fails when the text is no JSON or no object.
  simdjson::error_code open(std::string_view text, std::size_t capacity, simdjson::ondemand::object& object);

  // The text that views are of: as given, or the copy.
  std::string_view text() const { return text_; }

  // True when nothing stands behind the object.
  bool at_end();

 private:
  std::unique_ptr<char[]> padded_;
  std::string_view text_;
  simdjson::ondemand::document document_;
};

// Walks a value that is of no interest, so that what is passed on is well-formed JSON. `depth`: of the value
// in its document; deeper than kJsonDepthMax is an error.
simdjson::error_code walk(simdjson::ondemand::value value, int depth);

// Walks a value and gives its text; of a null, nothing.
simdjson::error_code walk_text(simdjson::ondemand::value value, std::string_view& text);

}  // namespace switchyard
