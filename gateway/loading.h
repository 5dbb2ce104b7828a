#pragma once

#include "config/load.h"
#include "gateway/io/socket.h"
#include "gateway/relay/snapshot.h"

#include <memory>
#include <string>
#include <vector>

namespace switchyard {

// A configuration ready to run: compiled, with the TLS context of `listen` (null for plain HTTP).
struct Loaded {
  std::shared_ptr<const relay::Snapshot> snapshot;
  io::SslContextPtr tls;
};

// Reads the file, or the embedded default when `path` is empty. Never throws.
config::LoadResult read_config(const std::string& path);

// Compiles what was read, which takes seconds for a large local model. Fails with invalid_request for what
// cannot be seen in the file alone, such as a certificate that does not fit its key.
// `descriptors` bound the connections. Inherits engines and health from `previous`, when it is not null.
Result<Loaded> prepare(config::Config config, std::uint64_t descriptors, const relay::Snapshot* previous,
                       telemetry::Metrics& metrics);

// Every problem in the form of compilers, a line each.
std::string to_text(const std::vector<config::Problem>& problems);

}  // namespace switchyard
