#include "gateway/probing/target_probes.h"

#include "gateway/probing/words.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace switchyard::probing {

namespace {

using scoring::Ending;
using scoring::Signal;

constexpr int kGreedyTokens = 16, kTopLogprobs = 20;

// Prompts whose answers can begin in many ways. The same seed and number give the same prompt for ever.
std::string identity_prompt(std::uint64_t seed, std::size_t number) {
  Draw draw(seed + number * 0x632be59bd9b4e019u);
  const std::string topic(draw.pick(kTopics)), thing(draw.pick(kThings)), name(draw.pick(kNames)),
      city(draw.pick(kCities));
  switch (number % 8) {
    case 0:
      return "Write a sentence about " + topic + " and a " + thing + ".";
    case 1:
      return "Name one word that you connect with " + topic + " in " + city + ".";
    case 2:
      return name + " found a " + thing + " near " + city + ". Go on with the story.";
    case 3:
      return "Suggest a name for a " + thing + " made for " + topic + ".";
    case 4:
      return "Give me a short opinion on " + topic + ", please.";
    case 5:
      return "What would " + name + " say about the " + thing + "?";
    case 6:
      return "Pick any colour for a " + thing + " and say why.";
    default:
      return "Begin a letter to " + name + " in " + city + " about " + topic + ".";
  }
}

ChatRequest identity_request(std::uint64_t seed, const Due& due) {
  ChatRequest request;
  Message message;
  message.parts.emplace_back(
      TextPart{identity_prompt(seed ^ static_cast<std::uint64_t>(due.kind), due.prompt), {}});
  request.messages.push_back(std::move(message));
  request.temperature = due.kind == Kind::greedy ? 0.0 : 1.0;
  request.max_output_tokens = due.kind == Kind::greedy ? kGreedyTokens : 1;
  if (due.kind == Kind::logprobs) {
    request.logprobs = true;
    request.top_logprobs = kTopLogprobs;
  }
  return request;
}

// The first token's alternatives out of OpenAI's list; empty when it is not one.
Logprobs first_logprobs(const std::string& text) {
  Logprobs list;
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  if (!parsed.is_array() || parsed.empty() || !parsed[0].is_object()) return list;
  const auto top = parsed[0].find("top_logprobs");
  if (top == parsed[0].end() || !top->is_array()) return list;
  for (const auto& each : *top) {
    if (!each.is_object()) return {};
    const auto token = each.find("token"), value = each.find("logprob");
    if (token == each.end() || value == each.end() || !token->is_string() || !value->is_number()) return {};
    list.emplace_back(hash_of(token->get_ref<const std::string&>()), value->get<double>());
  }
  std::ranges::stable_sort(list, [](const auto& a, const auto& b) { return a.second > b.second; });
  return list;
}

bool is_impossible(ErrorKind kind) {
  return kind == ErrorKind::unsupported || kind == ErrorKind::invalid_request ||
         kind == ErrorKind::context_too_long || kind == ErrorKind::not_found;
}

Ending ending_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::rate_limited:
    case ErrorKind::quota:
      return Ending::limited;
    case ErrorKind::credential:
    case ErrorKind::overloaded:
    case ErrorKind::provider_error:
    case ErrorKind::unreachable:
    case ErrorKind::bad_reply:
    case ErrorKind::connect_timeout:
    case ErrorKind::first_token_timeout:
    case ErrorKind::between_tokens_timeout:
    case ErrorKind::total_timeout:
      return Ending::fault;
    default:
      return Ending::no_verdict;
  }
}

}  // namespace

std::string_view label_of(const Due& due) {
  if (due.kind == Kind::canary) return name_of(due.family);
  if (due.kind == Kind::contract) return name_of(due.contract);
  return name_of(due.kind);
}

TargetProbes::TargetProbes(const config::Probes& settings, std::uint32_t score_id, std::uint64_t seed,
                           std::int64_t now_ms)
    : score_id_(score_id),
      prompts_seed_(Draw(seed).bits()),
      draw_(~seed),
      schedule_(settings, seed, now_ms) {}

