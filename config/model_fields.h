#pragma once

#include "config/fields.h"

namespace switchyard::config {

// The fields of an entry of `models`: a part of the table in fields.cpp. The choices are in the order of
// their enumerators (config.h).

inline constexpr std::string_view kStrategies[] = {"priority", "weighted",   "latency",
                                                   "cost",     "least_busy", "score"};
inline constexpr std::string_view kOnBreak[] = {"error", "continue"};
inline constexpr std::string_view kSticky[] = {"none", "session", "prompt"};

inline constexpr Field kPriceFields[] = {
    {.name = "input",
     .kind = Kind::number,
     .description = "USD for a million tokens.",
     .required = true,
     .max = 1'000'000},
    {.name = "output",
     .kind = Kind::number,
     .description = "USD for a million tokens.",
     .required = true,
     .max = 1'000'000},
    {.name = "cached",
     .kind = Kind::number,
     .description = "USD for a million input tokens that were cached; left out: as any other.",
     .max = 1'000'000},
};
inline constexpr Record kPrice{"price", kPriceFields};

inline constexpr Field kInputTokensFields[] = {
    {.name = "min", .kind = Kind::integer, .description = "At least so many.", .max = 1'000'000'000},
    {.name = "max", .kind = Kind::integer, .description = "At most so many.", .min = 1, .max = 1'000'000'000},
};
inline constexpr Record kInputTokens{"input_tokens", kInputTokensFields};

inline constexpr Field kWhenFields[] = {
    {.name = "keys", .kind = Kind::text_list, .description = "Names of keys; left out: any caller."},
    {.name = "headers",
     .kind = Kind::text_map,
     .description = "Header fields and their values, or patterns with *."},
    {.name = "metadata",
     .kind = Kind::text_map,
     .description = "Members of the request's metadata and their values, or patterns with *."},
    {.name = "input_tokens",
     .kind = Kind::record,
     .description = "The estimated size of the prompt.",
     .record = &kInputTokens},
    {.name = "tools", .kind = Kind::boolean, .description = "Whether the request has tools."},
    {.name = "images", .kind = Kind::boolean, .description = "Whether it has images."},
    {.name = "json", .kind = Kind::boolean, .description = "Whether it asks for a JSON answer."},
    {.name = "stream", .kind = Kind::boolean, .description = "Whether it asks for a stream."},
};
inline constexpr Record kWhen{"when", kWhenFields};

inline constexpr Field kTargetFields[] = {
    {.name = "provider", .kind = Kind::text, .description = "A name under providers.", .required = true},
    {.name = "model",
     .kind = Kind::text,
     .description =
         "The provider's name of the model; left out: the caller's; *: what a pattern's * stood for."},
    {.name = "weight",
     .kind = Kind::number,
     .description = "Its share within the tier, for the strategies weighted and score.",
     .max = 1'000'000},
    {.name = "tier",
     .kind = Kind::integer,
     .description = "A higher tier serves only when every lower one cannot.",
     .max = 100},
    {.name = "canary",
     .kind = Kind::percent,
     .description = "The share of the requests that it gets whatever the strategy says."},
    {.name = "prices",
     .kind = Kind::record,
     .description = "What it costs, in place of what the provider's type says.",
     .record = &kPrice},
    {.name = "context_tokens",
     .kind = Kind::integer,
     .description = "The longest context, in place of what the provider's type says.",
     .min = 1,
     .max = 1'000'000'000},
    {.name = "concurrent",
     .kind = Kind::auto_or_count,
     .description = "The most requests at a time; auto: as many as it bears.",
     .min = 1,
     .max = 1'000'000},
    {.name = "when",
     .kind = Kind::record,
     .description = "Which requests it is for; left out: all.",
     .record = &kWhen},
};
inline constexpr Record kTarget{"target", kTargetFields};

inline constexpr Field kObjectivesFields[] = {
    {.name = "quality",
     .kind = Kind::number,
     .description = "Of answers, as the evidence has it.",
     .max = 1'000'000},
    {.name = "latency", .kind = Kind::number, .description = "Of the time to the answer.", .max = 1'000'000},
    {.name = "cost", .kind = Kind::number, .description = "Of the price.", .max = 1'000'000},
};
inline constexpr Record kObjectives{"objectives", kObjectivesFields};

inline constexpr Field kHedgeFields[] = {
    {.name = "after",
     .kind = Kind::percentile_or_duration,
     .description = "When it starts: a percentile of the target's time to first token, or a fixed time."},
    {.name = "budget", .kind = Kind::percent, .description = "The share of requests that may be hedged."},
};
inline constexpr Record kHedge{"hedge", kHedgeFields};

inline constexpr Field kFallbacksFields[] = {
    {.name = "context_too_long",
     .kind = Kind::text,
     .description = "When the prompt fits no target of this model."},
    {.name = "refusal",
     .kind = Kind::text,
     .description = "When the answer is a refusal, before its first content."},
    {.name = "failure", .kind = Kind::text, .description = "When every target failed, or may not be tried."},
};
inline constexpr Record kFallbacks{"fallbacks", kFallbacksFields};

inline constexpr Field kShadowFields[] = {
    {.name = "provider", .kind = Kind::text, .description = "A name under providers.", .required = true},
    {.name = "model",
     .kind = Kind::text,
     .description =
         "The provider's name of the model; left out: the caller's; *: what a pattern's * stood for."},
    {.name = "share", .kind = Kind::percent, .description = "The share of the requests that are copied."},
};
inline constexpr Record kShadow{"shadow", kShadowFields};

inline constexpr Field kTimeoutsFields[] = {
    {.name = "connect", .kind = Kind::duration, .description = "To connect to a target, TLS included."},
    {.name = "first_token",
     .kind = Kind::duration,
     .description = "From the request to a stream's first content."},
    {.name = "between_tokens", .kind = Kind::duration, .description = "Between two pieces of a stream."},
    {.name = "total", .kind = Kind::duration, .description = "The whole request, every attempt included."},
};
inline constexpr Record kTimeouts{"timeouts", kTimeoutsFields};

inline constexpr Field kRetryFields[] = {
    {.name = "attempts", .kind = Kind::integer, .description = "Targets to try in all.", .min = 1, .max = 10},
    {.name = "budget", .kind = Kind::percent, .description = "The share of traffic that retries may add."},
};
inline constexpr Record kRetry{"retry", kRetryFields};

inline constexpr Field kModelFields[] = {
    {.name = "targets",
     .kind = Kind::record_list,
     .description = "Where requests for this name may go.",
     .required = true,
     .record = &kTarget},
    {.name = "strategy",
     .kind = Kind::choice,
     .description = "How the targets of a tier are ordered for each request.",
     .choices = kStrategies},
    {.name = "objectives",
     .kind = Kind::record,
     .description = "What the strategy score weighs; they are set in proportion to their sum.",
     .record = &kObjectives},
    {.name = "timeouts", .kind = Kind::record, .description = "How long to wait.", .record = &kTimeouts},
    {.name = "retry", .kind = Kind::record, .description = "How often to try.", .record = &kRetry},
    {.name = "hedge",
     .kind = Kind::record,
     .description = "A second attempt beside one that is slow to begin.",
     .record = &kHedge},
    {.name = "on_break",
     .kind = Kind::choice,
     .description = "What becomes of a stream that breaks after its first content.",
     .choices = kOnBreak},
    {.name = "mark_seam",
     .kind = Kind::boolean,
     .description = "true: a stream that went on elsewhere says where, in a comment."},
    {.name = "sticky",
     .kind = Kind::choice,
     .description = "Which requests go to the same target.",
     .choices = kSticky},
    {.name = "fallbacks",
     .kind = Kind::record,
     .description = "Other models that serve when this one cannot.",
     .record = &kFallbacks},
    {.name = "shadow",
     .kind = Kind::record,
     .description = "A copy of some requests goes there; its answers are judged only.",
     .record = &kShadow},
    {.name = "feedback",
     .kind = Kind::boolean,
     .description = "false: POST /v1/feedback is no evidence for its targets."},
    {.name = "strict",
     .kind = Kind::boolean,
     .description = "true: refuse a request rather than drop a field that the target cannot express."},
};
inline constexpr Record kModel{"model", kModelFields};

}  // namespace switchyard::config
