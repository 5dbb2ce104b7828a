#pragma once

#include "gateway/admin/admin.h"
#include "gateway/routing/decision.h"
#include "gateway/store/ledger.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace switchyard::admin {

// Decisions as the ledger keeps them.
std::vector<store::DecisionRow> rows_of(const std::vector<routing::Decision>& decisions);

// Asks each of `workers` workers for what it remembers, and `ledger` (null for none) when none remembers
// anything. A text tells what `scores` say of a decision that a worker remembers. `ask` hands worker `i` a
// callback that it may call on any thread, once; `done` is called when the last has answered, on the thread
// that answered it.
using AskWorker =
    std::function<void(std::size_t worker, std::function<void(std::vector<routing::Decision>)> found)>;
void gather_decisions(const DecisionQuery& query, std::size_t workers, const AskWorker& ask,
                      std::shared_ptr<store::Ledger> ledger, scoring::BoardViewPtr scores,
                      DecisionsFound done);

}  // namespace switchyard::admin
