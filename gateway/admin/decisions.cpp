#include "gateway/admin/decisions.h"

#include <algorithm>
#include <mutex>

namespace switchyard::admin {

namespace {

// What the workers have said so far.
struct Gathered {
  std::mutex mutex;
  std::size_t missing = 0;
  std::vector<routing::Decision> decisions;
};

std::string written(const std::vector<routing::Decision>& decisions, bool as_text,
                    const scoring::BoardView* scores) {
  std::string all;
  for (const routing::Decision& decision : decisions) {
    all += as_text ? routing::to_text(decision, scores) : routing::to_json(decision);
    if (!all.ends_with('\n')) all += '\n';
    if (as_text) all += '\n';
  }
  return all;
}

// Lines that were kept, as texts. What cannot be read back is shown as it is.
std::string texts_of(std::string_view lines) {
  std::string all;
  while (!lines.empty()) {
    const auto end = std::min(lines.find('\n'), lines.size());
    const auto decision = routing::decision_from_json(lines.substr(0, end));
    all += decision ? written({*decision}, true, nullptr) : std::string(lines.substr(0, end)) + "\n";
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return all;
}

void finish(const DecisionQuery& query, std::vector<routing::Decision> decisions, store::Ledger* ledger,
            const scoring::BoardViewPtr& scores, const DecisionsFound& done) {
  if (decisions.empty() && ledger) {
    const store::DecisionQuery asked{query.request_id, query.model, static_cast<int>(query.limit)};
    ledger->find_decisions(asked, [done, as_text = query.as_text](const store::Ledger::Found& found) {
      if (!found) return done({}, found.error().message);
      std::string lines = found->value_or(std::string());
      done(as_text ? texts_of(lines) : std::move(lines), {});
    });
    return;
  }
  std::ranges::stable_sort(decisions, std::greater(), &routing::Decision::at_ms);
  if (decisions.size() > query.limit) decisions.resize(query.limit);
  done(written(decisions, query.as_text, scores.get()), {});
}

}  // namespace

std::vector<store::DecisionRow> rows_of(const std::vector<routing::Decision>& decisions) {
  std::vector<store::DecisionRow> rows;
  rows.reserve(decisions.size());
  for (const routing::Decision& decision : decisions) {
    rows.push_back({decision.request_id, decision.model, decision.at_ms, routing::to_json(decision)});
  }
  return rows;
}

void gather_decisions(const DecisionQuery& query, std::size_t workers, const AskWorker& ask,
                      std::shared_ptr<store::Ledger> ledger, scoring::BoardViewPtr scores,
                      DecisionsFound done) {
  const auto gathered = std::make_shared<Gathered>();
  gathered->missing = workers;
  for (std::size_t worker = 0; worker < workers; ++worker) {
    ask(worker, [query, gathered, ledger, scores, done](std::vector<routing::Decision> found) {
      std::unique_lock lock(gathered->mutex);
      auto& all = gathered->decisions;
      all.insert(all.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
      if (--gathered->missing > 0) return;
      std::vector<routing::Decision> decisions = std::move(all);
      lock.unlock();
      finish(query, std::move(decisions), ledger.get(), scores, done);
    });
  }
}

}  // namespace switchyard::admin
