#include "gateway/scoring/watch_memory.h"

#include <algorithm>
#include <cstring>

namespace switchyard::scoring {

std::uint64_t hash_of(std::string_view bytes, std::uint64_t seed) {
  // Four lanes of multiply and rotate, as in xxHash, so that the multiplications do not wait for each other.
  constexpr std::uint64_t kA = 0x9E3779B185EBCA87u, kB = 0xC2B2AE3D27D4EB4Fu;
  const auto word = [&](std::size_t at) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
  };
  const auto turn = [](std::uint64_t x, int by) { return x << by | x >> (64 - by); };
  std::array<std::uint64_t, 4> lanes = {seed + kA, seed ^ kB, seed, seed - kA};
  std::size_t at = 0;
  for (; at + 32 <= bytes.size(); at += 32) {
    for (std::size_t i = 0; i < 4; ++i) lanes[i] = turn(lanes[i] + word(at + 8 * i) * kB, 31) * kA;
  }
  std::uint64_t hash = bytes.size() * kA;
  for (const std::uint64_t lane : lanes) hash = turn(hash ^ lane, 27) * kA + kB;
  for (; at + 8 <= bytes.size(); at += 8) hash = turn(hash ^ word(at) * kB, 29) * kA;
  for (; at < bytes.size(); ++at) hash = turn(hash ^ static_cast<unsigned char>(bytes[at]) * kA, 11) * kB;
  hash ^= hash >> 33;
  hash *= kB;
  hash ^= hash >> 29;
  return hash != 0 ? hash : 1;
}

AnswerRules::AnswerRules(const Dialect& dialect, std::string_view body, const Envelope& envelope) {
  auto read = read_expectations(dialect, body, envelope);
  if (!read) return;
  // OpenAI's old `functions` are not among them, nor are tools that the provider names.
  knows_tools_ = !read->has_hosted_tools && (!envelope.tools.empty() || !envelope.has_tools);
  for (Tool& tool : read->tools) {
    tools_.push_back({std::move(tool.name), tool.custom, {std::move(tool.parameters), nullptr}});
  }
  if (read->format) format_.text = std::move(read->format->schema);
}

const JsonSchema* AnswerRules::compiled(Schema& schema) {
  if (!schema.text.empty()) {
    if (auto made = JsonSchema::compile(schema.text)) schema.compiled = std::move(*made);
    schema.text = std::string();
  }
  return schema.compiled.get();
}

AnswerRules::CallVerdict AnswerRules::check_call(std::string_view name, std::string_view arguments) {
  const auto tool = std::ranges::find(tools_, name, &KnownTool::name);
  const bool is_known = tool != tools_.end();
  if (knows_tools_ && !is_known) return CallVerdict::bad;
  if (is_known && tool->is_custom) return CallVerdict::good;
  if (arguments.find_first_not_of(" \t\r\n") == arguments.npos) arguments = "{}";
  const JsonSchema* const schema = is_known ? compiled(tool->schema) : nullptr;
  switch (schema ? schema->check(arguments) : check_json(arguments, true)) {
    case JsonSchema::Verdict::kept:
      return CallVerdict::good;
    case JsonSchema::Verdict::unknown:
      return CallVerdict::unknown;
    default:
      return CallVerdict::bad;
  }
}

JsonSchema::Verdict AnswerRules::check_output(std::string_view text) {
  const JsonSchema* const schema = compiled(format_);
  return schema ? schema->check(text) : check_json(text, false);
}

std::shared_ptr<AnswerRules> WatchMemory::rules_of(const Dialect& dialect, std::string_view body,
                                                   const Envelope& envelope, std::uint64_t hash,
                                                   std::int64_t now_ms) {
  if (const auto found = rules_by_hash_.find(hash); found != rules_by_hash_.end()) {
    rules_.splice(rules_.begin(), rules_, found->second);
    return found->second->second;
  }
  if (now_ms / 1000 != second_) {
    second_ = now_ms / 1000;
    new_bytes_ = 0;
  }
  const std::size_t bytes = kRulesBytes + (envelope.tools.end - envelope.tools.begin) +
                            (envelope.format.end - envelope.format.begin);
  if (new_bytes_ + bytes > kNewBytesASecond) return nullptr;
  new_bytes_ += bytes;
  auto rules = std::make_shared<AnswerRules>(dialect, body, envelope);
  rules_.emplace_front(hash, rules);
  rules_by_hash_[hash] = rules_.begin();
  if (rules_.size() > kRulesMax) {
    rules_by_hash_.erase(rules_.back().first);
    rules_.pop_back();
  }
  return rules;
}

