#include "config/model_fields.h"
#include "gateway/routing/decision.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <ctime>
#include <map>

namespace switchyard::routing {

namespace {

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
  char text[256];
  va_list values;
  va_start(values, pattern);
  const int size = std::vsnprintf(text, sizeof text, pattern, values);
  va_end(values);
  return {text, static_cast<std::size_t>(std::clamp(size, 0, static_cast<int>(sizeof text) - 1))};
}

// 22000 as 22,000; what is less than ten with a digit behind the point.
std::string grouped(double value) {
  if (!(value < 1e15)) return std::isinf(value) ? "infinitely many" : format("%.1e", value);
  if (value < 10) return format("%.1f", value);
  std::string digits = format("%.0f", value);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::string percent(double share) {
  return format("%.1f %%", share * 100);
}

// A logarithm with the digits that its share needs: 0.0005 of it is 0.0125 points of the share at most.
std::string term(double value) {
  return format("%.3f", value == 0 ? 0.0 : value);
}

// In UTC. `date`: whether the day is told, too.
std::string time_text(std::int64_t wall_ms, bool date) {
  const std::time_t seconds = static_cast<std::time_t>(wall_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  const auto size = std::strftime(text, sizeof text, date ? "%Y-%m-%d %H:%M:%S UTC" : "%H:%M:%S UTC", &parts);
  return {text, size};
}

std::string_view why(Reason reason) {
  switch (reason) {
    case Reason::only_target:
      return "the model has no other target";
    case Reason::priority:
      return "the first in the configuration's order";
    case Reason::weighted:
      return "drawn by its weight";
    case Reason::latency:
      return "the sooner of two drawn";
    case Reason::cost:
      return "the cheapest";
    case Reason::least_busy:
      return "the less busy of two drawn";
    case Reason::score:
      return "drawn by its share";
    case Reason::sticky:
      return "where its session or prompt was before";
    case Reason::canary:
      return "drawn as a canary";
    case Reason::higher_tier:
      return "every lower tier is out";
    case Reason::fallback:
      return "behind the others, for when they fail";
    case Reason::probation:
      return "a trial after an ejection";
    case Reason::last_resort:
      return "out, but nothing better is left";
    case Reason::hedge:
      return "beside one that was slow to begin";
    case Reason::continuation:
      return "went on where a stream broke";
  }
  return "";
}

std::string_view why(Exclusion exclusion) {
  switch (exclusion) {
    case Exclusion::incapable:
      return "it cannot express the request";
    case Exclusion::not_meant:
      return "its condition does not hold";
    case Exclusion::no_room:
      return "the prompt does not fit its context";
    case Exclusion::cooling:
      return "it asked for a pause";
    case Exclusion::credential_out:
      return "its credential was refused, or its quota is used up";
    case Exclusion::ejected:
      return "ejected after failures";
    case Exclusion::trial_running:
      return "another request tries whether it is back";
    case Exclusion::degraded:
      return "ejected for worse answers";
    case Exclusion::drained:
      return "drained by hand";
    case Exclusion::full:
      return "it has all the requests that it bears";
  }
  return "";
}

// Odds below it are no evidence.
constexpr double kWorthTelling = 10;

double sum_of(const Terms& terms) {
  return terms.weight + terms.quality + terms.latency + terms.cost + terms.availability;
}

class Explanation {
 public:
  Explanation(const Decision& decision, const scoring::BoardView* scores)
      : decision_(decision), input_(decision.input), plan_(make_plan(decision.input)), scores_(scores) {
    // The whole of each tier's e^sum, as the shares have it; a share of 0 is of what is out.
    for (std::size_t i = 0; i < plan_.terms.size(); ++i) {
      if (plan_.terms[i].share > 0) tiers_[input_.candidates[i].tier] += std::exp(sum_of(plan_.terms[i]));
    }
  }

  std::string text() {
    head();
    for (std::size_t i = 0; i < input_.candidates.size(); ++i) candidate(i);
    order();
    attempts();
    return std::move(out_);
  }

 private:
  std::string name(std::size_t target) const {
    const auto at = [target](const std::vector<std::string>& names, const char* otherwise) {
      return target < names.size() && !names[target].empty() ? names[target] : std::string(otherwise);
    };
    return at(decision_.target_models, "the model asked for") + " @ " +
           at(decision_.providers, ("target " + std::to_string(target)).c_str());
  }

  void line(int indent, const std::string& text) {
    out_.append(static_cast<std::size_t>(indent), ' ');
    out_ += text;
    out_ += '\n';
  }

  void head() {
    std::string text = decision_.model.empty() ? "a request" : "`" + decision_.model + "`";
    if (!decision_.request_id.empty()) text += ", request " + decision_.request_id;
    if (decision_.at_ms > 0) text += ", " + time_text(decision_.at_ms, true);
    if (!decision_.outcome.empty()) text += ": " + decision_.outcome;
    line(0, text);
    if (!decision_.fallback_from.empty())
      line(2, "in place of `" + decision_.fallback_from + "`, which could not serve it");
    text = "strategy " + std::string(config::kStrategies[static_cast<std::size_t>(input_.strategy)]);
    if (input_.strategy == config::Strategy::score) {
      text += format(" (objectives: quality %.2f, latency %.2f, cost %.2f)", input_.objectives.quality,
                     input_.objectives.latency, input_.objectives.cost);
    }
    text += "; about " + grouped(input_.facts.input_tokens) + " tokens in, " +
            grouped(input_.facts.output_tokens) + " out";
    if (!decision_.config_version.empty()) text += "; config " + decision_.config_version;
    line(2, text);
    line(2, format("seed %llx", static_cast<unsigned long long>(input_.seed)) +
                (input_.facts.affinity != 0 ? format(", drawn by what it belongs to: %llx",
                                                     static_cast<unsigned long long>(input_.facts.affinity))
                                            : std::string()));
  }

  const scoring::TargetView* view(std::size_t target) const {
    if (!scores_ || target >= decision_.score_ids.size()) return nullptr;
    return &scores_->of(decision_.score_ids[target]);
  }

  bool has_shares() const {
    return input_.strategy == config::Strategy::score || input_.strategy == config::Strategy::weighted;
  }

  void candidate(std::size_t i) {
    const Candidate& candidate = input_.candidates[i];
    const scoring::TargetView* seen = view(i);
    std::string text = name(i) + ": ";
    for (const Excluded& excluded : plan_.excluded) {
      if (excluded.target == static_cast<int>(i)) text += "out: " + std::string(why(excluded.reason)) + "; ";
    }
    if (candidate.state == scoring::State::ejected && candidate.health.state == State::serving)
      text += "out for worse answers; ";
    const Terms& terms = plan_.terms[i];
    const double full = share_without_quality(i);
    if (has_shares() && terms.share > 0) {
      text += percent(terms.share) + format(" of tier %d", candidate.tier);
      if (std::abs(full - terms.share) >= 0.0005) text += " (would be " + percent(full) + ")";
      text += ", ";
    } else {
      text += format("tier %d, ", candidate.tier);
    }
    text += std::string(name_of(candidate.state));
    if (seen && seen->state_since_ms > 0) text += " since " + clock(seen->state_since_ms);
    if (seen && seen->state_until_ms > 0) text += ", at least until " + clock(seen->state_until_ms);
    line(2, text);
    if (seen && !seen->why.empty()) line(4, seen->why);
    if (seen && seen->alone) line(4, "would be ejected, but nothing better is left");
    if (has_shares() && terms.share > 0) sum_line(i);
    facts(candidate);
    if (seen) evidence(*seen);
  }

  // What its share were if its answers were as good as ever.
  double share_without_quality(std::size_t i) const {
    const Terms& terms = plan_.terms[i];
    const auto tier = tiers_.find(input_.candidates[i].tier);
    if (tier == tiers_.end() || !(terms.share > 0)) return terms.share;
    const double own = std::exp(sum_of(terms)), full = std::exp(sum_of(terms) - terms.quality);
    return full / (tier->second - own + full);
  }

  void sum_line(std::size_t i) {
    const Terms& terms = plan_.terms[i];
    line(4, "ln share: weight " + term(terms.weight) + " | quality " + term(terms.quality) + " | latency " +
                term(terms.latency) + " | cost " + term(terms.cost) + " | availability " +
                term(terms.availability) +
                format("  -> e^%.3f / %.4g = ", sum_of(terms), tiers_.at(input_.candidates[i].tier)) +
                percent(terms.share));
  }

  void facts(const Candidate& candidate) {
    std::string text;
    const auto add = [&](const std::string& fact) { text += (text.empty() ? "" : "; ") + fact; };
    if (candidate.ttft_ms_p50 > 0) {
      add(format("first token after %.0f ms (95 %%: %.0f ms)", candidate.ttft_ms_p50, candidate.ttft_ms_p95) +
          (std::abs(candidate.latency_ratio - 1) >= 0.05 ? format(", lately x%.2f", candidate.latency_ratio)
                                                         : std::string()));
    }
    if (candidate.inter_token_ms > 0) add(format("then %.1f ms a token", candidate.inter_token_ms));
    if (candidate.usd > 0) add(format("$%.6f", candidate.usd));
    if (candidate.in_flight > 0 || candidate.in_flight_max > 0) {
      add(format("%d in flight", candidate.in_flight) +
          (candidate.in_flight_max > 0 ? format(" of %d", candidate.in_flight_max) : std::string()));
    }
    if (candidate.availability < 0.9995) add("answers " + percent(candidate.availability) + " of attempts");
    if (candidate.ramp < 1)
      add("has " + percent(candidate.ramp) + " of its share until it has proved itself");
    if (candidate.quota < 1) add("its rate limit is near: " + percent(candidate.quota) + " of its share");
    if (!text.empty()) line(4, text);
  }

  std::string clock(std::int64_t wall_ms) const {
    constexpr std::int64_t kDay = 86'400'000;
    const std::int64_t reference = scores_ ? scores_->at_ms : decision_.at_ms;
    return time_text(wall_ms, wall_ms / kDay != reference / kDay);
  }

  void evidence(const scoring::TargetView& view) {
    line(4, format("quality %.2f", view.quality) +
                (view.identity_armed ? "; it may be another model than it was (identity armed)"
                                     : std::string()) +
                (view.evidence.empty() ? "; nothing was observed yet" : ""));
    std::string nothing;
    for (const scoring::Evidence& one : view.evidence) {
      if (one.odds >= kWorthTelling) {
        line(6, in_words(one));
      } else {
        nothing += (nothing.empty() ? "no evidence: " : ", ") + std::string(name_of(one.signal)) + " " +
                   counted(one) + " (at most " + percent(one.allowed) + ")";
      }
    }
    if (!nothing.empty()) line(6, nothing);
  }

  static std::string counted(const scoring::Evidence& one) {
    return format("%.4g", one.bad) + " of " + grouped_count(one.seen) + " bad";
  }

  std::string in_words(const scoring::Evidence& one) const {
    std::string text = std::string(name_of(one.signal)) + ": ";
    text += percent(one.mean) + " bad";
    if (one.since_ms > 0) text += " since " + clock(one.since_ms);
    text += " (" + counted(one) + "), at most " + percent(one.allowed) + " allowed";
    text += one.learning ? " [still learning what is usual]"
                         : format(" [baseline v%u, ", one.baseline_version) + percent(one.baseline) + "]";
    text += "; odds " + grouped(one.odds) + ":1 that it became worse";
    if (one.factor < 1) text += format("; severity %.2f -> x%.2f", one.severity, one.factor);
    if (one.ejects > 0.01) text += "; " + percent(std::min(one.ejects, 1.0)) + " of what ejects it";
    return text;
  }

  static std::string grouped_count(std::uint64_t count) {
    return count < 10 ? std::to_string(count) : grouped(static_cast<double>(count));
  }

  void order() {
    if (plan_.attempts.empty()) {
      line(2, plan_.is_full ? "nothing may be tried: all that could serve is full"
              : plan_.retry_after
                  ? "nothing may be tried for " + std::to_string(plan_.retry_after->count()) + " ms"
                  : std::string("no target can serve it"));
      return;
    }
    std::string text = "to be tried: ";
    for (std::size_t i = 0; i < plan_.attempts.size(); ++i) {
      if (i > 0) text += ", then ";
      const PlannedAttempt& attempt = plan_.attempts[i];
      text += name(static_cast<std::size_t>(attempt.target));
      if (i == 0) text += " (" + std::string(why(attempt.reason)) + ")";
    }
    line(2, text);
    if (plan_.degraded) line(2, "degraded: what serves first is known to be worse than it should be");
  }

  void attempts() {
    for (const AttemptRecord& attempt : decision_.attempts) {
      std::string text =
          name(static_cast<std::size_t>(attempt.target)) + ", " + std::string(why(attempt.reason));
      text += format(": after %.1f ms, ", static_cast<double>(attempt.began_ms));
      if (!attempt.ok) {
        text += "failed: " + std::string(name_of(attempt.error));
        if (attempt.upstream_status > 0) text += format(" (status %u)", attempt.upstream_status);
      } else {
        text += "served";
      }
      if (attempt.first_token_ms > 0)
        text += format("; first token at %.1f ms", static_cast<double>(attempt.first_token_ms));
      if (attempt.ended_ms > 0) text += format("; ended at %.1f ms", static_cast<double>(attempt.ended_ms));
      line(2, "tried " + text);
    }
    if (decision_.seam_at >= 0)
      line(2, format("another target went on behind character %.0f", decision_.seam_at));
  }

  const Decision& decision_;
  const PlanInput& input_;
  const Plan plan_;
  const scoring::BoardView* scores_;
  std::map<int, double> tiers_;
  std::string out_;
};

}  // namespace

std::string to_text(const Decision& decision, const scoring::BoardView* scores) {
  return Explanation(decision, scores).text();
}

}  // namespace switchyard::routing
