#pragma once

#include <nlohmann/json.hpp>

namespace switchyard::evaluation {

// Decisions over random numbers: whether the printed terms give the shares back, and whether a decision that
// was written to the log and read again makes the same plan.
nlohmann::json explain_cells(bool quick);
// What an observation of live traffic with sixteen signals costs the board, and what a stream takes.
nlohmann::json cost_cells(bool quick);

}  // namespace switchyard::evaluation
