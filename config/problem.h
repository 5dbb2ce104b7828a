#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace switchyard::config {

// One thing that is wrong (or, as a warning, unwise), at its place. Never holds a secret.
struct Problem {
  std::string file;
  int line = 0, column = 0;  // From 1; 0: the file as a whole.
  std::string message;

  // "FILE:LINE:COLUMN: message", the form of compilers.
  std::string text() const;

  friend bool operator==(const Problem&, const Problem&) = default;
};

struct Place {
  int line = 0, column = 0;
};

// Collects what is wrong with one file, each thing once.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(Place place, std::string message) { add_to(errors_, place, std::move(message)); }

  void warn(Place place, std::string message) { add_to(warnings_, place, std::move(message)); }

  bool none() const { return errors_.empty(); }

  // True when further problems are not kept: a file of nothing but mistakes is told by its first ones.
  bool full() const { return errors_.size() >= kMax; }

  // In the order of the file; a collector gives them once.
  std::vector<Problem> take_errors() { return sorted(std::move(errors_)); }

  std::vector<Problem> take_warnings() { return sorted(std::move(warnings_)); }

 private:
  static constexpr std::size_t kMax = 100;

  void add_to(std::vector<Problem>& list, Place place, std::string message);
  static std::vector<Problem> sorted(std::vector<Problem> list);

  std::string file_;
  std::vector<Problem> errors_, warnings_;
};

}  // namespace switchyard::config
