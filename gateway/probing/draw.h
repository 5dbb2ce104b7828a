#pragma once

#include <cmath>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::probing {

// Draws that are the same everywhere for the same seed (SplitMix64, Steele et al. 2014); the standard
// library's distributions are not.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // In [0, 1).
  double unit() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  // Both ends included.
  int between(int least, int most) {
    return least + static_cast<int>(bits() % static_cast<std::uint64_t>(most - least + 1));
  }

  bool chance(double probability) { return unit() < probability; }

  // Exponentially distributed: the waiting time of a Poisson process.
  double exponential(double mean) { return -mean * std::log1p(-unit()); }

  template <class List>
  const auto& pick(const List& list) {
    return list[static_cast<std::size_t>(between(0, static_cast<int>(std::size(list)) - 1))];
  }

  template <class T>
  void shuffle(std::vector<T>& list) {
    for (std::size_t i = list.size(); i > 1; --i) {
      std::swap(list[i - 1], list[static_cast<std::size_t>(between(0, static_cast<int>(i) - 1))]);
    }
  }

  // `count` different ones of a list, in random order.
  template <class List>
  auto sample(const List& list, int count) {
    using Value = std::remove_cvref_t<decltype(list[0])>;
    std::vector<Value> all(std::begin(list), std::end(list));
    shuffle(all);
    all.resize(static_cast<std::size_t>(count));
    return all;
  }

  // One of several wordings.
  std::string wording(std::initializer_list<std::string_view> wordings) {
    return std::string(wordings.begin()[between(0, static_cast<int>(wordings.size()) - 1)]);
  }

 private:
  std::uint64_t state_;
};

}  // namespace switchyard::probing
