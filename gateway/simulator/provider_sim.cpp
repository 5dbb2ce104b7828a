#include "gateway/simulator/provider_sim.h"

#include <algorithm>
#include <cmath>

namespace switchyard::simulator {

namespace {

using scoring::Signal;

constexpr double kLoadCorrelation = 0.995;  // Of one request with the next: e^(-1/200).
constexpr double kToolCalls = 0.5;          // Of requests with tools, so many end with a call.

std::uint32_t tokens(double count) {
  return static_cast<std::uint32_t>(std::clamp(count, 1.0, 1e8));
}

}  // namespace

SimRequest draw_request(const Traffic& traffic, Random& random) {
  SimRequest request;
  request.input_tokens = tokens(random.log_normal(traffic.input_tokens, traffic.input_sd));
  request.output_tokens = tokens(random.log_normal(traffic.output_tokens, traffic.output_sd));
  request.has_tools = random.chance(traffic.tools);
  request.wants_json = random.chance(traffic.json);
  request.streamed = random.chance(traffic.stream);
  return request;
}

ProviderSim::ProviderSim(const Traffic& traffic, const Behaviour& usual, std::size_t index)
    : traffic_(traffic), behaviour_(usual), index_(index), random_(traffic.seed, 1000 + index) {
  begin_day(0);
}

void ProviderSim::behave(const Behaviour& behaviour) {
  behaviour_ = behaviour;
}

// e^(sd z - sd^2 / 2) has the mean 1: over many days the rate is what was asked for.
void ProviderSim::begin_day(std::int64_t day) {
  const auto number = static_cast<std::uint64_t>(day);
  Random common(traffic_.seed ^ (number << 20), 1), own(traffic_.seed ^ (number << 20), 2 + index_);
  const double a = traffic_.day_sd, b = behaviour_.day_sd;
  day_factor_ = std::exp(a * common.normal() + b * own.normal() - (a * a + b * b) / 2);
}

double ProviderSim::rate_today(Signal signal) const {
  return std::min(1.0, behaviour_.bad[static_cast<std::size_t>(signal)] * day_factor_);
}

SimReply ProviderSim::reply(const SimRequest& request) {
  SimReply reply;
  scoring::Observation& seen = reply.seen;
  seen.streamed = request.streamed;
  seen.had_tools = request.has_tools;
  seen.input_tokens = request.input_tokens;
  seen.stratum = scoring::stratum_of(request.input_tokens, request.has_tools, request.streamed);
  double slowness = random_.log_normal(1, behaviour_.ttft_sd);
  if (behaviour_.load_sd > 0) {
    load_ = kLoadCorrelation * load_ + std::sqrt(1 - kLoadCorrelation * kLoadCorrelation) * random_.normal();
    slowness *= std::exp(behaviour_.load_sd * load_);
  }
  const double ttft_ms = behaviour_.ttft_ms * slowness;
  if (random_.chance(behaviour_.failures)) {
    seen.ending = scoring::Ending::fault;
  } else if (random_.chance(behaviour_.rate_limited)) {
    seen.ending = scoring::Ending::limited;
  }
  if (seen.ending != scoring::Ending::ok) {
    reply.duration_ms = ttft_ms;
    seen.duration_ms = static_cast<float>(ttft_ms);
    return reply;
  }
  seen.output_tokens = tokens(request.output_tokens * behaviour_.output_factor);
  reply.ttft_ms = ttft_ms;
  reply.duration_ms = ttft_ms + behaviour_.inter_token_ms * (seen.output_tokens - 1);
  seen.ttft_ms = static_cast<float>(ttft_ms);
  seen.inter_token_ms = static_cast<float>(behaviour_.inter_token_ms);
  seen.duration_ms = static_cast<float>(reply.duration_ms);
  seen.text_bytes = seen.output_tokens * 4;
  judge(request, reply);
  return reply;
}

void ProviderSim::judge(const SimRequest& request, SimReply& reply) {
  scoring::Observation& seen = reply.seen;
  seen.finished_with_tools = request.has_tools && random_.chance(kToolCalls);
  for (int i = 0; i <= static_cast<int>(Signal::declared_identity); ++i) {
    const auto signal = static_cast<Signal>(i);
    if (behaviour_.bad[static_cast<std::size_t>(i)] < 0) continue;
    if (signal == Signal::tool_call_invalid && !seen.finished_with_tools) continue;
    if (signal == Signal::output_invalid && !request.wants_json) continue;
    seen.seen |= scoring::bit(signal);
    if (random_.chance(rate_today(signal))) seen.bad |= scoring::bit(signal);
  }
  reply.is_bad = seen.bad != 0;
}

scoring::Observation ProviderSim::probe() {
  scoring::Observation seen;
  seen.source = scoring::Source::probe;
  for (const Signal signal : {Signal::canary, Signal::contract}) {
    if (behaviour_.bad[static_cast<std::size_t>(signal)] < 0) continue;
    seen.seen |= scoring::bit(signal);
    if (random_.chance(rate_today(signal))) seen.bad |= scoring::bit(signal);
  }
  return seen;
}

}  // namespace switchyard::simulator
