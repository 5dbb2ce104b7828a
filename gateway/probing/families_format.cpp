// Canaries whose answer has to keep a form.
#include "gateway/probing/families.h"
#include "gateway/probing/words.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace switchyard::probing {

namespace {

std::string text_of(int number) {
  return std::to_string(number);
}

// An order, told in words and as JSON.
struct Order {
  std::string told;
  nlohmann::json object;
};

Order some_order(Draw& draw) {
  const std::string name = std::string(draw.pick(kNames)) + " " + std::string(draw.pick(kSurnames));
  const std::string city(draw.pick(kCities));
  const auto things = draw.sample(kThings, draw.between(2, 3));
  const bool express = draw.chance(0.5);
  const int number = draw.between(1000, 9999);
  Order order;
  order.object = {{"customer", name}, {"city", city}, {"order_number", number}, {"express", express}};
  order.object["items"] = nlohmann::json::array();
  std::string goods;
  for (std::size_t i = 0; i < things.size(); ++i) {
    const int count = draw.between(2, 19);
    order.object["items"].push_back({{"name", things[i]}, {"count", count}});
    goods += i == 0 ? "" : i + 1 == things.size() ? " and " : ", ";
    goods += text_of(count) + " times the item \"" + std::string(things[i]) + "\"";
  }
  order.told =
      draw.wording({"Order " + text_of(number) + " came from ", "Number " + text_of(number) + " is for ",
                    "We have order " + text_of(number) + " of "}) +
      name + " in " + city + ". " + draw.wording({"It asks for ", "They want ", "The list has "}) + goods +
      ". " +
      (express ? draw.wording({"It goes by express.", "Express delivery was chosen."})
               : draw.wording({"No express delivery is needed.", "It is not an express order."}));
  return order;
}

constexpr std::string_view kOrderSchema =
    R"({"type":"object","properties":{"customer":{"type":"string"},"city":{"type":"string"},)"
    R"("order_number":{"type":"integer"},"express":{"type":"boolean"},"items":{"type":"array","items":)"
    R"({"type":"object","properties":{"name":{"type":"string"},"count":{"type":"integer"}},)"
    R"("required":["name","count"],"additionalProperties":false}}},)"
    R"("required":["customer","city","order_number","express","items"],"additionalProperties":false})";

Tool some_tool(std::string name, std::string description, nlohmann::json properties) {
  nlohmann::json required = nlohmann::json::array();
  for (const auto& [property, schema] : properties.items()) required.push_back(property);
  Tool tool;
  tool.name = std::move(name);
  tool.description = std::move(description);
  tool.parameters = nlohmann::json{
      {"type", "object"},
      {"properties", std::move(properties)},
      {"required", std::move(required)},
      {"additionalProperties",
       false}}.dump();
  return tool;
}

std::string code_like(Draw& draw, int letters, char dash, int digits) {
  std::string text;
  for (int i = 0; i < letters; ++i) text += static_cast<char>('A' + draw.between(0, 25));
  text += dash;
  for (int i = 0; i < digits; ++i) text += static_cast<char>('0' + draw.between(0, 9));
  return text;
}

struct Noun {
  std::string_view english, french, german, spanish;  // Plural.
};

constexpr Noun kNouns[] = {{"umbrellas", "parapluies", "Regenschirme", "paraguas"},
                           {"bottles", "bouteilles", "Flaschen", "botellas"},
                           {"spoons", "cuill\u00e8res", "L\u00f6ffel", "cucharas"},
                           {"keys", "cl\u00e9s", "Schl\u00fcssel", "llaves"},
                           {"bridges", "ponts", "Br\u00fccken", "puentes"},
                           {"windows", "fen\u00eatres", "Fenster", "ventanas"},
                           {"horses", "chevaux", "Pferde", "caballos"},
                           {"shirts", "chemises", "Hemden", "camisas"},
                           {"knives", "couteaux", "Messer", "cuchillos"},
                           {"trees", "arbres", "B\u00e4ume", "\u00e1rboles"},
                           {"chairs", "chaises", "St\u00fchle", "sillas"},
                           {"birds", "oiseaux", "V\u00f6gel", "p\u00e1jaros"}};

constexpr Noun kNumbers[] = {
    {"three", "trois", "drei", "tres"},       {"four", "quatre", "vier", "cuatro"},
    {"five", "cinq", "f\u00fcnf", "cinco"},   {"six", "six", "sechs", "seis"},
    {"seven", "sept", "sieben", "siete"},     {"eight", "huit", "acht", "ocho"},
    {"nine", "neuf", "neun", "nueve"},        {"twelve", "douze", "zw\u00f6lf", "doce"},
    {"twenty", "vingt", "zwanzig", "veinte"}, {"thirty", "trente", "drei\u00dfig", "treinta"}};

std::string_view in_language(const Noun& noun, int language) {
  return language == 0 ? noun.french : language == 1 ? noun.german : noun.spanish;
}

}  // namespace

