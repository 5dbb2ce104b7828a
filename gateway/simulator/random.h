#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace switchyard::simulator {

// Random numbers from a seed, the same on every machine with the same mathematics library: SplitMix64
// (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014). Two with different streams
// are independent for every purpose here.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0) : state_(mixed(seed) ^ mixed(~stream)) {}

  std::uint64_t bits() {
    state_ += 0x9e3779b97f4a7c15u;
    return mixed(state_);
  }

  double uniform() { return (static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53; }  // (0, 1)

  bool chance(double p) { return p > 0 && uniform() < p; }

  double exponential(double mean) { return -mean * std::log(uniform()); }

  // Box and Muller's, both of its numbers used.
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2 * std::log(uniform())), angle = 2 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

  // `sd` is of the logarithm.
  double log_normal(double median, double sd) { return sd > 0 ? median * std::exp(sd * normal()) : median; }

 private:
  static std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }

  std::uint64_t state_;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace switchyard::simulator
