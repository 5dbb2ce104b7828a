#include "config/model_fields.h"
#include "gateway/routing/decision.h"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace switchyard::routing {

namespace {

using Element = simdjson::dom::element;

constexpr std::size_t kCandidatesMax = 100'000;

// Reads members and keeps the first thing that is wrong; afterwards everything reads as its default.
class Reader {
 public:
  const std::string& fault() const { return fault_; }

  void fail(std::string_view name, const std::string& what) {
    if (fault_.empty()) fault_ = "`" + std::string(name) + "` " + what;
  }

  // A member that is absent or null is none.
  static std::optional<Element> find(const Element& object, std::string_view name) {
    Element member;
    if (object.at_key(name).get(member) != simdjson::SUCCESS || member.is_null()) return std::nullopt;
    return member;
  }

  // The same; absent is wrong.
  std::optional<Element> need(const Element& object, std::string_view name) {
    auto member = find(object, name);
    if (!member) fail(name, "is missing");
    return member;
  }

  void text(const Element& object, std::string_view name, std::string& value) {
    const auto member = find(object, name);
    std::string_view view;
    if (!member) return;
    if (member->get(view) != simdjson::SUCCESS) return fail(name, "must be a text");
    value = view;
  }

  void boolean(const Element& object, std::string_view name, bool& value) {
    const auto member = find(object, name);
    if (member && member->get(value) != simdjson::SUCCESS) fail(name, "must be true or false");
  }

  template <class Int>
  void integer(const Element& object, std::string_view name, Int& value) {
    const auto member = find(object, name);
    if (!member) return;
    std::int64_t number = 0;
    if (member->get(number) != simdjson::SUCCESS || !std::in_range<Int>(number))
      return fail(name, "must be a whole number in its range");
    value = static_cast<Int>(number);
  }

  void hexadecimal(const Element& object, std::string_view name, std::uint64_t& value) {
    const auto member = find(object, name);
    if (!member) return;
    std::string_view digits;
    if (member->get(digits) == simdjson::SUCCESS && !digits.empty()) {
      const char* end = digits.data() + digits.size();
      const auto [stop, error] = std::from_chars(digits.data(), end, value, 16);
      if (error == std::errc() && stop == end) return;
    }
    fail(name, "must be a text of up to 16 hexadecimal digits");
  }

  void number(const Element& object, std::string_view name, double& value) {
    const auto member = find(object, name);
    if (!member) return;
    std::string_view word;
    if (member->get(value) == simdjson::SUCCESS) return;
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (member->get(word) != simdjson::SUCCESS) return fail(name, "must be a number");
    if (word == "inf") {
      value = kInfinity;
    } else if (word == "-inf") {
      value = -kInfinity;
    } else if (word == "nan") {
      value = std::numeric_limits<double>::quiet_NaN();
    } else {
      fail(name, "must be a number");
    }
  }

  void number(const Element& object, std::string_view name, float& value) {
    double wide = static_cast<double>(value);
    number(object, name, wide);
    if (std::isfinite(wide) && std::abs(wide) > static_cast<double>(std::numeric_limits<float>::max()))
      return fail(name, "must be a number in its range");
    value = static_cast<float>(wide);
  }

  // A word: the name_of() one of the enumerators up to `last`.
  template <class Enum, class Name>
  void word(const Element& object, std::string_view name, Enum last, Name name_of, Enum& value) {
    const auto member = find(object, name);
    if (!member) return;
    std::string_view given;
    if (member->get(given) != simdjson::SUCCESS) return fail(name, "must be a text");
    for (int i = 0; i <= static_cast<int>(last); ++i) {
      if (name_of(static_cast<Enum>(i)) != given) continue;
      value = static_cast<Enum>(i);
      return;
    }
    fail(name, "is none of the known words");
  }

  // Of the candidates.
  void index(const Element& object, std::string_view name, std::size_t size, int& value) {
    if (!need(object, name)) return;
    integer(object, name, value);
    if (value < 0 || static_cast<std::size_t>(value) >= size) {
      value = 0;
      fail(name, "must be the index of a candidate");
    }
  }

  // Calls `each` with the objects of a list.
  template <class Each>
  void list(const Element& object, std::string_view name, Each each) {
    const auto member = find(object, name);
    if (!member) return;
    simdjson::dom::array items;
    if (member->get(items) != simdjson::SUCCESS) return fail(name, "must be a list");
    if (items.size() > kCandidatesMax) return fail(name, "has too many members");
    for (const Element item : items) {
      if (!item.is_object()) return fail(name, "must be a list of objects");
      each(item);
    }
  }

