#include "adapters/canonical/json_text.h"
#include "config/model_fields.h"
#include "gateway/routing/decision.h"

#include <bit>
#include <charconv>
#include <cmath>

namespace switchyard::routing {

namespace {

// Objects and lists, with the commas where they belong.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void open(char bracket) {
    item();
    out_ += bracket;
    is_first_ = true;
  }

  void close(char bracket) {
    out_ += bracket;
    is_first_ = false;
  }

  void name(std::string_view name) {
    item();
    out_ += '"';
    out_ += name;  // Ours: nothing to escape.
    out_ += "\":";
    is_first_ = true;
  }

  void text(std::string_view value) {
    item();
    append_json_string(value, out_);
  }

  void boolean(bool value) {
    item();
    out_ += value ? "true" : "false";
  }

  void integer(std::int64_t value) {
    item();
    char text[24];
    out_.append(text, std::to_chars(text, text + sizeof text, value).ptr);
  }

  void hexadecimal(std::uint64_t value) {
    item();
    char text[24];
    out_ += '"';
    out_.append(text, std::to_chars(text, text + sizeof text, value, 16).ptr);
    out_ += '"';
  }

  // The shortest text that reads back as the same double. A whole number of many digits, or a negative zero,
  // would be read as an integer.
  void number(double value) {
    item();
    if (!std::isfinite(value)) {
      out_ += std::isnan(value) ? "\"nan\"" : value > 0 ? "\"inf\"" : "\"-inf\"";
      return;
    }
    char text[32];
    const std::string_view digits(text, std::to_chars(text, text + sizeof text, value).ptr);
    out_ += digits;
    if ((digits.size() > 15 || digits == "-0") && digits.find_first_of(".e") == std::string_view::npos)
      out_ += ".0";
  }

 private:
  void item() {
    if (!is_first_) out_ += ',';
    is_first_ = false;
  }

  std::string& out_;
  bool is_first_ = true;
};

bool is_same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

// A member that is left out where it has its default.
void number(Writer& out, std::string_view name, double value, double usual) {
  if (is_same(value, usual)) return;
  out.name(name);
  out.number(value);
}

void integer(Writer& out, std::string_view name, std::int64_t value, std::int64_t usual = 0) {
  if (value == usual) return;
  out.name(name);
  out.integer(value);
}

void boolean(Writer& out, std::string_view name, bool value, bool usual) {
  if (value == usual) return;
  out.name(name);
  out.boolean(value);
}

void text(Writer& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out.name(name);
  out.text(value);
}

void write_candidate(Writer& out, const Candidate& candidate, std::string_view provider,
                     std::string_view model) {
  const Candidate usual;
  out.open('{');
  text(out, "provider", provider);
  text(out, "model", model);
  out.name("id");
  out.hexadecimal(candidate.id);
  number(out, "weight", candidate.weight, usual.weight);
  integer(out, "tier", candidate.tier);
  if (candidate.canary) {
    out.name("canary");
    out.number(*candidate.canary);
  }
  if (candidate.health.state != State::serving) text(out, "health", name_of(candidate.health.state));
  integer(out, "health_until_ns", candidate.health.until.time_since_epoch().count());
  boolean(out, "trial_running", candidate.health.trial_running, false);
  boolean(out, "capable", candidate.capable, true);
  boolean(out, "is_meant", candidate.is_meant, true);
  boolean(out, "has_room", candidate.has_room, true);
  if (candidate.state != usual.state) text(out, "state", name_of(candidate.state));
  number(out, "quality", candidate.quality, usual.quality);
  number(out, "ramp", candidate.ramp, usual.ramp);
  number(out, "availability", candidate.availability, usual.availability);
  number(out, "ttft_ms_p50", candidate.ttft_ms_p50, 0);
  number(out, "ttft_ms_p95", candidate.ttft_ms_p95, 0);
  number(out, "latency_ratio", candidate.latency_ratio, usual.latency_ratio);
  number(out, "inter_token_ms", candidate.inter_token_ms, 0);
  number(out, "usd", candidate.usd, 0);
  integer(out, "in_flight", candidate.in_flight);
  integer(out, "in_flight_max", candidate.in_flight_max);
  number(out, "quota", candidate.quota, usual.quota);
  out.close('}');
}

