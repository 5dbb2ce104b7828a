#include "config/problem.h"

#include <tuple>

namespace switchyard::config {

std::string Problem::text() const {
  if (line == 0) return file + ": " + message;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + message;
}

void Problems::add_to(std::vector<Problem>& list, Place place, std::string message) {
  Problem problem{file_, place.line, place.column, std::move(message)};
  // An anchored value is checked wherever it is used, and wrong in one place only.
  if (list.size() < kMax && std::find(list.begin(), list.end(), problem) == list.end()) {
    list.push_back(std::move(problem));
  }
}

std::vector<Problem> Problems::sorted(std::vector<Problem> list) {
  std::stable_sort(list.begin(), list.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  return list;
}

}  // namespace switchyard::config
