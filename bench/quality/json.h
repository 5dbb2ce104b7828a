#pragma once

#include "bench/quality/statistics.h"

#include <nlohmann/json.hpp>

namespace switchyard::evaluation {

inline nlohmann::json to_json(const Summary& s) {
  return {{"mean", s.mean},   {"p50", s.p50},   {"p95", s.p95},
          {"error", s.error}, {"runs", s.runs}, {"missed", s.missed}};
}

}  // namespace switchyard::evaluation
