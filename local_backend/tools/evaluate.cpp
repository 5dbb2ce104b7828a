// Answers chat requests with a model, for measurements: models/switchyard-mini/evaluate.py drives it.
//
//   local_evaluate MODEL.gguf|bundled [threads] < requests.jsonl > answers.jsonl
//
// A request: {"turns": [["user", "..."], ...], "max_tokens": 64}. An answer: {"text": ..., "ended": true if
// the model ended its turn, "input_tokens", "output_tokens"}, in the requests' order. The device and the
// speed go to the standard error.
#include "local_backend/engine/engine.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>

namespace {

using namespace switchyard::local;

class Answer : public Sink {
 public:
  void on_text(std::string_view text) override { text_ += text; }

  void on_end(const Outcome& outcome) override {
    const std::lock_guard lock(mutex_);
    outcome_ = outcome;
    done_ = true;
    ended_.notify_one();
  }

  nlohmann::json wait() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return done_; });
    return {{"text", text_},
            {"ended", outcome_.reason == Outcome::Reason::stop},
            {"input_tokens", outcome_.input_tokens},
            {"output_tokens", outcome_.output_tokens}};
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;
  std::string text_;
  Outcome outcome_;
};

GenerateRequest to_request(const nlohmann::json& line) {
  GenerateRequest request;
  for (const auto& turn : line.at("turns")) request.messages.push_back({turn.at(0), turn.at(1)});
  request.max_tokens = line.value("max_tokens", 0);
  request.sampling.temperature = line.value("temperature", 0.0F);
  request.sampling.seed = line.value("seed", std::uint64_t{0});
  return request;
}

int evaluate(Engine& engine) {
  const auto start = std::chrono::steady_clock::now();
  std::deque<std::shared_ptr<Answer>> open;
  const auto write_oldest = [&] {
    std::cout << open.front()->wait().dump() << '\n';
    open.pop_front();
  };
  for (std::string line; std::getline(std::cin, line);) {
    auto answer = std::make_shared<Answer>();
    GenerateRequest request = to_request(nlohmann::json::parse(line));
    auto submitted = engine.submit(request, answer);
    while (submitted.refusal == Engine::Refusal::queue_full && !open.empty()) {
      write_oldest();
      submitted = engine.submit(request, answer);
    }
    if (submitted.refusal != Engine::Refusal::none) {
      std::cerr << "refused: a prompt of " << submitted.prompt_tokens << " tokens\n";
      return 1;
    }
    open.push_back(std::move(answer));
  }
  while (!open.empty()) write_oldest();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const EngineStats stats = engine.stats();
  std::cerr << engine.device() << ": " << stats.prompt_tokens << " prompt tokens and "
            << stats.generated_tokens << " answered in " << seconds.count() << " s\n";
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::cerr << "usage: local_evaluate MODEL.gguf|bundled [threads] < requests.jsonl > answers.jsonl\n";
    return 2;
  }
  const std::string model = argv[1];
  EngineOptions options;
  if (argc == 3) options.threads = std::atoi(argv[2]);
  const auto engine = model == "bundled" ? load_bundled_engine(options) : load_engine(model, options);
  if (!engine) {
    std::cerr << engine.error().message << '\n';
    return 1;
  }
  try {
    return evaluate(**engine);
  } catch (const nlohmann::json::exception& error) {
    std::cerr << "a request is not as it should be: " << error.what() << '\n';
    return 1;
  }
}