Canary json(Draw& draw) {
  Order order = some_order(draw);
  const std::string instruction = draw.wording({"Turn this note into a JSON object that fits the schema: ",
                                                "Extract the data as one JSON object of this schema: ",
                                                "Convert the text to JSON. The schema is ",
                                                "I need this as a JSON object which validates against: "}) +
                                  std::string(kOrderSchema) + "\n" + only(draw, "JSON object");
  Canary canary = one_turn(draw, Family::json, arranged(draw, instruction, order.told));
  canary.reference.text = order.object.dump();
  canary.is_right = [object = std::move(order.object)](const ProbeReply& reply) {
    return reply.calls.empty() && is_json(reply.text, object);
  };
  return canary;
}

Canary tool_calls(Draw& draw) {
  const std::string city(draw.pick(kCities)), name(draw.pick(kNames)), thing(draw.pick(kThings));
  const int count = draw.between(2, 40), day = draw.between(1, 14);
  const std::string priority = draw.wording({"low", "normal", "high"});
  const std::string stock_tool =
      draw.wording({"get_stock", "check_inventory", "lookup_stock", "stock_level"});
  const std::string task_tool = draw.wording({"create_task", "add_task", "schedule_task", "new_reminder"});
  Canary canary = one_turn(
      draw, Family::tool_calls,
      draw.wording({"Please do two things at once: ", "Two jobs for you, both now: ", "Do both of these: ",
                    "I need two things: ", "Could you take care of both: "}) +
          "look up the stock of the item \"" + thing + "\" in the warehouse \"" + city +
          "\" for a quantity of " + text_of(count) + ", and set up a task for the assignee \"" + name +
          "\" due in " + text_of(day) + " days with " + priority + " priority. " +
          draw.wording({"Call each tool exactly once.", "One call for each.", "Use both tools, once each."}));
  canary.request.tools = {
      some_tool(stock_tool, "How much of an item a warehouse has.",
                {{"item", {{"type", "string"}}},
                 {"warehouse", {{"type", "string"}}},
                 {"quantity", {{"type", "integer"}}}}),
      some_tool(task_tool, "Gives somebody a task.",
                {{"assignee", {{"type", "string"}}},
                 {"due_in_days", {{"type", "integer"}}},
                 {"priority", {{"type", "string"}, {"enum", {"low", "normal", "high"}}}}})};
  if (draw.chance(0.5)) std::swap(canary.request.tools[0], canary.request.tools[1]);
  std::vector<ProbeReply::Call> calls = {
      {stock_tool, nlohmann::json{{"item", thing}, {"warehouse", city}, {"quantity", count}}.dump()},
      {task_tool, nlohmann::json{{"assignee", name}, {"due_in_days", day}, {"priority", priority}}.dump()}};
  canary.reference.calls = calls;
  canary.reference.finish = FinishReason::tool_calls;
  canary.is_right = [calls = std::move(calls)](const ProbeReply& reply) {
    return are_calls(reply.calls, calls);
  };
  return canary;
}

