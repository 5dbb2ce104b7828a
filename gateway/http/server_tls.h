#pragma once

#include "adapters/canonical/result.h"
#include "config/config.h"
#include "gateway/io/socket.h"

namespace switchyard::http {

// A TLS server context (1.2 and later) of a certificate chain and its key. Fails with invalid_request, naming
// the file, when one cannot be read or they do not belong together.
Result<io::SslContextPtr> make_server_tls(const config::Tls& tls);

}  // namespace switchyard::http
