#pragma once

#include "gateway/http/exchange.h"
#include "gateway/relay/snapshot.h"
#include "gateway/telemetry/metrics.h"

#include <functional>
#include <memory>
#include <string>

namespace switchyard::admin {

// Which decisions: of one request, or the newest, of a model where one is named.
struct DecisionQuery {
  std::string request_id, model;
  std::size_t limit = 20;
  bool as_text = false;  // For people; else a line of JSON each.
};

// The decisions, the newest first; `problem` says why some may be missing.
using DecisionsFound = std::function<void(std::string decisions, std::string problem)>;

// What the admin port asks of the program around it.
struct Control {
  std::function<std::shared_ptr<const relay::Snapshot>()> snapshot;
  std::function<bool()> ready;  // False while draining.
  // Reloads, which takes a while, and then calls `done` on the admin port's event loop with what is wrong:
  // nothing when the configuration was accepted.
  std::function<void(std::function<void(std::string problems)> done)> reload;
  std::function<scoring::BoardViewPtr()> scores;  // Never null.
  // These two answer as `reload` does. `targets`: how many the provider has; 0: there is no such provider.
  std::function<void(std::string provider, bool drained, std::function<void(std::size_t targets)> done)>
      set_drained;
  std::function<void(const DecisionQuery& query, DecisionsFound done)> decisions;
};

// The admin port: health, metrics, and what operators look at. It never answers on the application port.
class AdminEndpoints final : public http::Handler {
 public:
  AdminEndpoints(telemetry::Metrics& metrics, Control control);

  io::Task<void> handle(http::Exchange& exchange) override;
  std::string refusal_body(int status, std::string_view path, std::string_view message) const override;

 private:
  std::string providers() const;
  std::string routes(std::string_view query) const;
  io::Task<void> reload(http::Exchange& exchange);
  io::Task<void> set_drained(http::Exchange& exchange, std::string_view name, bool drained);
  io::Task<void> decisions(http::Exchange& exchange);

  telemetry::Metrics& metrics_;
  Control control_;
};

}  // namespace switchyard::admin
