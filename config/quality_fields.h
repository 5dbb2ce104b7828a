#pragma once

#include "config/fields.h"

namespace switchyard::config {

// The fields of `quality`: a part of the table in fields.cpp.

inline constexpr std::string_view kQualityModes[] = {"off", "watch", "act"};  // In QualityMode's order.

// Families of graded questions.
inline constexpr std::string_view kProbeFamilies[] = {
    "arithmetic", "dates",      "json_schema", "two_tools",   "constraints", "table_lookup",
    "sort",       "extraction", "memory",      "code_output", "translation", "list"};

inline constexpr Field kSignalFields[] = {
    {.name = "mode",
     .kind = Kind::choice,
     .description = "off, watch (shown, never acted on) or act.",
     .choices = kQualityModes},
    {.name = "tolerance",
     .kind = Kind::percent,
     .description = "The smallest rise above the baseline that is worth moving traffic."},
    {.name = "rate",
     .kind = Kind::percent,
     .description = "A healthy rate that is known, in place of what is learnt."},
};
inline constexpr Record kSignal{"signal", kSignalFields};

// The signals of scoring::Signal, in its order.
inline constexpr Field kSignalsFields[] = {
    {.name = "tool_call_invalid",
     .kind = Kind::record,
     .description = "A tool call's arguments are no JSON, or not by its schema; or there is no such tool.",
     .record = &kSignal},
    {.name = "output_invalid",
     .kind = Kind::record,
     .description = "The answer is not the JSON that the request asked for.",
     .record = &kSignal},
    {.name = "truncated",
     .kind = Kind::record,
     .description = "Ended for its length below the limit that was asked for, or empty.",
     .record = &kSignal},
    {.name = "refusal", .kind = Kind::record, .description = "The answer is a refusal.", .record = &kSignal},
    {.name = "loop",
     .kind = Kind::record,
     .description = "The same words over and over.",
     .record = &kSignal},
    {.name = "script_mismatch",
     .kind = Kind::record,
     .description = "In a script of neither the prompt nor the usual answers.",
     .record = &kSignal},
    {.name = "unbalanced",
     .kind = Kind::record,
     .description = "A code fence or brackets left open.",
     .record = &kSignal},
    {.name = "regenerated",
     .kind = Kind::record,
     .description = "The caller asked the same again within two minutes.",
     .record = &kSignal},
    {.name = "aborted",
     .kind = Kind::record,
     .description = "The caller left after the first token.",
     .record = &kSignal},
    {.name = "usage_mismatch",
     .kind = Kind::record,
     .description = "The reported prompt tokens are not those counted here.",
     .record = &kSignal},
    {.name = "declared_identity",
     .kind = Kind::record,
     .description = "The reply names another model or build.",
     .record = &kSignal},
    {.name = "tools_low",
     .kind = Kind::record,
     .description = "Fewer tool calls than usual.",
     .record = &kSignal},
    {.name = "tools_high",
     .kind = Kind::record,
     .description = "More tool calls than usual.",
     .record = &kSignal},
    {.name = "length_low", .kind = Kind::record, .description = "Shorter than usual.", .record = &kSignal},
    {.name = "length_high", .kind = Kind::record, .description = "Longer than usual.", .record = &kSignal},
    {.name = "reasoning_low",
     .kind = Kind::record,
     .description = "Less reasoning than usual.",
     .record = &kSignal},
    {.name = "reasoning_absent",
     .kind = Kind::record,
     .description = "No reasoning, though asked for.",
     .record = &kSignal},
    {.name = "chunk_pattern",
     .kind = Kind::record,
     .description = "Streams in other pieces than usual.",
     .record = &kSignal},
    {.name = "canary",
     .kind = Kind::record,
     .description = "Graded questions of the prober.",
     .record = &kSignal},
    {.name = "contract",
     .kind = Kind::record,
     .description = "Parameters that were not obeyed.",
     .record = &kSignal},
    {.name = "identity_sampling",
     .kind = Kind::record,
     .description = "Sampled tokens of another distribution.",
     .record = &kSignal},
    {.name = "identity_greedy",
     .kind = Kind::record,
     .description = "Greedy answers that are new.",
     .record = &kSignal},
    {.name = "identity_logprobs",
     .kind = Kind::record,
     .description = "Log probabilities that moved.",
     .record = &kSignal},
    {.name = "audit",
     .kind = Kind::record,
     .description = "Replies that the same weights would hardly give, computed here.",
     .record = &kSignal},
    {.name = "shadow",
     .kind = Kind::record,
     .description = "The judge's verdicts on shadow answers.",
     .record = &kSignal},
    {.name = "feedback",
     .kind = Kind::record,
     .description = "What callers say through POST /v1/feedback.",
     .record = &kSignal},
    {.name = "embedding_drift",
     .kind = Kind::record,
     .description = "Embeddings of fixed texts that moved.",
     .record = &kSignal},
};
inline constexpr Record kSignals{"signals", kSignalsFields};

inline constexpr Field kLearnFields[] = {
    {.name = "observations",
     .kind = Kind::integer,
     .description = "At least so many.",
     .min = 20,
     .max = 10'000'000},
    {.name = "blocks", .kind = Kind::integer, .description = "In so many blocks.", .min = 1, .max = 100'000},
    {.name = "for", .kind = Kind::duration, .description = "Over so long.", .max = 8'760},
    {.name = "block", .kind = Kind::duration, .description = "How long a block is."},
};
inline constexpr Record kLearn{"learn", kLearnFields};

inline constexpr Field kProbesFields[] = {
    {.name = "enabled", .kind = Kind::boolean, .description = "true: send probes; they cost money."},
    {.name = "budget",
     .kind = Kind::percent,
     .description = "The most that they may cost, as a share of a target's spend."},
    {.name = "tokens_per_hour",
     .kind = Kind::integer,
     .description = "They may always use so many tokens an hour for each target.",
     .max = 100'000'000},
    {.name = "families",
     .kind = Kind::text_list,
     .description = "Families of graded questions; left out: all."},
    {.name = "identity", .kind = Kind::boolean, .description = "Whether the model is still the same one."},
    {.name = "contract", .kind = Kind::boolean, .description = "Whether parameters are obeyed."},
};
inline constexpr Record kProbes{"probes", kProbesFields};

inline constexpr Field kJudgeFields[] = {
    {.name = "model",
     .kind = Kind::text,
     .description = "A name under models that compares two answers.",
     .required = true},
    {.name = "sentinels",
     .kind = Kind::percent,
     .description = "The share of its pairs whose better answer is known."},
};
inline constexpr Record kJudge{"judge", kJudgeFields};

inline constexpr Field kQualityFields[] = {
    {.name = "mode",
     .kind = Kind::choice,
     .description = "off, watch (scores are shown, traffic stays) or act.",
     .choices = kQualityModes},
    {.name = "false_eject_every",
     .kind = Kind::number,
     .description = "A healthy target is ejected at most once in so many requests.",
     .min = 1'000,
     .max = 1'000'000'000'000},
    {.name = "learn", .kind = Kind::record, .description = "When a baseline is learnt.", .record = &kLearn},
    {.name = "dwell",
     .kind = Kind::duration,
     .description = "How long a first ejection lasts; it doubles with each one."},
    {.name = "dwell_max", .kind = Kind::duration, .description = "The longest ejection.", .max = 8'760},
    {.name = "rise", .kind = Kind::duration, .description = "A share may rise by half once in that time."},
    {.name = "signals",
     .kind = Kind::record,
     .description = "Settings of single signals.",
     .record = &kSignals},
    {.name = "probes",
     .kind = Kind::record,
     .description = "Questions of its own that the gateway sends.",
     .record = &kProbes},
    {.name = "judge", .kind = Kind::record, .description = "Who compares shadow answers.", .record = &kJudge},
};
inline constexpr Record kQuality{"quality", kQualityFields};

}  // namespace switchyard::config
