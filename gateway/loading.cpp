#include "gateway/loading.h"

#include "gateway/descriptors.h"
#include "gateway/http/server_tls.h"

namespace switchyard {

config::LoadResult read_config(const std::string& path) {
  const config::Environment environment = config::system_environment();
  if (!path.empty()) return config::load_file(path, environment);
  config::LoadResult result;
  result.config = config::default_config(environment);
  return result;
}

Result<Loaded> prepare(config::Config config, std::uint64_t descriptors, const relay::Snapshot* previous,
                       telemetry::Metrics& metrics) {
  Loaded loaded;
  config.server.limits.connections = connections_within(descriptors, config.server.limits.connections);
  if (config.server.tls) {
    auto tls = http::make_server_tls(*config.server.tls);
    if (!tls) return tls.error();
    loaded.tls = std::move(*tls);
  }
  auto snapshot = relay::compile(std::move(config), previous, metrics);
  if (!snapshot) return snapshot.error();
  loaded.snapshot = std::move(*snapshot);
  return loaded;
}

std::string to_text(const std::vector<config::Problem>& problems) {
  std::string text;
  for (const config::Problem& problem : problems) text += problem.text() + "\n";
  return text;
}

}  // namespace switchyard
