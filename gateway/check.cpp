#include "gateway/http/server_tls.h"
#include "gateway/loading.h"
#include "gateway/serve.h"

#include <cstdio>

namespace switchyard {

int check(const std::string& config_path) {
  auto read = read_config(config_path);
  if (read.config && read.config->server.tls) {
    if (const auto tls = http::make_server_tls(*read.config->server.tls); !tls) {
      read.problems.push_back({config_path, 0, 0, tls.error().message});
    }
  }
  for (config::Problem warning : read.warnings) {
    warning.message = "warning: " + warning.message;
    std::fprintf(stderr, "%s\n", warning.text().c_str());
  }
  if (!read.problems.empty()) {
    std::fputs(to_text(read.problems).c_str(), stderr);
    return 1;
  }
  std::printf("%s: ok, %zu models, %zu providers, version %s\n", config_path.c_str(),
              read.config->models.size(), read.config->providers.size(), read.config->version.c_str());
  return 0;
}

}  // namespace switchyard
