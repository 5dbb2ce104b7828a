#pragma once

#include "gateway/http/exchange.h"
#include "gateway/relay/snapshot.h"
#include "gateway/telemetry/metrics.h"

#include <functional>
#include <memory>
#include <string>

namespace switchyard::admin {

// What the admin port asks of the program around it.
struct Control {
  std::function<std::shared_ptr<const relay::Snapshot>()> snapshot;
  std::function<bool()> ready;  // False while draining.
  // Reloads, which takes a while, and then calls `done` on the admin port's event loop with what is wrong:
  // nothing when the configuration was accepted.
  std::function<void(std::function<void(std::string problems)> done)> reload;
};

// The admin port: health, metrics, and what operators look at. It never answers on the application port.
class AdminEndpoints final : public http::Handler {
 public:
  AdminEndpoints(telemetry::Metrics& metrics, Control control);

  io::Task<void> handle(http::Exchange& exchange) override;
  std::string refusal_body(int status, std::string_view path, std::string_view message) const override;

 private:
  std::string providers() const;
  io::Task<void> reload(http::Exchange& exchange);

  telemetry::Metrics& metrics_;
  Control control_;
};

}  // namespace switchyard::admin
