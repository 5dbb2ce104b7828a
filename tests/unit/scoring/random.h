#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace switchyard::scoring {

// SplitMix64 (Steele, Lea, Flood 2014): the same draws on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

  double event(double probability) { return uniform() < probability ? 1 : 0; }

  double normal() {  // Box and Muller.
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

}  // namespace switchyard::scoring