Canary constraints(Draw& draw) {
  const int count = draw.between(7, 12);
  const char letter = draw.pick(std::string_view("bcfgkmpvw"));
  const std::string topic(draw.pick(kTopics));
  std::vector<std::string> bank, required;
  for (const auto word : kPlainWords) {
    if (word.find(letter) == std::string_view::npos) (word.size() >= 4 ? required : bank).emplace_back(word);
  }
  const std::string word = draw.pick(required);
  const std::string number = text_of(count), forbidden(1, letter);
  Canary canary = one_turn(
      draw, Family::constraints,
      draw.wording({"Write one sentence of exactly " + number + " words",
                    "I need a single sentence with exactly " + number + " words",
                    "Compose a sentence that has exactly " + number + " words",
                    "Please give me one sentence with " + number + " words exactly",
                    "Exactly " + number + " words, in a single sentence"}) +
          (topic.find(letter) == std::string::npos ? " about " + topic : std::string()) + ". " +
          draw.wording({"It must contain the word \"" + word + "\"", "Use the word \"" + word + "\" in it"}) +
          draw.wording({" and must not contain the letter \"", " and avoid the letter \""}) + forbidden +
          "\" anywhere. " + only(draw, "sentence"));
  std::vector<std::string> words{word};
  while (static_cast<int>(words.size()) < count) words.push_back(draw.pick(bank));
  for (const std::string& each : words) canary.reference.text += (&each == &words[0] ? "" : " ") + each;
  canary.reference.text += ".";
  canary.is_right = [count, letter, word](const ProbeReply& reply) {
    const std::string text = lower(reply.text);
    const auto found = words_of(text);
    return reply.calls.empty() && static_cast<int>(found.size()) == count &&
           text.find(letter) == std::string::npos && std::ranges::find(found, word) != found.end();
  };
  return canary;
}

Canary extraction(Draw& draw) {
  const int letters = draw.between(2, 3), digits = draw.between(3, 5);
  const char dash = draw.pick(std::string_view("-/#"));
  std::vector<std::string> codes, notes;
  for (int i = draw.between(3, 6); i > 0; --i) codes.push_back(code_like(draw, letters, dash, digits));
  for (const std::string& code : codes) {
    notes.push_back(
        draw.wording({"The parcel ", "Please check ", "We still miss ", "Returned: ", "Invoice "}) + code +
        draw.wording({" arrived late", " is with ", " was sent by ", " belongs to "}) +
        std::string(draw.pick(kNames)) + ".");
  }
  // Near ones: a digit too few or too many, a letter too few, small letters.
  const auto add_decoy = [&](const std::string& decoy) {
    const auto place = notes.begin() + draw.between(0, static_cast<int>(notes.size()));
    notes.insert(place,
                 "The old label said " + decoy + draw.wording({", ignore it.", " at first.", " back then."}));
  };
  add_decoy(code_like(draw, letters, dash, digits - 1));
  add_decoy(code_like(draw, letters + 1, dash, digits));
  add_decoy(lower(code_like(draw, letters, dash, digits)));
  std::string text;
  for (const std::string& note : notes) text += (text.empty() ? "" : " ") + note;
  const std::string instruction =
      draw.wording({"List every code", "Find all codes", "Extract all codes"}) + " of exactly " +
      text_of(letters) + " capital letters, then \"" + dash + "\", then exactly " + text_of(digits) +
      " digits, in the order of the text, " +
      draw.wording({"separated by commas. ", "as one comma-separated line. "}) + only(draw, "list");
  Canary canary = one_turn(draw, Family::extraction, arranged(draw, instruction, text));
  expect_list(canary, ',', std::move(codes));
  return canary;
}

