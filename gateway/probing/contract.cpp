#include "gateway/probing/contract.h"

#include "gateway/probing/draw.h"
#include "gateway/probing/words.h"

#include <algorithm>

namespace switchyard::probing {

namespace {

constexpr std::array<std::string_view, kContracts> kNamesOfContracts{"usage", "max_tokens", "stop",
                                                                     "seed",  "echo",       "needle"};
constexpr int kBytesOfToken = 4;  // About, of English.

ChatRequest request_of(std::string prompt, int max_tokens) {
  ChatRequest request;
  Message message;
  message.parts.emplace_back(TextPart{std::move(prompt), {}});
  request.messages.push_back(std::move(message));
  request.max_output_tokens = max_tokens;
  return request;
}

std::string some_characters(Draw& draw, int count) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
  std::string text;
  for (int i = 0; i < count; ++i) text += draw.pick(kAlphabet);
  return text;
}

ProbeReply reply_of(std::string text, FinishReason finish = FinishReason::stop) {
  ProbeReply reply;
  reply.text = std::move(text);
  reply.finish = finish;
  return reply;
}

// A sentence that means little and says nothing of codes.
std::string some_sentence(Draw& draw) {
  return std::string(draw.pick(kNames)) +
         draw.wording({" talked about ", " wrote a note on ", " read of ", " asked us about "}) +
         std::string(draw.pick(kTopics)) +
         draw.wording({" and bought a ", " and repaired a ", " and lost a "}) +
         std::string(draw.pick(kThings)) + draw.wording({" in ", " near ", " on the way to "}) +
         std::string(draw.pick(kCities)) + ". ";
}

ContractProbe usage(Draw& draw) {
  ContractProbe probe;
  std::string text;
  for (int i = draw.between(4, 7); i > 0; --i) text += some_sentence(draw);
  probe.requests.push_back(request_of(text + "Sum this up in one word.", 16));
  probe.reference.push_back(reply_of("Errands"));
  probe.grade = [](const std::vector<ProbeReply>& replies) {
    return replies.front().usage ? Grade::pass : Grade::unknown;
  };
  return probe;
}

ContractProbe max_tokens(Draw& draw) {
  const int limit = draw.between(20, 48), from = draw.between(2, 90);
  ContractProbe probe;
  probe.requests.push_back(
      request_of(draw.wording({"Count from ", "Please count upwards from ", "Write all numbers from "}) +
                     std::to_string(from) + " to " + std::to_string(from + 300) +
                     draw.wording({", separated by spaces.", " as digits, one after the other.",
                                   ", with commas between."}),
                 limit));
  ProbeReply right = reply_of(std::to_string(from), FinishReason::length);
  right.usage = Usage{.input_tokens = 20, .output_tokens = limit};
  probe.reference.push_back(std::move(right));
  probe.grade = [limit](const std::vector<ProbeReply>& replies) {
    const ProbeReply& reply = replies.front();
    if (!reply.usage || ended_while_thinking(reply)) return Grade::unknown;
    if (reply.usage->output_tokens > limit + 1) return Grade::fail;
    if (reply.finish != FinishReason::length) return Grade::unknown;  // It did not want to go on.
    return reply.usage->output_tokens + 2 >= limit ? Grade::pass : Grade::fail;
  };
  return probe;
}

ContractProbe stop(Draw& draw) {
  const auto words = draw.sample(kListWords, 8);
  std::string list;
  for (const auto word : words) list += (list.empty() ? "" : ", ") + std::string(word);
  const std::string first(words.front()), end(words[5]);
  ContractProbe probe;
  probe.requests.push_back(request_of(
      draw.wording({"Copy this list as it is: ", "Repeat these words in order: ", "Write out once more: "}) +
          list,
      200));
  probe.requests.front().stop = {end};
  std::string before = list.substr(0, list.find(end));
  probe.reference.push_back(reply_of(std::move(before)));
  probe.grade = [first, end](const std::vector<ProbeReply>& replies) {
    const ProbeReply& reply = replies.front();
    if (reply.text.find(end) != std::string::npos) return Grade::fail;
    return reply.text.find(first) != std::string::npos ? Grade::pass : Grade::unknown;
  };
  return probe;
}

ContractProbe seed(Draw& draw) {
  ContractProbe probe;
  ChatRequest request =
      request_of(draw.wording({"Invent a name for a shop that sells a ", "Make up a slogan for a "}) +
                     std::string(draw.pick(kThings)) + " from " + std::string(draw.pick(kCities)) + ".",
                 24);
  request.seed = draw.between(1, 1'000'000);
  request.temperature = 1.0;
  probe.requests = {request, request};
  probe.reference = {reply_of("Northlight"), reply_of("Northlight")};
  probe.grade = [](const std::vector<ProbeReply>& replies) {
    if (replies[0].text.empty() || replies[1].text.empty()) return Grade::unknown;
    return replies[0].text == replies[1].text ? Grade::pass : Grade::fail;
  };
  return probe;
}

ContractProbe echo(Draw& draw) {
  const std::string text = some_characters(draw, 64);
  ContractProbe probe;
  probe.requests.push_back(
      request_of(draw.wording({"Repeat this exactly and write nothing else: ",
                               "Send the following back unchanged, without any other text: ",
                               "Echo this identifier, character by character, and nothing more: "}) +
                     text,
                 1024));
  probe.reference.push_back(reply_of(text));
  probe.grade = [text](const std::vector<ProbeReply>& replies) {
    if (ended_while_thinking(replies.front())) return Grade::unknown;
    return is_exactly(replies.front().text, text) ? Grade::pass : Grade::fail;
  };
  return probe;
}

ContractProbe needle(Draw& draw, int tokens) {
  static constexpr std::array<double, 3> kDepths{0.05, 0.5, 0.95};
  const std::string owner(draw.pick(kSurnames)), code = some_characters(draw, 10);
  const std::string sentence =
      draw.wording({"The pass phrase of ", "The gate code of ", "The reference of "}) + owner + " is " +
      code + ". ";
  const auto bytes = static_cast<std::size_t>(std::max(tokens, 100)) * kBytesOfToken;
  const auto place = static_cast<std::size_t>(static_cast<double>(bytes) * draw.pick(kDepths));
  std::string text;
  bool is_placed = false;
  while (text.size() < bytes) {
    if (!is_placed && text.size() >= place) {
      text += sentence;
      is_placed = true;
    }
    text += some_sentence(draw);
  }
  if (!is_placed) text += sentence;
  ContractProbe probe;
  probe.requests.push_back(request_of(
      text + "\n\nWhich code, phrase or reference belongs to " + owner + "? Reply with it alone.", 1024));
  probe.reference.push_back(reply_of(code));
  probe.grade = [code](const std::vector<ProbeReply>& replies) {
    if (ended_while_thinking(replies.front())) return Grade::unknown;
    return replies.front().text.find(code) != std::string::npos ? Grade::pass : Grade::fail;
  };
  return probe;
}

}  // namespace