void write_input(Writer& out, const Decision& decision) {
  const PlanInput& input = decision.input;
  out.open('{');
  text(out, "strategy", config::kStrategies[static_cast<std::size_t>(input.strategy)]);
  const config::Objectives usual;
  number(out, "objective_quality", input.objectives.quality, usual.quality);
  number(out, "objective_latency", input.objectives.latency, usual.latency);
  number(out, "objective_cost", input.objectives.cost, usual.cost);
  integer(out, "input_tokens", input.facts.input_tokens);
  integer(out, "output_tokens", input.facts.output_tokens);
  if (input.facts.affinity != 0) {
    out.name("affinity");
    out.hexadecimal(input.facts.affinity);
  }
  out.name("now_ns");
  out.integer(input.now.time_since_epoch().count());
  out.name("seed");
  out.hexadecimal(input.seed);
  out.name("candidates");
  out.open('[');
  for (std::size_t i = 0; i < input.candidates.size(); ++i) {
    const auto at = [i](const std::vector<std::string>& names) {
      return i < names.size() ? std::string_view(names[i]) : std::string_view();
    };
    write_candidate(out, input.candidates[i], at(decision.providers), at(decision.target_models));
  }
  out.close(']');
  out.close('}');
}

void write_terms(Writer& out, const Terms& terms) {
  out.open('{');
  number(out, "weight", terms.weight, 0);
  number(out, "quality", terms.quality, 0);
  number(out, "latency", terms.latency, 0);
  number(out, "cost", terms.cost, 0);
  number(out, "availability", terms.availability, 0);
  number(out, "share", terms.share, 0);
  out.close('}');
}

void write_plan(Writer& out, const Plan& plan) {
  out.open('{');
  out.name("attempts");
  out.open('[');
  for (const PlannedAttempt& attempt : plan.attempts) {
    out.open('{');
    out.name("target");
    out.integer(attempt.target);
    text(out, "reason", name_of(attempt.reason));
    out.close('}');
  }
  out.close(']');
  out.name("excluded");
  out.open('[');
  for (const Excluded& excluded : plan.excluded) {
    out.open('{');
    out.name("target");
    out.integer(excluded.target);
    text(out, "reason", name_of(excluded.reason));
    out.close('}');
  }
  out.close(']');
  out.name("terms");
  out.open('[');
  for (const Terms& terms : plan.terms) write_terms(out, terms);
  out.close(']');
  if (plan.retry_after) {
    out.name("retry_after_ms");
    out.integer(plan.retry_after->count());
  }
  boolean(out, "degraded", plan.degraded, false);
  boolean(out, "is_full", plan.is_full, false);
  out.close('}');
}

void write_attempt(Writer& out, const AttemptRecord& attempt) {
  out.open('{');
  out.name("target");
  out.integer(attempt.target);
  text(out, "reason", name_of(attempt.reason));
  out.name("ok");
  out.boolean(attempt.ok);
  if (!attempt.ok) text(out, "error", name_of(attempt.error));
  integer(out, "upstream_status", attempt.upstream_status);
  // A float is a double, too, and as that it reads back exactly.
  number(out, "began_ms", static_cast<double>(attempt.began_ms), 0);
  number(out, "first_token_ms", static_cast<double>(attempt.first_token_ms), 0);
  number(out, "ended_ms", static_cast<double>(attempt.ended_ms), 0);
  out.close('}');
}

}  // namespace

std::string to_json(const Decision& decision) {
  std::string line;
  line.reserve(512 + decision.input.candidates.size() * 384);
  Writer out(line);
  out.open('{');
  text(out, "request_id", decision.request_id);
  out.name("at_ms");
  out.integer(decision.at_ms);
  text(out, "model", decision.model);
  text(out, "fallback_from", decision.fallback_from);
  text(out, "key", decision.key);
  text(out, "config", decision.config_version);
  out.name("scores_version");
  out.hexadecimal(decision.scores_version);
  text(out, "outcome", decision.outcome);
  integer(out, "served", decision.served, -1);
  integer(out, "input_tokens", decision.input_tokens);
  integer(out, "output_tokens", decision.output_tokens);
  number(out, "seam_at", decision.seam_at, -1);
  out.name("input");
  write_input(out, decision);
  out.name("plan");
  write_plan(out, make_plan(decision.input));
  out.name("attempts");
  out.open('[');
  for (const AttemptRecord& attempt : decision.attempts) write_attempt(out, attempt);
  out.close(']');
  out.close('}');
  return line;
}

}  // namespace switchyard::routing