std::optional<Probe> TargetProbes::next(std::int64_t now_ms, Pace pace) {
  const auto due = schedule_.next(now_ms, pace);
  if (!due) return std::nullopt;
  Probe probe;
  probe.due = *due;
  switch (due->kind) {
    case Kind::canary: {
      Canary canary = make_canary(due->family, due->seed);
      probe.requests.push_back(canary.request);
      probe.grade = [canary = std::move(canary)](const std::vector<ProbeReply>& replies) {
        return probing::grade(canary, replies.front());
      };
      break;
    }
    case Kind::contract: {
      ContractProbe contract = make_contract(due->contract, due->seed, due->needle_tokens);
      probe.requests = std::move(contract.requests);
      probe.grade = std::move(contract.grade);
      if (due->contract == Contract::seed) probe.needs = {"seed"};
      if (due->contract == Contract::stop) probe.needs = {"stop"};
      break;
    }
    case Kind::sampling:
    case Kind::greedy:
    case Kind::logprobs:
      probe.requests.push_back(identity_request(prompts_seed_, *due));
      if (due->kind == Kind::greedy) probe.needs = {"temperature"};
      if (due->kind == Kind::logprobs) probe.needs = {"logprobs", "top_logprobs"};
  }
  return probe;
}

scoring::Observation TargetProbes::observation(std::int64_t now_ms) const {
  scoring::Observation observation;
  observation.target = score_id_;
  observation.source = scoring::Source::probe;
  observation.at_ms = now_ms;
  return observation;
}

scoring::Observation TargetProbes::of_bit(Signal signal, bool bad, std::int64_t now_ms) const {
  scoring::Observation of = observation(now_ms);
  of.seen = scoring::bit(signal);
  of.bad = bad ? of.seen : 0;
  return of;
}

Verdict TargetProbes::on_error(const Probe& probe, const Error& error, std::int64_t now_ms) {
  const bool cannot = is_impossible(error.kind);
  schedule_.on_end(probe.due, 0, cannot ? End::cannot : End::failed, now_ms);
  // A round does not wait for the token that is missing.
  if (probe.due.kind == Kind::sampling) on_token(probe, ProbeReply(), now_ms);
  Verdict verdict{label_of(probe.due), cannot ? "unknown" : "error", std::nullopt, 0};
  const Ending ending = ending_of(error.kind);
  if (cannot || ending == Ending::no_verdict) return verdict;
  verdict.observation = observation(now_ms);
  verdict.observation->ending = ending;
  return verdict;
}

Verdict TargetProbes::on_replies(const Probe& probe, const std::vector<ProbeReply>& replies,
                                 std::int64_t now_ms) {
  double tokens = 0;
  for (const ProbeReply& reply : replies) tokens += tokens_of(reply);
  Verdict verdict;
  bool could_run = true;
  switch (probe.due.kind) {
    case Kind::canary:
      verdict = on_canary(probe, replies, now_ms);
      could_run = verdict.result != name_of(Grade::unknown);
      break;
    case Kind::contract:
      verdict = on_contract(probe, replies, now_ms);
      break;
    case Kind::sampling:
      could_run = !replies.front().text.empty();
      verdict = on_token(probe, replies.front(), now_ms);
      break;
    case Kind::greedy:
      could_run = !replies.front().text.empty();
      verdict = on_greedy(probe, replies.front(), now_ms);
      break;
    case Kind::logprobs:
      could_run = !first_logprobs(replies.front().logprobs).empty();
      verdict = on_logprobs(probe, replies.front(), now_ms);
  }
  schedule_.on_end(probe.due, tokens, could_run ? End::ran : End::cannot, now_ms);
  verdict.tokens = tokens;
  return verdict;
}

Verdict TargetProbes::on_canary(const Probe& probe, const std::vector<ProbeReply>& replies,
                                std::int64_t now_ms) {
  const Grade grade = probe.grade(replies);
  const bool counts = grade != Grade::unknown && !schedule_.families().is_trying(probe.due.family) &&
                      !schedule_.families().is_left_out(probe.due.family);
  schedule_.families().on_grade(probe.due.family, grade);
  Verdict verdict{label_of(probe.due), name_of(grade), std::nullopt, 0};
  if (counts) verdict.observation = of_bit(Signal::canary, grade == Grade::fail, now_ms);
  return verdict;
}