 private:
  std::string fault_;
};

Candidate read_candidate(Reader& in, const Element& object) {
  Candidate candidate;
  in.need(object, "id");
  in.hexadecimal(object, "id", candidate.id);
  in.number(object, "weight", candidate.weight);
  in.integer(object, "tier", candidate.tier);
  if (Reader::find(object, "canary")) in.number(object, "canary", candidate.canary.emplace());
  in.word(
      object, "health", State::credential_out, [](State one) { return name_of(one); },
      candidate.health.state);
  std::int64_t until_ns = 0;
  in.integer(object, "health_until_ns", until_ns);
  candidate.health.until = TimePoint(std::chrono::nanoseconds(until_ns));
  in.boolean(object, "trial_running", candidate.health.trial_running);
  in.boolean(object, "capable", candidate.capable);
  in.boolean(object, "is_meant", candidate.is_meant);
  in.boolean(object, "has_room", candidate.has_room);
  in.word(
      object, "state", scoring::State::drained, [](scoring::State one) { return name_of(one); },
      candidate.state);
  in.number(object, "quality", candidate.quality);
  in.number(object, "ramp", candidate.ramp);
  in.number(object, "availability", candidate.availability);
  in.number(object, "ttft_ms_p50", candidate.ttft_ms_p50);
  in.number(object, "ttft_ms_p95", candidate.ttft_ms_p95);
  in.number(object, "latency_ratio", candidate.latency_ratio);
  in.number(object, "inter_token_ms", candidate.inter_token_ms);
  in.number(object, "usd", candidate.usd);
  in.integer(object, "in_flight", candidate.in_flight);
  in.integer(object, "in_flight_max", candidate.in_flight_max);
  in.number(object, "quota", candidate.quota);
  return candidate;
}

void read_input(Reader& in, const Element& object, Decision& decision) {
  PlanInput& input = decision.input;
  in.need(object, "strategy");
  in.word(
      object, "strategy", config::Strategy::score,
      [](config::Strategy one) { return config::kStrategies[static_cast<std::size_t>(one)]; },
      input.strategy);
  in.number(object, "objective_quality", input.objectives.quality);
  in.number(object, "objective_latency", input.objectives.latency);
  in.number(object, "objective_cost", input.objectives.cost);
  in.integer(object, "input_tokens", input.facts.input_tokens);
  in.integer(object, "output_tokens", input.facts.output_tokens);
  in.hexadecimal(object, "affinity", input.facts.affinity);
  std::int64_t now_ns = 0;
  in.integer(object, "now_ns", now_ns);
  input.now = TimePoint(std::chrono::nanoseconds(now_ns));
  in.need(object, "seed");
  in.hexadecimal(object, "seed", input.seed);
  in.need(object, "candidates");
  in.list(object, "candidates", [&](const Element& item) {
    input.candidates.push_back(read_candidate(in, item));
    in.text(item, "provider", decision.providers.emplace_back());
    in.text(item, "model", decision.target_models.emplace_back());
  });
}

Plan read_plan(Reader& in, const Element& object, std::size_t candidates) {
  Plan plan;
  in.list(object, "attempts", [&](const Element& item) {
    PlannedAttempt& attempt = plan.attempts.emplace_back();
    in.index(item, "target", candidates, attempt.target);
    in.word(
        item, "reason", Reason::continuation, [](Reason one) { return name_of(one); }, attempt.reason);
  });
  in.list(object, "excluded", [&](const Element& item) {
    Excluded& excluded = plan.excluded.emplace_back();
    in.index(item, "target", candidates, excluded.target);
    in.word(
        item, "reason", Exclusion::full, [](Exclusion one) { return name_of(one); }, excluded.reason);
  });
  in.list(object, "terms", [&](const Element& item) {
    Terms& terms = plan.terms.emplace_back();
    in.number(item, "weight", terms.weight);
    in.number(item, "quality", terms.quality);
    in.number(item, "latency", terms.latency);
    in.number(item, "cost", terms.cost);
    in.number(item, "availability", terms.availability);
    in.number(item, "share", terms.share);
  });
  if (Reader::find(object, "retry_after_ms")) {
    std::int64_t ms = 0;
    in.integer(object, "retry_after_ms", ms);
    plan.retry_after = std::chrono::milliseconds(ms);
  }
  in.boolean(object, "degraded", plan.degraded);
  in.boolean(object, "is_full", plan.is_full);
  return plan;
}

AttemptRecord read_attempt(Reader& in, const Element& object, std::size_t candidates) {
  AttemptRecord attempt;
  in.index(object, "target", candidates, attempt.target);
  in.word(
      object, "reason", Reason::continuation, [](Reason one) { return name_of(one); }, attempt.reason);
  in.boolean(object, "ok", attempt.ok);
  in.word(
      object, "error", ErrorKind::internal, [](ErrorKind one) { return name_of(one); }, attempt.error);
  in.integer(object, "upstream_status", attempt.upstream_status);
  in.number(object, "began_ms", attempt.began_ms);
  in.number(object, "first_token_ms", attempt.first_token_ms);
  in.number(object, "ended_ms", attempt.ended_ms);
  return attempt;
}

Recorded read_decision(Reader& in, const Element& object) {
  Recorded recorded;
  Decision& decision = recorded.decision;
  in.text(object, "request_id", decision.request_id);
  in.integer(object, "at_ms", decision.at_ms);
  in.text(object, "model", decision.model);
  in.text(object, "fallback_from", decision.fallback_from);
  in.text(object, "key", decision.key);
  in.text(object, "config", decision.config_version);
  in.hexadecimal(object, "scores_version", decision.scores_version);
  in.text(object, "outcome", decision.outcome);
  in.integer(object, "input_tokens", decision.input_tokens);
  in.integer(object, "output_tokens", decision.output_tokens);
  in.number(object, "seam_at", decision.seam_at);
  if (const auto input = in.need(object, "input")) {
    if (!input->is_object()) in.fail("input", "must be an object");
    read_input(in, *input, decision);
  }
  const std::size_t candidates = decision.input.candidates.size();
  if (Reader::find(object, "served")) in.index(object, "served", candidates, decision.served);
  if (const auto plan = in.need(object, "plan")) {
    if (!plan->is_object()) in.fail("plan", "must be an object");
    recorded.plan = read_plan(in, *plan, candidates);
  }
  in.list(object, "attempts",
          [&](const Element& item) { decision.attempts.push_back(read_attempt(in, item, candidates)); });
  return recorded;
}

bool is_same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

bool is_same(const Terms& a, const Terms& b) {
  return is_same(a.weight, b.weight) && is_same(a.quality, b.quality) && is_same(a.latency, b.latency) &&
         is_same(a.cost, b.cost) && is_same(a.availability, b.availability) && is_same(a.share, b.share);
}

// The first place where two lists of targets with reasons differ.
template <class Item>
std::string list_difference(const std::string& what, const std::vector<Item>& recorded,
                            const std::vector<Item>& made) {
  const auto shown = [](const std::vector<Item>& list, std::size_t i) {
    if (i >= list.size()) return std::string("none");
    return "target " + std::to_string(list[i].target) + " (" + std::string(name_of(list[i].reason)) + ")";
  };
  for (std::size_t i = 0; i < std::max(recorded.size(), made.size()); ++i) {
    if (shown(recorded, i) == shown(made, i)) continue;
    return what + " " + std::to_string(i + 1) + " was " + shown(recorded, i) + ", is " + shown(made, i);
  }
  return {};
}

}  // namespace

