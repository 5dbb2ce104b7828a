#pragma once

#include "adapters/canonical/event.h"
#include "adapters/canonical/request.h"
#include "adapters/canonical/result.h"

#include <string>
#include <vector>

namespace switchyard {

// Canonical values as text that a person reads: one line a value, strings quoted as in JSON, nothing left out
// but what is empty. Two values are equal when their dumps are.
std::string dump(const ChatRequest& request);
std::string dump(const Event& event);
std::string dump(const std::vector<Event>& events);
std::string dump(const Usage& usage);
std::string dump(const Error& error);

// The events with neighbouring deltas of one kind joined: how a reply was cut into pieces is no part of it.
std::vector<Event> merged(const std::vector<Event>& events);

}  // namespace switchyard
