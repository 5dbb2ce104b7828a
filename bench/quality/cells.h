#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>

namespace switchyard::evaluation {

// The cells of the evaluation that need no model: streams of good and bad observations, 10^7 and more of
// them, through the gateway's own detector (gateway/scoring). Seeds are fixed.
struct CellOptions {
  bool quick = false;

  int runs() const { return quick ? 500 : 3'000; }

  std::int64_t null_requests() const { return quick ? 4'000'000 : 40'000'000; }
};

// Requests between false ejects asked for: A.
inline constexpr double kFalseEjectEvery = 1e6;

// Own requests from a change to the eject, when the whole weight is the signal's.
nlohmann::json delay_cells(const CellOptions& options);
// The same with the bound, the weight and the tolerance that a learnt baseline of `tool_call_invalid` gives.
nlohmann::json shipped_cells(const CellOptions& options);
// False ejects of a healthy target, with the same rate every day and with days that differ.
nlohmann::json null_cells(const CellOptions& options);
// Against windows, EWMA and an hourly judge that are wrong as rarely.
nlohmann::json comparison_cells(const CellOptions& options);
// Envoy's rule for success rates, fed with the same observations.
nlohmann::json outlier_cells(const CellOptions& options);
// A share of the sessions is stuck to a bad server.
nlohmann::json session_cells(const CellOptions& options);
// Border inputs: 3,900 healthy probes whose days differ as recorded ones do, then another model.
nlohmann::json border_cells(const CellOptions& options);

}  // namespace switchyard::evaluation
