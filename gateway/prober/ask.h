#pragma once

#include "adapters/canonical/event.h"
#include "adapters/canonical/request.h"
#include "gateway/io/task.h"
#include "gateway/relay/snapshot.h"
#include "gateway/upstream/pool.h"

#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::prober {

// Ends what a request of the gateway's own waits for, for one who stops.
struct Interrupt {
  std::function<void()> end;  // Set while something waits.
  bool is_set = false;

  void set() {
    is_set = true;
    // Who waits goes on at once, and takes this object with it.
    if (const auto call = std::exchange(end, nullptr)) call();
  }
};

// What a request of the gateway's own is sent with, and how long it may take.
struct AskOptions {
  // What must reach the target: when it is dropped in writing the request, that fails with unsupported.
  std::vector<std::string_view> needs = {};
  std::chrono::milliseconds connect{2'000}, total{120'000};
  std::uint64_t seed = 0;                  // Of a local model's sampling, where the request has none.
  std::size_t reply_bytes_max = 1u << 20;  // Of a streamed reply's text; more of it is a bad_reply.
};

// Sends a request to this very target, in the target's own dialect and with the head that callers' requests
// have, and gathers the whole answer, streamed or not. Fails with the target's error, with unsupported for
// what the target cannot express, with total_timeout, with cancelled when it was interrupted. What is
// referred to must live until it is done.
io::Task<Result<std::vector<Event>>> ask(upstream::Upstream& upstream, const relay::Target& target,
                                         std::string_view model, ChatRequest request, AskOptions options,
                                         Interrupt& interrupt);

// The name by which a target is called: the configured one, or that of the entry where the caller's name goes
// through. Empty when only a caller could say it.
std::string_view name_for(const relay::Model& model, const relay::Target& target);

}  // namespace switchyard::prober
