#pragma once

#include "gateway/probing/canary.h"
#include "gateway/probing/draw.h"

#include <string>
#include <utility>

namespace switchyard::probing {

// One generator a family (canary.h); what all of them share comes first.

// A conversation of one turn, in a shape that applications send: sometimes with a system prompt, a
// temperature, streamed.
Canary one_turn(Draw& draw, Family family, std::string prompt);
// Puts context and instruction together in either order, with a blank line between.
std::string arranged(Draw& draw, std::string instruction, std::string material);
// "Only the number, please." and the like, for one `kind` of answer ("number", "date").
std::string only(Draw& draw, std::string_view kind);
// The answer is `expected`, alone.
void expect_exactly(Canary& canary, std::string expected);
// The answer is a list of these, in this order.
void expect_list(Canary& canary, char separator, std::vector<std::string> expected);
void add_message(Canary& canary, Role role, std::string text);

Canary arithmetic(Draw& draw);
Canary dates(Draw& draw);
Canary json(Draw& draw);
Canary tool_calls(Draw& draw);
Canary constraints(Draw& draw);
Canary table(Draw& draw);
Canary sorting(Draw& draw);
Canary extraction(Draw& draw);
Canary memory(Draw& draw);
Canary code(Draw& draw);
Canary translation(Draw& draw);
Canary long_list(Draw& draw);

}  // namespace switchyard::probing