std::string_view name_of(Contract contract) {
  return kNamesOfContracts[static_cast<std::size_t>(contract)];
}

ContractProbe make_contract(Contract contract, std::uint64_t seed_of_it, int needle_tokens) {
  Draw draw(seed_of_it ^ (static_cast<std::uint64_t>(contract) << 48));
  ContractProbe probe;
  switch (contract) {
    case Contract::usage:
      probe = usage(draw);
      break;
    case Contract::max_tokens:
      probe = max_tokens(draw);
      break;
    case Contract::stop:
      probe = stop(draw);
      break;
    case Contract::seed:
      probe = seed(draw);
      break;
    case Contract::echo:
      probe = echo(draw);
      break;
    case Contract::needle:
      probe = needle(draw, needle_tokens);
      break;
  }
  probe.contract = contract;
  return probe;
}

Grade ContractRecord::judge(Contract contract, Grade grade) {
  Row& row = rows_[static_cast<std::size_t>(contract)];
  if (grade == Grade::unknown || row.dropped) return Grade::unknown;
  if (row.kept >= kLearnt) return grade;
  if (grade == Grade::pass) {
    ++row.kept;
  } else {
    row.dropped = true;
  }
  return Grade::unknown;
}

Grade ContractRecord::judge_usage(std::optional<std::int64_t> input_tokens) {
  if (!input_tokens || *input_tokens <= 0) return Grade::unknown;
  if (!expected_) {
    expected_ = input_tokens;
    return Grade::unknown;
  }
  if (input_tokens == expected_) {
    others_ = 0;
    return Grade::pass;
  }
  others_ = input_tokens == other_ ? others_ + 1 : 1;
  other_ = input_tokens;
  if (others_ >= kLearnt) {
    expected_ = other_;
    others_ = 0;
  }
  return Grade::fail;
}

bool ContractRecord::is_dropped(Contract contract) const {
  return rows_[static_cast<std::size_t>(contract)].dropped;
}

}  // namespace switchyard::probing
