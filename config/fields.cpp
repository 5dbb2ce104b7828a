#include "config/fields.h"

#include "config/model_fields.h"
#include "config/provider_fields.h"
#include "config/quality_fields.h"

#include <algorithm>

namespace switchyard::config {

namespace {

using Words = const std::string_view[];

constexpr Words kPriorities = {"batch", "normal", "interactive"};
constexpr Words kContent = {"off"};
constexpr Words kContentLater = {"on"};
constexpr Words kLogLevels = {"trace", "debug", "info", "warning", "error"};

constexpr Field kLimitsFields[] = {
    {.name = "body", .kind = Kind::size, .description = "The largest request body."},
    {.name = "headers", .kind = Kind::size, .description = "The largest head of a request."},
    {.name = "connections",
     .kind = Kind::integer,
     .description = "The most client connections at a time.",
     .min = 1,
     .max = 1'000'000},
    {.name = "request_read",
     .kind = Kind::duration,
     .description = "The time to read one request, head and body."},
    {.name = "idle",
     .kind = Kind::duration,
     .description = "How long a connection may wait between requests."},
    {.name = "drain",
     .kind = Kind::duration,
     .description = "How long open requests may go on after SIGTERM."},
    {.name = "heartbeat",
     .kind = Kind::duration,
     .description = "The longest silence of a stream, at most 15s: then it carries a comment."},
};
constexpr Record kLimits{"limits", kLimitsFields};

constexpr Field kTlsFields[] = {
    {.name = "certificate",
     .kind = Kind::text,
     .description = "PEM file with the certificate chain.",
     .required = true},
    {.name = "private_key",
     .kind = Kind::text,
     .description = "PEM file with the private key.",
     .required = true},
};
constexpr Record kTls{"tls", kTlsFields};

constexpr Field kServerFields[] = {
    {.name = "listen", .kind = Kind::address, .description = "What applications call."},
    {.name = "admin",
     .kind = Kind::address,
     .description = "Metrics, health and the admin API; keep it private."},
    {.name = "tls", .kind = Kind::record, .description = "TLS on `listen`.", .record = &kTls},
    {.name = "workers",
     .kind = Kind::auto_or_count,
     .description = "Worker threads; auto is one a core.",
     .min = 1,
     .max = 1024},
    {.name = "limits",
     .kind = Kind::record,
     .description = "Bounds on what clients may use.",
     .record = &kLimits},
};
constexpr Record kServer{"server", kServerFields};

constexpr Field kKeyFields[] = {
    {.name = "name",
     .kind = Kind::text,
     .description = "Who it is: shown in logs and metrics.",
     .required = true},
    {.name = "secret",
     .kind = Kind::secret,
     .description = "The secret as ${NAME} or ${file:PATH}, or its digest as sha256:<64 hexadecimal digits>.",
     .required = true},
    {.name = "models",
     .kind = Kind::text_list,
     .description = "Names or patterns it may use; left out: all."},
    {.name = "limits", .kind = Kind::unsupported, .description = "Rates and budgets of this key."},
    {.name = "priority",
     .kind = Kind::choice,
     .description = "Who is served first when all is full.",
     .choices = kPriorities},
    {.name = "shadow",
     .kind = Kind::boolean,
     .description = "true: its requests may be copied to a shadow target."},
};
constexpr Record kKey{"key", kKeyFields};

constexpr Field kResponsesFields[] = {
    {.name = "keep",
     .kind = Kind::duration,
     .description = "How long a response is kept, up to 8760h.",
     .max = 8760},
    {.name = "max",
     .kind = Kind::integer,
     .description = "The most responses; the oldest go first.",
     .min = 1,
     .max = 10'000'000},
    {.name = "bytes", .kind = Kind::size, .description = "The most that they may take; the oldest go first."},
};
constexpr Record kResponses{"responses", kResponsesFields};

constexpr Field kDecisionsFields[] = {
    {.name = "enabled", .kind = Kind::boolean, .description = "false: decision records stay in memory."},
    {.name = "keep",
     .kind = Kind::duration,
     .description = "How long a decision record is kept, up to 8760h.",
     .max = 8760},
    {.name = "max",
     .kind = Kind::integer,
     .description = "The most decision records; the oldest go first.",
     .min = 1,
     .max = 100'000'000},
};
constexpr Record kDecisions{"decisions", kDecisionsFields};

constexpr Field kStoreFields[] = {
    {.name = "ledger",
     .kind = Kind::text,
     .description = "The database file; it is made when it is not there.",
     .required = true},
    {.name = "responses",
     .kind = Kind::record,
     .description = "How much is kept of responses of OpenAI's Responses API.",
     .record = &kResponses},
    {.name = "decisions",
     .kind = Kind::record,
     .description = "How many decision records are kept.",
     .record = &kDecisions},
};
constexpr Record kStore{"store", kStoreFields};

constexpr Field kTelemetryFields[] = {
    {.name = "logs",
     .kind = Kind::choice,
     .description = "The least level that is logged.",
     .choices = kLogLevels},
    {.name = "content",
     .kind = Kind::choice,
     .description = "Whether prompts and answers are logged.",
     .choices = kContent,
     .unsupported_choices = kContentLater},
    {.name = "otlp", .kind = Kind::unsupported, .description = "Where traces go."},
};
constexpr Record kTelemetry{"telemetry", kTelemetryFields};

constexpr Field kRootFields[] = {
    {.name = "version",
     .kind = Kind::integer,
     .description = "Of this format: 1.",
     .required = true,
     .min = 1,
     .max = 1},
    {.name = "server",
     .kind = Kind::record,
     .description = "Addresses, threads, limits.",
     .record = &kServer},
    {.name = "providers",
     .kind = Kind::record_map,
     .description = "What can serve, by names of your choice.",
     .required = true,
     .record = &kProvider},
    {.name = "provider_types",
     .kind = Kind::record_map,
     .description = "More types of providers, and changes to those that are built in.",
     .record = &kProviderType},
    {.name = "models",
     .kind = Kind::record_map,
     .description = "The names that applications ask for, or patterns with *.",
     .required = true,
     .record = &kModel},
    {.name = "keys",
     .kind = Kind::record_list,
     .description = "Who may call; none: anyone who reaches `listen`.",
     .record = &kKey},
    {.name = "quality",
     .kind = Kind::record,
     .description = "What is watched of answers, and what follows.",
     .record = &kQuality},
    {.name = "store",
     .kind = Kind::record,
     .description = "Where responses are kept; without it none is.",
     .record = &kStore},
    {.name = "telemetry", .kind = Kind::record, .description = "Logs.", .record = &kTelemetry},
};
constexpr Record kRoot{"configuration", kRootFields};

}  // namespace

const Field* Record::find(std::string_view field) const {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const Field& one) { return one.name == field; });
  return found != fields.end() ? &*found : nullptr;
}

const Record& root_record() {
  return kRoot;
}

}  // namespace switchyard::config
