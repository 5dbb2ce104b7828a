#include "gateway/routing/hedge.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace switchyard::routing {

namespace {

constexpr std::uint32_t kPrimarySamplesMin = 100, kBackupSamplesMin = 20;
constexpr double kMedianFactor = 1.5;  // Of the delay, at least.
constexpr double kQuotaMin = 0.1;
// Of the throttle and of what tells that all is slow.
constexpr double kGoodGives = 0.1;
constexpr double kLatePartMax = 0.1, kRemembered = 100, kWeightMin = 20;

struct Known {
  double z;  // The normal quantile.
  double ln_ms;
};

// The normal distribution's quantile: Acklam's rational approximation has 1e-9; this needs 1e-3, which
// Abramowitz and Stegun 26.2.23 gives (error < 4.5e-4).
double normal_quantile(double q) {
  const double tail = std::min(q, 1 - q);
  const double t = std::sqrt(-2 * std::log(std::max(tail, 1e-12)));
  const double z =
      t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  return q < 0.5 ? -z : z;
}

bool is_known(const HedgeInput& input) {
  return input.primary.samples >= kPrimarySamplesMin && input.backup.samples >= kBackupSamplesMin;
}

std::string format(const char* pattern, double a, double b, double c, double d) {
  std::array<char, 256> text{};
  const int size = std::snprintf(text.data(), text.size(), pattern, a, b, c, d);
  return {text.data(), static_cast<std::size_t>(std::clamp(size, 0, static_cast<int>(text.size()) - 1))};
}

}  // namespace

double ttft_quantile_ms(const scoring::LatencyView& times, double q) {
  if (times.ttft_ms_p50 <= 0) return 0;
  const auto ln = [&](float ms) { return std::log(std::max(ms, times.ttft_ms_p50)); };
  const Known known[] = {
      {0, ln(times.ttft_ms_p50)}, {1.64485, ln(times.ttft_ms_p95)}, {2.32635, ln(times.ttft_ms_p99)}};
  const double z = normal_quantile(q);
  // Outside of the three the nearer pair's line goes on.
  const Known& low = z <= known[1].z ? known[0] : known[1];
  const Known& high = z <= known[1].z ? known[1] : known[2];
  return std::exp(low.ln_ms + (high.ln_ms - low.ln_ms) * (z - low.z) / (high.z - low.z));
}

HedgeAdvice advise_hedge(const HedgeInput& input) {
  HedgeAdvice advice;
  const auto& settings = input.settings;
  if (settings.after) {
    advice.delay = *settings.after;
  } else if (is_known(input)) {
    const double percentile_ms = ttft_quantile_ms(input.primary, settings.percentile);
    const double delay_ms = std::max(percentile_ms, kMedianFactor * input.primary.ttft_ms_p50);
    advice.delay = std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(delay_ms)));
  }
  if (input.keeps_cache) {
    advice.verdict = HedgeVerdict::cache_lost;
  } else if (input.backup_quota < kQuotaMin) {
    advice.verdict = HedgeVerdict::quota_short;
  } else if (!is_known(input)) {
    advice.verdict = settings.after ? HedgeVerdict::fixed_time : HedgeVerdict::unknown;
  } else {
    const double hedged_ms = static_cast<double>(advice.delay.count()) + input.backup.ttft_ms_p50;
    advice.verdict =
        input.primary.ttft_ms_p99 > hedged_ms ? HedgeVerdict::worth_it : HedgeVerdict::not_worth_it;
  }
  advice.starts = advice.verdict == HedgeVerdict::worth_it || advice.verdict == HedgeVerdict::fixed_time;
  return advice;
}

std::string to_text(const HedgeAdvice& advice, const HedgeInput& input) {
  const double delay_ms = static_cast<double>(advice.delay.count());
  switch (advice.verdict) {
    case HedgeVerdict::worth_it:
      return format(
          "a second attempt after %.0f ms is worth it: one in a hundred first tokens takes longer than %.0f "
          "ms, "
          "and the backup's usual %.0f ms would bring it within %.0f ms",
          delay_ms, input.primary.ttft_ms_p99, input.backup.ttft_ms_p50, delay_ms + input.backup.ttft_ms_p50);
    case HedgeVerdict::not_worth_it:
      return format(
          "no second attempt: 99 of 100 first tokens come within %.0f ms, and one more after %.0f ms, with "
          "the "
          "backup's usual %.0f ms, would come at %.0f ms",
          input.primary.ttft_ms_p99, delay_ms, input.backup.ttft_ms_p50, delay_ms + input.backup.ttft_ms_p50);
    case HedgeVerdict::unknown:
      return format(
          "no second attempt yet: of %.0f first tokens of this size %.0f were seen here, and of %.0f "
          "at the backup %.0f",
          kPrimarySamplesMin, input.primary.samples, kBackupSamplesMin, input.backup.samples);
    case HedgeVerdict::cache_lost:
      return "no second attempt: the prompt's cache is at the first target";
    case HedgeVerdict::quota_short:
      return format("no second attempt: the backup's rate limit has room for %.0f %% of its requests",
                    100 * input.backup_quota, 0, 0, 0);
    case HedgeVerdict::fixed_time:
      return format("a second attempt after the configured %.0f ms", delay_ms, 0, 0, 0);
  }
  return {};
}

void HedgeGate::on_request(double budget) {
  saved_ = std::min(kSavedMax, saved_ + budget);
}

void HedgeGate::on_first_token(bool was_late) {
  late_ += ((was_late ? 1 : 0) - late_) / std::min(seen_ + 1, kRemembered);
  seen_ += 1;
}

void HedgeGate::on_attempt_end(bool ok) {
  tokens_ = ok ? std::min(kTokensMax, tokens_ + kGoodGives) : std::max(0.0, tokens_ - 1);
}

std::string_view HedgeGate::try_hedge() {
  if (seen_ >= kWeightMin && late_ > kLatePartMax) return "all_slow";
  if (tokens_ <= kTokensMax / 2) return "throttled";
  if (saved_ < 1) return "budget";
  saved_ -= 1;
  return {};
}

}  // namespace switchyard::routing
