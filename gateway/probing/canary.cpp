#include "gateway/probing/canary.h"

#include "gateway/probing/families.h"
#include "gateway/probing/words.h"

#include <array>

namespace switchyard::probing {

namespace {

struct FamilyRow {
  std::string_view name;
  Canary (*make)(Draw&);
};

// By Family.
constexpr std::array<FamilyRow, kFamilies> kRows{{{"arithmetic", arithmetic},
                                                  {"dates", dates},
                                                  {"json", json},
                                                  {"tool_calls", tool_calls},
                                                  {"constraints", constraints},
                                                  {"table", table},
                                                  {"sorting", sorting},
                                                  {"extraction", extraction},
                                                  {"memory", memory},
                                                  {"code", code},
                                                  {"translation", translation},
                                                  {"long_list", long_list}}};

std::string system_prompt(Draw& draw) {
  const std::string who = draw.wording({"You are a helpful assistant", "You are a careful assistant",
                                        "You help the back office", "You are an expert assistant",
                                        "You support our staff", "You answer questions of colleagues"});
  const std::string where = draw.wording({" of a shop in ", " for a team in ", " at a company in ",
                                          " for our office in ", " of a small business in "});
  const std::string how =
      draw.wording({". Follow the instructions exactly.", ". Be concise.", ". Keep to the format asked for.",
                    ".", ". Answer precisely and briefly."});
  return who + where + std::string(draw.pick(kCities)) + how;
}

}  // namespace

std::string_view name_of(Family family) {
  return kRows[static_cast<std::size_t>(family)].name;
}

std::optional<Family> find_family(std::string_view name) {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<Family>(i);
  }
  return std::nullopt;
}

Canary make_canary(Family family, std::uint64_t seed) {
  Draw draw(seed ^ (static_cast<std::uint64_t>(family) << 56));
  return kRows[static_cast<std::size_t>(family)].make(draw);
}

Grade grade(const Canary& canary, const ProbeReply& reply) {
  if (ended_while_thinking(reply)) return Grade::unknown;
  if (reply.refused) return Grade::fail;
  return canary.is_right(reply) ? Grade::pass : Grade::fail;
}

void add_message(Canary& canary, Role role, std::string text) {
  Message message;
  message.role = role;
  message.parts.emplace_back(TextPart{std::move(text), {}});
  canary.request.messages.push_back(std::move(message));
}

Canary one_turn(Draw& draw, Family family, std::string prompt) {
  Canary canary;
  canary.family = family;
  if (draw.chance(0.4)) add_message(canary, Role::system, system_prompt(draw));
  add_message(canary, Role::user, std::move(prompt));
  // Room for a model that thinks first; one that does not takes what it needs.
  canary.request.max_output_tokens = draw.between(16, 40) * 64;
  if (draw.chance(0.5)) canary.request.temperature = draw.between(0, 7) / 10.0;
  canary.request.stream = draw.chance(0.5);
  canary.request.include_usage = canary.request.stream;
  return canary;
}

std::string arranged(Draw& draw, std::string instruction, std::string material) {
  if (draw.chance(0.5)) return instruction + "\n\n" + material;
  return material + "\n\n" + instruction;
}

std::string only(Draw& draw, std::string_view kind) {
  const std::string what(kind);
  switch (draw.between(0, 6)) {
    case 0:
      return "Reply with the " + what + " only.";
    case 1:
      return "Just the " + what + ", please, nothing else.";
    case 2:
      return "Give me only the " + what + ", without any explanation.";
    case 3:
      return "Your answer should be the " + what + " alone.";
    case 4:
      return "Please answer with nothing but the " + what + ".";
    case 5:
      return "No explanation, only the " + what + ".";
    default:
      return "Output the " + what + " and no other text.";
  }
}

void expect_exactly(Canary& canary, std::string expected) {
  canary.reference.text = expected;
  canary.is_right = [expected = std::move(expected)](const ProbeReply& reply) {
    return reply.calls.empty() && is_exactly(reply.text, expected);
  };
}

void expect_list(Canary& canary, char separator, std::vector<std::string> expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (i > 0) canary.reference.text += separator == ',' ? ", " : std::string(1, separator);
    canary.reference.text += expected[i];
  }
  canary.is_right = [separator, expected = std::move(expected)](const ProbeReply& reply) {
    return reply.calls.empty() && is_list_of(reply.text, separator, expected);
  };
}

}  // namespace switchyard::probing
