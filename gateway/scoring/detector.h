#pragma once

#include <array>
#include <cstdint>

namespace switchyard::scoring {

// Sequential evidence that a stream of observations X from 0 (good) to 1 (bad) has become worse than allowed.
// H0: E[X | past] <= m0. Eight bets against it, each on another size of the change:
//
//   odds(p_k) = o_k odds(m0),  o_k log-spaced from 1.5 to 32
//   L_k = 1 + (X - m0) (p_k - m0) / (m0 (1 - m0))        E[L_k | past] <= 1 under H0
//   R_k <- L_k (1 + R_k)      M = mean_k R_k             Shiryaev-Roberts
//   C_k <- L_k max(1, C_k)    Q = mean_k max(1, C_k)     CUSUM
//
// An alarm at M >= A comes after A observations on average, or later, when nothing is wrong: whatever the
// dependence between observations, as long as H0's bound on the conditional mean holds (e-detectors: Shin,
// Ramdas, Rinaldo 2022, arXiv 2203.03532). Q drives what may be wrong for a while: it forgets at once.
inline constexpr int kBets = 8;

// What depends on m0 alone: L_k = 1 + (X - m0) slope_k, slope_k = (o_k - 1) / (1 + (o_k - 1) m0).
struct Bets {
  explicit Bets(double allowed);  // m0; brought into [kAllowedMin, kAllowedMax].

  float allowed;
  std::array<float, kBets> slopes;
};

inline constexpr double kAllowedMin = 1e-5, kAllowedMax = 0.95;

// Since when it is worse, as the bet with the most CUSUM evidence sees it: everything since its C was last at
// or below 1.
struct Change {
  std::uint32_t seen = 0;     // Observations since then; 0: no change is seen. Halved with `bad` at 65,536.
  double bad = 0;             // The sum of their X.
  double mean = 0;            // p-hat = bad / seen; biased upward, being chosen for it.
  double allowed = 0;         // The mean of their m0.
  std::uint32_t since_s = 0;  // The time of the last observation before them, as given to observe().
};

// One stream. observe() takes about 10 ns (bench/scoring_bench).
class Detector {
 public:
  Detector() = default;

  // `at_s`: seconds of any clock, only handed back in change().
  void observe(double x, const Bets& bets, std::uint32_t at_s = 0);
  double evidence() const;  // M.
  double odds() const;      // Q >= 1.
  Change change() const;

  void reset() { *this = Detector(); }

  // For storage, and exact: every number of the state in a fixed order.
  static constexpr int kNumbers = 6 * kBets;
  std::array<double, kNumbers> numbers() const;
  static Detector from_numbers(const std::array<double, kNumbers>& numbers);

  friend bool operator==(const Detector&, const Detector&) = default;

 private:
  void halve_long_changes();

  std::array<float, kBets> shiryaev_roberts_{}, cusum_{};
  std::array<float, kBets> bad_{}, allowed_{};  // Sums since the bet's change point.
  std::array<std::uint32_t, kBets> seen_{}, since_s_{};
};

// The way back: evidence that a stream that was as bad as `bad_mean` is now as good as `good_mean`. One bet,
// H0: E[X | past] >= bad_mean, begun anew whenever it falls below its start, since being good again is to be
// seen however long it was bad. The n-th beginning has to win n times as much, so that many of them are no
// way to win by chance: while H0 holds, 100 is reached by one in 100 of the first, one in 200 of the second
// ...
class Recovery {
 public:
  Recovery() = default;

  // One observation, of a stream whose own m0 is `good_mean`. Both in (0, 1), good_mean < bad_mean; else the
  // observation says nothing.
  void observe(double x, double bad_mean, double good_mean);

  double evidence() const { return stake_ / beginnings_; }

  // Nothing was won since it began.
  bool is_at_start() const { return stake_ <= 1; }

  double stake_ = 1;  // At least 1.
  std::uint32_t beginnings_ = 1;
};

// The probability with `factor` times the odds of `p`.
double with_odds(double p, double factor);

}  // namespace switchyard::scoring