void WatchMemory::read(const Dialect& dialect, std::string_view body, const Envelope& envelope,
                       std::uint64_t key, std::int64_t now_ms, RequestTraits& traits) {
  traits.has_tools = envelope.has_tools;
  traits.wants_json = envelope.wants_json;
  traits.has_stop = envelope.has_stop;
  traits.is_single = envelope.choices == 1;
  traits.asked_tokens = envelope.output_tokens_max;
  traits.rules = nullptr;
  traits.settings = hash_of(envelope.format.of(body), hash_of(envelope.tools.of(body)));
  if (!envelope.tools.empty() || !envelope.format.empty())
    traits.rules = rules_of(dialect, body, envelope, traits.settings ^ hash_of(dialect.name()), now_ms);
  const std::string_view said = envelope.conversation.of(body);
  constexpr std::size_t kBegin = 256;
  const std::size_t begin = std::min(said.size(), kBegin);
  const std::string_view end =
      said.substr(said.size() - std::min(said.size() - begin, traits.prompt.size() - kBegin));
  std::memcpy(traits.prompt.data(), said.data(), begin);
  std::memcpy(traits.prompt.data() + begin, end.data(), end.size());
  traits.prompt_bytes = static_cast<std::uint32_t>(begin + end.size());
  // A conversation grows at its end: its length, its beginning and its end tell it from any other.
  const std::string_view sample(traits.prompt.data(), traits.prompt_bytes);
  traits.conversation =
      said.empty() ? 0 : hash_of(sample, hash_of({}, key ^ said.size() * 0x9E3779B97F4A7C15u));
}

std::optional<bool> WatchMemory::answered(const RequestTraits& traits, std::uint32_t target,
                                          std::int64_t input_tokens, std::int64_t now_ms) {
  if (traits.conversation == 0) return std::nullopt;
  Answer& answer = answers_[traits.conversation % kAnswers];
  const bool is_same = answer.conversation == traits.conversation && answer.settings == traits.settings &&
                       answer.target == target && answer.input_tokens > 0 && input_tokens > 0;
  const bool agrees = answer.input_tokens == input_tokens;
  answer = {traits.conversation, traits.settings, now_ms, input_tokens, target, false};
  return is_same ? std::optional<bool>(agrees) : std::nullopt;
}

std::optional<std::uint32_t> WatchMemory::asked_again(const RequestTraits& traits, std::int64_t now_ms) {
  if (traits.conversation == 0) return std::nullopt;
  Answer& answer = answers_[traits.conversation % kAnswers];
  if (answer.conversation != traits.conversation || answer.settings != traits.settings || answer.is_blamed ||
      now_ms - answer.at_ms > kAgainMs) {
    return std::nullopt;
  }
  answer.is_blamed = true;
  return answer.target;
}

std::optional<bool> WatchMemory::is_usual_build(std::uint64_t target_and_model, std::uint64_t build) {
  Build& entry = builds_[target_and_model % kBuilds];
  if (entry.owner != target_and_model) {
    if (entry.owner != 0) return std::nullopt;  // Two share a place: the first keeps it.
    entry.owner = target_and_model;
  }
  if (std::ranges::find(entry.known, build) != entry.known.end()) {
    entry.candidate_seen = 0;
    return entry.seen < kLearnBuilds ? (++entry.seen, std::nullopt) : std::optional<bool>(true);
  }
  if (entry.seen < kLearnBuilds) {
    const auto room = std::ranges::find(entry.known, std::uint64_t{0});
    if (room != entry.known.end()) *room = build;
    ++entry.seen;
    return std::nullopt;
  }
  if (entry.candidate != build) entry.candidate_seen = 0;
  entry.candidate = build;
  if (++entry.candidate_seen >= kNewBuild) entry.known = {build};
  return false;
}

std::uint32_t WatchMemory::usual_scripts(std::uint64_t model) const {
  const ModelScripts& entry = models_[model % kModels];
  if (entry.model != model) return 0;
  std::uint32_t usual = 0;
  for (std::size_t i = 1; i < kScripts; ++i) {
    const std::uint32_t with = entry.with[i];
    if (with >= kUsualAnswers && with * kUsualShare >= entry.answers) usual |= bit(static_cast<Script>(i));
  }
  return usual;
}

void WatchMemory::count_answer(std::uint64_t model, std::uint32_t scripts) {
  ModelScripts& entry = models_[model % kModels];
  if (entry.model == 0) entry.model = model;
  if (entry.model != model) return;
  ++entry.answers;
  for (std::size_t i = 1; scripts != 0 && i < kScripts; ++i) {
    if (scripts & bit(static_cast<Script>(i))) ++entry.with[i];
  }
  if (entry.answers < kHalve) return;
  entry.answers /= 2;
  for (auto& with : entry.with) with /= 2;
}

}  // namespace switchyard::scoring