Canary memory(Draw& draw) {
  const std::string name(draw.pick(kNames)), thing(draw.pick(kThings)), city(draw.pick(kCities));
  const std::string code = code_like(draw, 2, '-', 4), shelf = code_like(draw, 1, '-', 2);
  Canary canary = one_turn(
      draw, Family::memory,
      draw.wording({"For later: ", "Please keep in mind: ", "Some notes first. ", "Remember this: "}) + name +
          "'s locker code is " + code + ", the spare " + thing + " is on shelf " + shelf +
          ", and the van is in " + city + ".");
  const auto filler = draw.sample(kTopics, 2);
  add_message(canary, Role::assistant,
              draw.wording({"Noted.", "Got it.", "I will remember that.", "Understood."}));
  add_message(canary, Role::user,
              draw.wording({"Which goes better with a rainy day, ", "What would you rather read about, "}) +
                  std::string(filler[0]) + " or " + std::string(filler[1]) + "?");
  add_message(canary, Role::assistant,
              draw.wording({"Probably ", "I would say ", "My choice is "}) + std::string(filler[0]) + ".");
  const bool asks_code = draw.chance(0.5);
  add_message(
      canary, Role::user,
      (asks_code
           ? draw.wording({"What is " + name + "'s locker code? ", "Which code does " + name + " have? "})
           : draw.wording({"On which shelf is the " + thing + "? ", "Where was the spare " + thing + "? "})) +
          only(draw, asks_code ? "code" : "shelf"));
  expect_exactly(canary, asks_code ? code : shelf);
  return canary;
}

Canary translation(Draw& draw) {
  static constexpr std::array<std::string_view, 3> kLanguages{"French", "German", "Spanish"};
  const int language = draw.between(0, 2);
  const Noun& first = draw.pick(kNouns);
  const Noun* second = &draw.pick(kNouns);
  while (second == &first) second = &draw.pick(kNouns);
  const Noun& count = draw.pick(kNumbers);
  const Noun* other = &draw.pick(kNumbers);
  while (other == &count) other = &draw.pick(kNumbers);
  const std::string english = std::string(count.english) + " " + std::string(first.english) + " and " +
                              std::string(other->english) + " " + std::string(second->english);
  const std::string target(kLanguages[static_cast<std::size_t>(language)]);
  Canary canary = one_turn(
      draw, Family::translation,
      draw.wording({"Translate into " + target + ": ", "How do you say in " + target + ": ",
                    "Put this into " + target + ": ", "In " + target + ", please: "}) +
          "\"" + english + "\". " + draw.wording({"Write numbers as words. ", "Spell the numbers out. "}) +
          only(draw, "translation"));
  const std::array<std::string, 5> expected{
      std::string(in_language(count, language)), std::string(in_language(first, language)),
      language == 0   ? "et"
      : language == 1 ? "und"
                      : "y",
      std::string(in_language(*other, language)), std::string(in_language(*second, language))};
  for (const std::string& word : expected) {
    canary.reference.text += (canary.reference.text.empty() ? "" : " ") + word;
  }
  canary.is_right = [expected](const ProbeReply& reply) {
    const auto words = words_of(reply.text);
    const auto alike = [](const std::string& a, const std::string& b) { return lower(a) == lower(b); };
    return reply.calls.empty() && std::ranges::equal(words, expected, alike);
  };
  return canary;
}

Canary long_list(Draw& draw) {
  const int count = draw.between(22, 40);
  const char letter = draw.pick(std::string_view("abcdeflmprst"));
  Canary canary =
      one_turn(draw, Family::long_list,
               draw.wording({"List exactly ", "Give me exactly ", "I need exactly ", "Write down exactly "}) +
                   text_of(count) + " different English words that begin with the letter \"" + letter +
                   "\", in small letters, " + draw.wording({"one per line", "each on its own line"}) +
                   ", without numbering and without repeating any. " + only(draw, "list"));
  // Enough like words for a grader that has no dictionary.
  std::vector<std::string> words;
  for (const auto word : draw.sample(kListWords, count)) words.push_back(letter + std::string(word));
  for (const std::string& word : words) canary.reference.text += word + "\n";
  canary.is_right = [count, letter](const ProbeReply& reply) {
    auto lines = pieces_of(trimmed(reply.text), '\n');
    const bool fits = std::ranges::all_of(lines, [letter](const std::string& line) {
      return line.starts_with(letter) &&
             std::ranges::all_of(line, [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
    });
    std::ranges::sort(lines);
    return reply.calls.empty() && fits && static_cast<int>(lines.size()) == count &&
           std::ranges::adjacent_find(lines) == lines.end();
  };
  return canary;
}

}  // namespace switchyard::probing
