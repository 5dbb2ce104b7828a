#include "gateway/probing/graders.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace switchyard::probing {

namespace {

constexpr std::string_view kSpace = " \t\r\n";

// What a fenced code block around the whole answer holds, or the answer.
std::string_view without_fence(std::string_view text) {
  if (!text.starts_with("```") || !text.ends_with("```") || text.size() < 6) return text;
  const std::size_t line_end = text.find('\n');
  if (line_end == std::string_view::npos) return text;
  return text.substr(line_end + 1, text.size() - 3 - line_end - 1);
}

// Equal, and of the same types: nlohmann's == takes 1 and 1.0 for equal.
bool same(const nlohmann::json& a, const nlohmann::json& b) {
  if (a.is_number() && b.is_number()) {
    return a.is_number_float() == b.is_number_float() && a == b;
  }
  if (a.type() != b.type()) return false;
  if (a.is_object()) {
    return a.size() == b.size() && std::ranges::all_of(a.items(), [&b](const auto& member) {
             return b.contains(member.key()) && same(member.value(), b.at(member.key()));
           });
  }
  if (a.is_array()) return std::ranges::equal(a, b, same);
  return a == b;
}

}  // namespace

std::string_view name_of(Grade grade) {
  switch (grade) {
    case Grade::pass:
      return "pass";
    case Grade::fail:
      return "fail";
    case Grade::unknown:
      break;
  }
  return "unknown";
}

ProbeReply fold(const std::vector<Event>& events) {
  ProbeReply reply;
  for (const Event& event : events) {
    if (const auto* start = std::get_if<ReplyStart>(&event)) {
      reply.model = start->model;
    } else if (const auto* text = std::get_if<TextDelta>(&event)) {
      reply.text += text->text;
      if (reply.logprobs.empty()) reply.logprobs = text->logprobs;
    } else if (std::holds_alternative<RefusalDelta>(event)) {
      reply.refused = true;
    } else if (const auto* call = std::get_if<ToolCallStart>(&event)) {
      const auto count = static_cast<std::size_t>(call->index) + 1;
      if (reply.calls.size() < count) reply.calls.resize(count);
      reply.calls[count - 1].name = call->name;
    } else if (const auto* piece = std::get_if<ToolCallDelta>(&event)) {
      const auto index = static_cast<std::size_t>(piece->index);
      if (index < reply.calls.size()) reply.calls[index].arguments += piece->arguments;
    } else if (const auto* usage = std::get_if<Usage>(&event)) {
      reply.usage = *usage;
    } else if (const auto* finish = std::get_if<Finish>(&event)) {
      reply.finish = finish->reason;
      reply.refused |= finish->reason == FinishReason::content_filter;
    }
  }
  return reply;
}

bool ended_while_thinking(const ProbeReply& reply) {
  return reply.finish == FinishReason::length && trimmed(reply.text).empty() && reply.calls.empty() &&
         reply.usage && reply.usage->reasoning_tokens > 0;
}

double tokens_of(const ProbeReply& reply) {
  if (reply.usage) return static_cast<double>(reply.usage->input_tokens + reply.usage->output_tokens);
  return static_cast<double>(reply.text.size()) / 4;
}

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) - begin + 1));
}

bool is_exactly(std::string_view text, std::string_view expected) {
  std::string answer = trimmed(text);
  if (answer == expected) return true;
  if (answer.ends_with('.')) answer.pop_back();
  return answer == expected;
}

std::vector<std::string> pieces_of(std::string_view text, char separator) {
  std::vector<std::string> pieces;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    pieces.push_back(trimmed(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  while (!pieces.empty() && pieces.back().empty()) pieces.pop_back();
  return pieces;
}

bool is_list_of(std::string_view text, char separator, std::span<const std::string> expected) {
  std::string answer = trimmed(text);
  if (std::ranges::equal(pieces_of(answer, separator), expected)) return true;
  if (!answer.ends_with('.')) return false;
  answer.pop_back();
  return std::ranges::equal(pieces_of(answer, separator), expected);
}

bool is_json(std::string_view text, const nlohmann::json& expected) {
  const std::string answer = trimmed(text);
  const auto parsed = nlohmann::json::parse(without_fence(answer), nullptr, false);
  return !parsed.is_discarded() && same(parsed, expected);
}

bool are_calls(std::span<const ProbeReply::Call> calls, std::span<const ProbeReply::Call> expected) {
  if (calls.size() != expected.size()) return false;
  return std::is_permutation(calls.begin(), calls.end(), expected.begin(), [](const auto& a, const auto& b) {
    if (a.name != b.name) return false;
    const auto left = nlohmann::json::parse(a.arguments, nullptr, false);
    const auto right = nlohmann::json::parse(b.arguments, nullptr, false);
    return !left.is_discarded() && !right.is_discarded() && same(left, right);
  });
}

std::vector<std::string> words_of(std::string_view text) {
  const auto is_of_word = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '\'' || byte == '-';
  };
  std::vector<std::string> words;
  bool inside = false;
  for (const char c : text) {
    if (!is_of_word(c)) {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    words.back() += c;
  }
  return words;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace switchyard::probing
