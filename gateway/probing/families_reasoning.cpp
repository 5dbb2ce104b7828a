// Canaries whose answer has to be worked out.
#include "gateway/probing/families.h"
#include "gateway/probing/words.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace switchyard::probing {

namespace {

std::string text_of(long long number) {
  return std::to_string(number);
}

std::string bare_chain(Draw& draw, long long& value) {
  value = draw.between(12, 90);
  std::string text =
      draw.wording({"Start with ", "Begin at ", "Take the number ", "You start from "}) + text_of(value);
  for (int step = draw.between(4, 6); step > 0; --step) {
    const int operand = draw.between(3, 60);
    switch (draw.between(0, 2)) {
      case 0:
        text += draw.wording({", add ", ", then add ", ", plus "}) + text_of(operand);
        value += operand;
        break;
      case 1:
        text += draw.wording({", subtract ", ", then subtract ", ", take away "}) + text_of(operand);
        value -= operand;
        break;
      default: {
        const int factor = draw.between(2, value > 2000 || value < -2000 ? 2 : 6);
        text +=
            draw.wording({", multiply by ", ", then multiply the result by ", ", times "}) + text_of(factor);
        value *= factor;
      }
    }
  }
  return text + draw.wording({". What do you get? ", ". What is the result? ", ". Where do you end up? "});
}

std::string story_chain(Draw& draw, long long& value) {
  const int boxes = draw.between(6, 28), each = draw.between(8, 36), sold = draw.between(11, 48);
  const int returned = draw.between(2, 10), groups = draw.between(2, 4);
  value = (static_cast<long long>(boxes) * each - sold + returned) * groups;
  const std::string thing(draw.pick(kThings)), name(draw.pick(kNames)), city(draw.pick(kCities));
  return name + draw.wording({" runs a shop in ", " manages a warehouse in ", " keeps a store in "}) + city +
         ". " + draw.wording({"A delivery brought ", "On Monday there came ", "The truck unloaded "}) +
         text_of(boxes) + " boxes with " + text_of(each) + " " + thing + "s each. " +
         draw.wording({"Customers bought ", "Then the shop sold ", "Over the week people took "}) +
         text_of(sold) + " of them and brought " + text_of(returned) + " back. " +
         draw.wording({"Another depot has exactly ", "The main depot holds exactly ", "Head office has "}) +
         text_of(groups) + " times as many as are now left. " +
         draw.wording({"How many does it have? ", "How many is that? ", "What is that number? "});
}

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

std::string iso(sys_days day) {
  const year_month_day date(day);
  std::array<char, 48> text;
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text.data();
}

sys_days some_day(Draw& draw) {
  return sys_days(std::chrono::year(2016) / 1 / 1) + days(draw.between(0, 6000));
}

// What a program prints, and the program.
struct Program {
  std::string source, output;
};

Program counting_program(Draw& draw) {
  const int end = draw.between(8, 16), divisor = draw.between(2, 4), factor = draw.between(2, 5);
  const std::string total = draw.wording({"total", "acc", "result", "s"});
  const std::string i = draw.wording({"i", "n", "k", "x"});
  long long value = 0;
  for (int n = 1; n < end; ++n) value += n % divisor == 0 ? n * factor : -1;
  return {total + " = 0\nfor " + i + " in range(1, " + text_of(end) + "):\n    if " + i + " % " +
              text_of(divisor) + " == 0:\n        " + total + " += " + i + " * " + text_of(factor) +
              "\n    else:\n        " + total + " -= 1\nprint(" + total + ")",
          text_of(value)};
}

Program slicing_program(Draw& draw) {
  const std::string word = std::string(draw.pick(kListWords)) + std::string(draw.pick(kThings));
  const int step = draw.between(2, 3), from = draw.between(0, 2);
  std::string out;
  for (std::size_t i = static_cast<std::size_t>(from); i < word.size(); i += static_cast<std::size_t>(step)) {
    out += word[i];
  }
  std::ranges::reverse(out);
  const std::string name = draw.wording({"word", "text", "s", "value"});
  return {name + " = \"" + word + "\"\n" + name + " = " + name + "[" + text_of(from) + "::" + text_of(step) +
              "]\nprint(" + name + "[::-1])",
          out};
}

Program list_program(Draw& draw) {
  std::vector<int> list;
  std::string shown;
  for (int i = draw.between(6, 9); i > 0; --i) {
    list.push_back(draw.between(1, 60));
    shown += (shown.empty() ? "" : ", ") + text_of(list.back());
  }
  const int limit = draw.between(15, 40);
  long long sum = 0, count = 0;
  for (const int each : list) {
    if (each <= limit) continue;
    sum += each;
    ++count;
  }
  const std::string name = draw.wording({"values", "data", "numbers", "xs"});
  return {name + " = [" + shown + "]\nkept = [v for v in " + name + " if v > " + text_of(limit) +
              "]\nprint(sum(kept) * 10 + len(kept))",
          text_of(sum * 10 + count)};
}

}  // namespace

Canary arithmetic(Draw& draw) {
  long long value = 0;
  std::string question = draw.chance(0.5) ? bare_chain(draw, value) : story_chain(draw, value);
  Canary canary = one_turn(draw, Family::arithmetic, question + only(draw, "number"));
  expect_exactly(canary, text_of(value));
  return canary;
}

