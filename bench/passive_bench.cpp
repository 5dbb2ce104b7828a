// What it costs to judge a reply while it passes, beyond reading it: one thread, as in one worker.
#include "gateway/scoring/passive.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

namespace switchyard::scoring {
namespace {

constexpr std::size_t kChunks = 20;

std::string english(std::size_t bytes) {
  static const std::vector<std::string> kWords = {
      "gateway", "reads", "the",   "request", "and", "finds", "model", "that",    "serves", "it.",
      "Then",    "every", "chunk", "goes",    "on",  "to",    "its",   "client,", "while",  "nothing"};
  std::string text;
  for (std::size_t i = 0, at = 7; text.size() < bytes; ++i, at = (at * 31 + i) % 1009)
    text += kWords[at % kWords.size()] + (i % 23 == 22 ? "\n" : " ");
  text.resize(bytes);
  return text;
}

std::string chinese(std::size_t bytes) {
  std::string text;
  for (std::size_t at = 7; text.size() + 3 <= bytes; at = (at * 31 + 11) % 5003) {
    const std::size_t character = 0x4E00 + at;
    text += static_cast<char>(0xE0 | character >> 12);
    text += static_cast<char>(0x80 | (character >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (character & 0x3F));
  }
  return text;
}

// In one line, as it may stand in JSON.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string body(const std::string& more) {
  return R"({"model":"m","stream":true,"messages":[{"role":"user","content":")" + one_line(english(2000)) +
         "\"}]" + more + "}";
}

struct Setup {
  explicit Setup(const std::string& request) : text(request) {
    envelope = *read_envelope(text, text.size());
    memory.read(openai_chat(), text, envelope, 1, 1000, traits);
  }

  std::string text;
  Envelope envelope;
  WatchMemory memory;
  RequestTraits traits;
  ReplyWatch watch;
};

// All of it: the request's traits, the reply in chunks, the verdict.
void judge(benchmark::State& state, const std::string& reply) {
  Setup setup(body(""));
  const std::size_t size = (reply.size() + kChunks - 1) / kChunks;
  std::int64_t now_ms = 1000;
  std::uint64_t bad = 0;
  for (auto _ : state) {
    ++now_ms;
    setup.memory.read(openai_chat(), setup.text, setup.envelope, 1, now_ms, setup.traits);
    benchmark::DoNotOptimize(setup.memory.asked_again(setup.traits, now_ms));
    setup.watch.begin(setup.memory, setup.traits, 1, 99);
    setup.watch.on_model("model-1", "fp_44709d6fcb");
    for (std::size_t i = 0; i < reply.size(); i += size)
      setup.watch.on_text(std::string_view(reply).substr(i, size));
    setup.watch.on_finish(FinishReason::stop);
    Observation out;
    setup.watch.end(ReplyWatch::End::complete, Usage{.input_tokens = 500, .output_tokens = 1500}, now_ms,
                    out);
    bad += out.bad;
  }
  state.counters["bad"] = static_cast<double>(bad);
}

void judge_english(benchmark::State& state) {
  judge(state, english(static_cast<std::size_t>(state.range(0))));
}

void judge_chinese(benchmark::State& state) {
  judge(state, chinese(static_cast<std::size_t>(state.range(0))));
}

BENCHMARK(judge_english)->Arg(300)->Arg(4096);
BENCHMARK(judge_chinese)->Arg(300)->Arg(4096);

// A reply that calls a tool: its arguments are checked against the tool's schema.
void judge_tool_call(benchmark::State& state) {
  Setup setup(body(R"(,"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object",
      "properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}}}])"));
  for (auto _ : state) {
    setup.memory.read(openai_chat(), setup.text, setup.envelope, 1, 1000, setup.traits);
    setup.watch.begin(setup.memory, setup.traits, 1, 99);
    setup.watch.on_tool_call(0, "call_1", "weather", {});
    for (const std::string_view piece : {"{\"city\":", "\"Oslo\",", "\"days\":", "3}"})
      setup.watch.on_tool_call(0, {}, {}, piece);
    setup.watch.on_finish(FinishReason::tool_calls);
    Observation out;
    setup.watch.end(ReplyWatch::End::complete, Usage{.input_tokens = 500, .output_tokens = 20}, 1000, out);
    benchmark::DoNotOptimize(out);
  }
}

BENCHMARK(judge_tool_call);

std::string stream_of(const std::string& reply) {
  const std::string head =
      R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"model-1",)"
      R"("system_fingerprint":"fp_1","choices":[{"index":0,"delta":{)";
  std::string stream = head + R"("role":"assistant","content":""},"finish_reason":null}]})" + "\n\n";
  const std::size_t size = (reply.size() + kChunks - 1) / kChunks;
  for (std::size_t i = 0; i < reply.size(); i += size) {
    stream +=
        head + R"("content":")" + one_line(reply.substr(i, size)) + R"("},"finish_reason":null}]})" + "\n\n";
  }
  return stream + head + "},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n" + std::string(64, ' ');
}

// Reading a stream of 20 chunks through, without and with somebody who listens: the difference is the tap.
void scan(benchmark::State& state) {
  const std::string stream = stream_of(english(static_cast<std::size_t>(state.range(0))));
  const std::string_view bytes = std::string_view(stream).substr(0, stream.size() - 64);
  Setup setup(body(""));
  std::vector<std::string_view> forward;
  for (auto _ : state) {
    const auto scanner = openai_chat().make_scanner({});
    if (state.range(1) != 0) {
      setup.watch.begin(setup.memory, setup.traits, 1, 99);
      scanner->set_tap(&setup.watch);
    }
    forward.clear();
    benchmark::DoNotOptimize(scanner->feed({&bytes, 1}, forward));
    setup.watch.stop();
  }
}

BENCHMARK(scan)->ArgNames({"bytes", "tap"})->ArgsProduct({{300, 4096}, {0, 1}});

}  // namespace
}  // namespace switchyard::scoring

BENCHMARK_MAIN();