Result<Recorded> recorded_from_json(std::string_view line) {
  simdjson::dom::parser parser;
  Element root;
  if (parser.parse(line.data(), line.size()).get(root) != simdjson::SUCCESS || !root.is_object())
    return switchyard::fail(ErrorKind::invalid_request, "not a JSON object");
  Reader in;
  Recorded recorded = read_decision(in, root);
  if (!in.fault().empty()) return switchyard::fail(ErrorKind::invalid_request, in.fault());
  return recorded;
}

Result<Decision> decision_from_json(std::string_view line) {
  auto recorded = recorded_from_json(line);
  if (!recorded) return recorded.error();
  return std::move(recorded->decision);
}

std::string difference(const Plan& recorded, const Plan& made) {
  if (auto found = list_difference("attempt", recorded.attempts, made.attempts); !found.empty()) return found;
  if (auto found = list_difference("exclusion", recorded.excluded, made.excluded); !found.empty())
    return found;
  for (std::size_t i = 0; i < std::max(recorded.terms.size(), made.terms.size()); ++i) {
    if (i >= recorded.terms.size() || i >= made.terms.size()) return "the number of terms";
    if (!is_same(recorded.terms[i], made.terms[i]))
      return "the share of target " + std::to_string(i) + " was " + std::to_string(recorded.terms[i].share) +
             ", is " + std::to_string(made.terms[i].share);
  }
  if (recorded.retry_after != made.retry_after) return "the time to retry after";
  if (recorded.degraded != made.degraded) return "whether it is degraded";
  if (recorded.is_full != made.is_full) return "whether all is full";
  return {};
}

}  // namespace switchyard::routing
