#include "gateway/telemetry/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>
#include <vector>

namespace switchyard::telemetry {
namespace {

using std::chrono::milliseconds;

AccessRecord full_record() {
  AccessRecord record;
  record.request_id = "req_1";
  record.key = "team-a";
  record.dialect = "openai_chat";
  record.model = "assistant";
  record.provider = "rack";
  record.upstream_model = "m\"1";
  record.reason = "first";
  record.config_version = "0123456789ab";
  record.attempts = 2;
  record.status = 200;
  record.stream = true;
  record.usage = Usage{.input_tokens = 7, .output_tokens = 3};
  record.first_token = milliseconds(12);
  record.duration = milliseconds(345);
  record.bytes_in = 300;
  record.bytes_out = 4000;
  return record;
}

// A file without a name, read back as lines.
class LogFile {
 public:
  LogFile() : file_(std::tmpfile()) {}

  ~LogFile() { std::fclose(file_); }

  int fd() const { return fileno(file_); }

  std::vector<std::string> lines() const {
    std::string text(static_cast<std::size_t>(::lseek(fd(), 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(fd(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    std::vector<std::string> lines;
    for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      lines.push_back(text.substr(begin, end - begin));
    }
    return lines;
  }

 private:
  std::FILE* file_;
};

TEST(AccessLog, ALineHoldsEveryFieldAndNoEmptyOne) {
  std::string line;
  write_access_line(full_record(), std::chrono::system_clock::time_point(milliseconds(1'763'856'000'007)),
                    line);
  EXPECT_EQ(
      line,
      R"({"ts":"2025-11-23T00:00:00.007Z","request_id":"req_1","key":"team-a","dialect":"openai_chat",)"
      R"("model":"assistant","provider":"rack","upstream_model":"m\"1","attempts":2,"reason":"first",)"
      R"("status":200,"outcome":"ok","stream":true,"input_tokens":7,"output_tokens":3,"ttft_ms":12.000,)"
      R"("duration_ms":345.000,"bytes_in":300,"bytes_out":4000,"config":"0123456789ab"})"
      "\n");
  line.clear();
  write_access_line({}, {}, line);
  EXPECT_EQ(line, R"({"ts":"1970-01-01T00:00:00.000Z","attempts":0,"status":0,"outcome":"ok","stream":false,)"
                  R"("duration_ms":0.000,"bytes_in":0,"bytes_out":0})"
                  "\n");
}

TEST(AccessLog, WritesEveryLineOfEveryWorkerWhole) {
  constexpr int kWorkers = 3, kLines = 2000;
  LogFile file;
  {
    AccessLog log(file.fd(), kWorkers);
    std::vector<std::jthread> threads;
    for (int worker = 0; worker < kWorkers; ++worker) {
      threads.emplace_back([&log, worker] {
        for (int i = 0; i < kLines; ++i) {
          AccessRecord record = full_record();
          record.attempts = worker;
          record.status = i;
          log.write(worker, record);
        }
      });
    }
    threads.clear();
    EXPECT_EQ(log.dropped(), 0u);
  }
  std::vector<int> next(kWorkers, 0);
  for (const std::string& line : file.lines()) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["status"].get<int>(), next[json["attempts"].get<std::size_t>()]++);
  }
  EXPECT_EQ(next, std::vector<int>(kWorkers, kLines));
}

TEST(AccessLog, DropsAndCountsWhenNobodyReads) {
  constexpr std::uint64_t kLines = 2000;
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  ::fcntl(pipe[1], F_SETFL, O_NONBLOCK);
  std::string text;
  std::uint64_t dropped = 0;
  std::jthread reader;
  {
    AccessLog log(pipe[1], 1, 4096);  // The ring takes about ten lines, the pipe 64 KiB.
    for (std::uint64_t i = 0; i < kLines; ++i) log.write(0, full_record());
    dropped = log.dropped();
    reader = std::jthread([&text, fd = pipe[0]] {
      char buffer[4096];
      for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;)
        text.append(buffer, static_cast<std::size_t>(n));
    });
  }
  ::close(pipe[1]);
  reader.join();
  ::close(pipe[0]);
  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')), kLines - dropped);
}

TEST(AccessLog, ALogThatIsOffWritesNothing) {
  LogFile file;
  {
    AccessLog log(file.fd(), 1);
    log.set_enabled(false);
    log.write(0, full_record());
    log.set_enabled(true);
    log.write(0, full_record());
  }
  EXPECT_EQ(file.lines().size(), 1u);
}

}  // namespace
}  // namespace switchyard::telemetry
