#pragma once

#include "gateway/relay/reply.h"
#include "gateway/relay/snapshot.h"

#include <string>
#include <string_view>

namespace switchyard::relay {

// What the head of a request to a target depends on, besides the body.
struct HeadInput {
  const Target& target;
  std::string_view dialect;  // The surface's, by name.
  std::string_view path;     // As it is sent.
  std::string_view accept;
  Headers from_caller;  // Fields of the caller that may go on: forwarded_headers().
};

// Writes the head of `request`, whose body must be complete: the fields, the credential, and where a request
// is signed its signature, which holds for minutes. Where a token is needed, request.tokens says who gives
// it.
void write_head(const HeadInput& input, upstream::Upstream& upstream, HttpRequest& request);

}  // namespace switchyard::relay
