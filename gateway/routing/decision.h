#pragma once

#include "gateway/routing/plan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::routing {

// How one attempt of a request ended, for people and for replay.
struct AttemptRecord {
  int target = 0;  // Index into the candidates.
  Reason reason = Reason::priority;
  bool ok = false;
  ErrorKind error = ErrorKind::internal;  // When not ok.
  std::uint32_t upstream_status = 0;
  float began_ms = 0, first_token_ms = 0, ended_ms = 0;  // Since the request came; 0: did not happen.
};

// Why a request went where it went: the plan's whole input and what came of it. make_plan() on `input` gives
// the plan again. `names` of the candidates are by index.
struct Decision {
  std::string request_id, model, config_version, key;
  std::int64_t at_ms = 0;  // Wall clock.
  PlanInput input;
  std::vector<std::string> providers, target_models;
  std::vector<AttemptRecord> attempts;
  int served = -1;            // Index; -1: none.
  std::string outcome;        // telemetry's word.
  std::string fallback_from;  // The model that was asked for, when another one serves.
  std::uint64_t scores_version = 0;
  std::uint32_t input_tokens = 0, output_tokens = 0;
  double seam_at = -1;  // The offset in characters where another target went on; -1: nowhere.
  // Of the candidates, into a BoardView of the same process: for to_text() only, and empty when not known.
  std::vector<std::uint32_t> score_ids;
};

// One line of JSON, without its end: the decision, and the plan that make_plan() gives for its input. Numbers
// are written so that they read back exactly. 64-bit numbers that are no counts (ids, seeds) are texts of
// hexadecimal digits, for who reads JSON numbers as doubles; what is infinite or no number is a text, too.
std::string to_json(const Decision& decision);

// A line read back. `plan`: the one that was made then, to be compared with make_plan(decision.input).
struct Recorded {
  Decision decision;
  Plan plan;
};

// Fails with invalid_request and says which member is wrong: no JSON object, a member that is missing, of a
// wrong type or out of range, a word that is none of the known ones, an index of no candidate. What it does
// not know it passes over.
Result<Recorded> recorded_from_json(std::string_view line);
Result<Decision> decision_from_json(std::string_view line);

// In words, what differs between two plans for the same candidates; empty: nothing, bit by bit.
std::string difference(const Plan& recorded, const Plan& made);

// What `explain`, the admin port and people read: who could serve, with which share and why, as sums of
// logarithms that reproduce it to a tenth of a point; what the evidence says; who served. Of `scores` (null:
// not known) those of Decision::score_ids are told. docs/routing.md shows one.
std::string to_text(const Decision& decision, const scoring::BoardView* scores);

}  // namespace switchyard::routing