Verdict TargetProbes::on_contract(const Probe& probe, const std::vector<ProbeReply>& replies,
                                  std::int64_t now_ms) {
  ContractRecord& record = schedule_.contract_record();
  const bool is_usage = probe.due.contract == Contract::usage;
  const auto& usage = replies.front().usage;
  const Grade grade = is_usage ? record.judge_usage(usage ? std::optional(usage->input_tokens) : std::nullopt)
                               : record.judge(probe.due.contract, probe.grade(replies));
  Verdict verdict{label_of(probe.due), name_of(grade), std::nullopt, 0};
  // Another count of tokens is a change that may be harmless, such as a longer template.
  const Signal signal = is_usage ? Signal::usage_mismatch : Signal::contract;
  if (grade != Grade::unknown) verdict.observation = of_bit(signal, grade == Grade::fail, now_ms);
  return verdict;
}

Verdict TargetProbes::of_identity(const Due& due, Signal signal, bool& alarm, bool raised, bool learning,
                                  std::int64_t now_ms) const {
  alarm = raised || (alarm && learning);
  Verdict verdict{label_of(due), name_of(Grade::unknown), std::nullopt, 0};
  if (learning && !alarm) return verdict;
  verdict.result = name_of(alarm ? Grade::fail : Grade::pass);
  verdict.observation = observation(now_ms);
  verdict.observation->graded = true;
  verdict.observation->graded_signal = signal;
  verdict.observation->x = alarm ? 1.0F : 0.0F;
  return verdict;
}

Verdict TargetProbes::on_token(const Probe& probe, const ProbeReply& reply, std::int64_t now_ms) {
  Verdict verdict{label_of(probe.due), name_of(Grade::unknown), std::nullopt, 0};
  if (probe.due.prompt == 0) tokens_.assign(kIdentityPrompts, kUnknown);
  if (tokens_.empty()) return verdict;
  tokens_[probe.due.prompt] = reply.text.empty() ? kUnknown : hash_of(reply.text);
  if (probe.due.prompt + 1 < kIdentityPrompts) return verdict;
  const Round round = sampling_.add_round(std::exchange(tokens_, {}), draw_.unit());
  if (!round.counted) return verdict;
  if (round.alarm) sampling_.relearn();
  return of_identity(probe.due, Signal::identity_sampling, sampling_alarm_, round.alarm, round.learning,
                     now_ms);
}

Verdict TargetProbes::on_greedy(const Probe& probe, const ProbeReply& reply, std::int64_t now_ms) {
  const auto step = greedy_.add(probe.due.prompt, reply.text.empty() ? kUnknown : hash_of(reply.text));
  if (!step.counted) return {label_of(probe.due), name_of(Grade::unknown), std::nullopt, 0};
  if (step.alarm) greedy_.relearn();
  return of_identity(probe.due, Signal::identity_greedy, greedy_alarm_, step.alarm, step.learning, now_ms);
}

Verdict TargetProbes::on_logprobs(const Probe& probe, const ProbeReply& reply, std::int64_t now_ms) {
  Verdict verdict{label_of(probe.due), name_of(Grade::unknown), std::nullopt, 0};
  if (probe.due.prompt == 0) lists_.assign(kLogprobPrompts, {});
  if (lists_.empty()) return verdict;
  lists_[probe.due.prompt] = first_logprobs(reply.logprobs);
  if (probe.due.prompt + 1 < kLogprobPrompts) return verdict;
  const Round round = logprobs_.add_round(std::exchange(lists_, {}), draw_.unit());
  if (!round.counted) return verdict;
  if (round.alarm) logprobs_.relearn();
  return of_identity(probe.due, Signal::identity_logprobs, logprobs_alarm_, round.alarm, round.learning,
                     now_ms);
}

std::string TargetProbes::save() const {
  nlohmann::json families = nlohmann::json::object();
  for (int i = 0; i < kFamilies; ++i) {
    const auto [tried, failed] = schedule_.families().tally(static_cast<Family>(i));
    families[std::string(name_of(static_cast<Family>(i)))] = {tried, failed};
  }
  return nlohmann::json{{"families", std::move(families)}}.dump();
}

void TargetProbes::load(std::string_view saved) {
  const auto parsed = nlohmann::json::parse(saved, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("families") || !parsed["families"].is_object()) return;
  for (const auto& [name, tally] : parsed["families"].items()) {
    const auto family = find_family(name);
    if (!family || !tally.is_array() || tally.size() != 2) continue;
    if (!tally[0].is_number_integer() || !tally[1].is_number_integer()) continue;
    schedule_.families().restore(*family, tally[0].get<int>(), tally[1].get<int>());
  }
}

}  // namespace switchyard::probing
