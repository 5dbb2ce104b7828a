#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace switchyard::evaluation {

// Of delays: runs that were given up count with the limit they reached, so that a mean is a lower bound when
// `missed` is not 0.
struct Summary {
  double mean = 0, p50 = 0, p95 = 0, error = 0;  // `error`: the standard error of the mean.
  std::size_t runs = 0, missed = 0;
};

inline double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

inline Summary summarize(const std::vector<double>& values, std::size_t missed = 0) {
  Summary out{.runs = values.size(), .missed = missed};
  if (values.empty()) return out;
  const auto n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double v : values) sum += v;
  out.mean = sum / n;
  for (const double v : values) squares += (v - out.mean) * (v - out.mean);
  out.error = n > 1 ? std::sqrt(squares / (n - 1) / n) : 0;
  out.p50 = quantile(values, 0.5);
  out.p95 = quantile(values, 0.95);
  return out;
}

}  // namespace switchyard::evaluation
