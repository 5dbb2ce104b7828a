#pragma once

#include <string_view>

namespace switchyard {

// Follows a JSON object that comes in pieces to its end.
class ObjectEnd {
 public:
  void feed(std::string_view text) {
    for (const char c : text) {
      if (in_string_) {
        in_string_ = escaped_ || c != '"';
        escaped_ = !escaped_ && c == '\\';
      } else if (c == '"') {
        in_string_ = true;
      } else if (c == '{' || c == '[') {
        ++depth_;
        begun_ = true;
      } else if (c == '}' || c == ']') {
        --depth_;
      }
    }
  }

  bool is_reached() const { return begun_ && depth_ <= 0 && !in_string_; }

 private:
  long depth_ = 0;
  bool begun_ = false, in_string_ = false, escaped_ = false;
};

}  // namespace switchyard
