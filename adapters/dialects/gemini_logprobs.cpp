#include "adapters/dialects/gemini.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>

namespace switchyard::google {

namespace {

using Element = simdjson::dom::element;

constexpr std::size_t kTopMax = 20;  // As many as either dialect can ask for.

Json bytes_of(std::string_view token) {
  Json bytes = Json::array();
  for (const char c : token) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

Json token_of(const Element& candidate) {
  const std::string_view token = string_at(candidate, "token");
  double probability = 0;
  if (candidate["logProbability"].get_double().get(probability)) probability = 0;
  return {{"token", token}, {"logprob", probability}, {"bytes", bytes_of(token)}};
}

// {"token": ..., "logProbability": ...} of OpenAI's {"token": ..., "logprob": ...}.
Json candidate_of(const Json& token) {
  const Json* text = find_member(token, "token");
  const Json* probability = find_member(token, "logprob");
  return {{"token", text && text->is_string() ? *text : Json("")},
          {"logProbability", probability && probability->is_number() ? *probability : Json(0.0)}};
}

}  // namespace

std::string logprobs_from_result(const Element& result) {
  simdjson::dom::array chosen, tops;
  if (result["chosenCandidates"].get(chosen)) return {};
  const bool has_tops = !result["topCandidates"].get(tops);
  auto top = has_tops ? tops.begin() : simdjson::dom::array::iterator();
  Json tokens = Json::array();
  for (const Element candidate : chosen) {
    Json token = token_of(candidate);
    Json& others = token["top_logprobs"] = Json::array();
    simdjson::dom::array candidates;
    if (has_tops && top != tops.end()) {
      if (!(*top)["candidates"].get(candidates)) {
        for (const Element other : candidates) {
          if (others.size() < kTopMax) others.push_back(token_of(other));
        }
      }
      ++top;
    }
    tokens.push_back(std::move(token));
  }
  return tokens.empty() ? std::string() : to_text(tokens);
}

void LogprobsResult::add(std::string_view logprobs) {
  const Json tokens = Json::parse(logprobs, nullptr, false);
  if (!tokens.is_array()) return;
  for (const Json& token : tokens) {
    if (!chosen.empty()) {
      chosen += ',';
      top += ',';
    }
    chosen += to_text(candidate_of(token));
    Json candidates = Json::array();
    if (const Json* others = find_member(token, "top_logprobs"); others && others->is_array()) {
      for (const Json& other : *others) {
        if (candidates.size() < kTopMax) candidates.push_back(candidate_of(other));
      }
    }
    top += to_text(Json{{"candidates", std::move(candidates)}});
  }
}

std::string LogprobsResult::text() const {
  return "{\"topCandidates\":[" + top + "],\"chosenCandidates\":[" + chosen + "]}";
}

}  // namespace switchyard::google