Canary dates(Draw& draw) {
  static constexpr std::array<std::string_view, 7> kWeekdays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                             "Thursday", "Friday", "Saturday"};
  const sys_days day = some_day(draw);
  const int span = draw.between(17, 140);
  const std::string what =
      draw.wording({"A contract", "The project", "Our lease", "The course", "A warranty"});
  std::string question, kind, expected;
  switch (draw.between(0, 2)) {
    case 0:
      question = what + draw.wording({" starts on ", " begins on ", " runs from "}) + iso(day) +
                 draw.wording({" and ends exactly ", " and is over exactly "}) + text_of(span) +
                 " days later. " + draw.wording({"On which date? ", "What date is that? "}) +
                 "Use the form YYYY-MM-DD. ";
      kind = "date";
      expected = iso(day + days(span));
      break;
    case 1:
      question = draw.wording(
          {"How many days is it from ", "How many days lie between ", "What is the number of days from "});
      question += iso(day) + (question.find("between") == std::string::npos ? " to " : " and ") +
                  iso(day + days(span)) + ", counting only one of the two ends? ";
      kind = "number";
      expected = text_of(span);
      break;
    default:
      question = what + draw.wording({" started on ", " was signed on ", " dates from "}) + iso(day) + ". " +
                 draw.wording({"Which weekday was that? ", "What day of the week was it? "});
      kind = "weekday";
      expected = kWeekdays[std::chrono::weekday(day).c_encoding()];
  }
  Canary canary = one_turn(draw, Family::dates, question + only(draw, kind));
  expect_exactly(canary, expected);
  return canary;
}

Canary table(Draw& draw) {
  const auto cities = draw.sample(kCities, 8);
  const auto things = draw.sample(kThings, 30);
  const char separator = draw.pick(std::string_view("|,;\t"));
  std::string text = draw.wording({"item", "article", "product", "name"});
  for (const auto city : cities) text += separator + std::string(city);
  std::vector<std::vector<int>> values;
  for (const auto thing : things) {
    text += "\n" + std::string(thing);
    auto& row = values.emplace_back();
    for (std::size_t i = 0; i < cities.size(); ++i) {
      row.push_back(draw.between(1000, 99999));
      text += separator + text_of(row.back());
    }
  }
  const auto row = static_cast<std::size_t>(draw.between(0, 29)),
             column = static_cast<std::size_t>(draw.between(0, 7));
  const std::string thing(things[row]), city(cities[column]);
  const std::string question =
      draw.wording({"How many of the item " + thing + " are in ", "What is the stock of " + thing + " in ",
                    "Look up " + thing + " for ", "Which value does " + thing + " have for "}) +
      city + "? " + only(draw, "number");
  Canary canary = one_turn(draw, Family::table, arranged(draw, question, text));
  expect_exactly(canary, text_of(values[row][column]));
  return canary;
}

Canary sorting(Draw& draw) {
  const bool descending = draw.chance(0.5), numbers = draw.chance(0.5);
  std::vector<std::string> items;
  if (numbers) {
    std::vector<int> drawn;
    while (drawn.size() < 12) {
      const int number = draw.between(100, 999);
      if (std::ranges::find(drawn, number) == drawn.end()) drawn.push_back(number);
    }
    for (const int number : drawn) items.push_back(text_of(number));
  } else {
    for (const auto word : draw.sample(kListWords, 10)) items.emplace_back(word);
  }
  std::string shown;
  for (const std::string& item : items) shown += (shown.empty() ? "" : ", ") + item;
  std::ranges::sort(items);
  if (descending) std::ranges::reverse(items);
  const std::string order = numbers
                                ? (descending ? "from largest to smallest" : "from smallest to largest")
                                : (descending ? "in reverse alphabetical order" : "in alphabetical order");
  const bool lines = draw.chance(0.5);
  const std::string form =
      lines
          ? draw.wording({"Put each on a line of its own.", "One per line.", "Write one item on each line."})
          : draw.wording({"Separate them with commas.", "Give them as a comma-separated list."});
  const std::string instruction = draw.wording({"Sort these ", "Please sort them ", "Order the following ",
                                                "Arrange the items below or above "}) +
                                  order + ". " + form + " " + only(draw, "sorted list");
  Canary canary = one_turn(draw, Family::sorting, arranged(draw, instruction, shown));
  expect_list(canary, lines ? '\n' : ',', std::move(items));
  return canary;
}

Canary code(Draw& draw) {
  static constexpr Program (*kPrograms[])(Draw&) = {counting_program, slicing_program, list_program};
  const Program program = draw.pick(kPrograms)(draw);
  const std::string question =
      draw.wording({"What does this Python program print? ", "Which output does the following Python give? ",
                    "I cannot run this Python here: what would it print? ",
                    "Work out what this Python script prints. "}) +
      only(draw, "output");
  const bool fenced = draw.chance(0.7);
  Canary canary =
      one_turn(draw, Family::code,
               arranged(draw, question, fenced ? "```python\n" + program.source + "\n```" : program.source));
  expect_exactly(canary, program.output);
  return canary;
}

}  // namespace switchyard::probing
