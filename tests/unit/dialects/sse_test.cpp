#include "adapters/dialects/sse.h"

#include "adapters/dialects/dialect.h"

#include <gtest/gtest.h>

#include <vector>

namespace switchyard {
namespace {

struct Cut {
  std::vector<std::string> frames;
  bool broke = false;  // The body ended inside a frame.
};

Cut cut(const std::vector<std::string>& pieces) {
  Cut result;
  FrameSplitter splitter;
  std::string_view frame;
  for (const std::string& piece : pieces) {
    std::string_view bytes = piece;
    while (splitter.next(bytes, frame)) result.frames.emplace_back(frame);
  }
  result.broke = splitter.finish(frame);
  if (!frame.empty()) result.frames.emplace_back(frame);
  return result;
}

TEST(FrameSplitter, CutsAtEmptyLinesOfEveryKindWhereverTheBytesAreSplit) {
  const struct {
    std::string body;
    std::vector<std::string> frames;
    bool broke;
    const char* why;
  } rows[] = {
      {"data: a\n\ndata: b\n\n", {"data: a\n\n", "data: b\n\n"}, false, "LF"},
      {"data: a\r\n\r\ndata: b\r\n\r\n", {"data: a\r\n\r\n", "data: b\r\n\r\n"}, false, "CR LF"},
      {"data: a\r\rdata: b\r\r", {"data: a\r\r", "data: b\r\r"}, false, "CR"},
      {"data: a\r\n\ndata: b\n\r\n", {"data: a\r\n\n", "data: b\n\r\n"}, false, "mixed"},
      {"event: x\ndata: a\ndata: b\n\n", {"event: x\ndata: a\ndata: b\n\n"}, false, "several lines"},
      {"\n\ndata: a\n\n", {"\n", "\n", "data: a\n\n"}, false, "empty lines in front"},
      {"data: a\n\ndata: b\n", {"data: a\n\n"}, true, "cut inside a frame"},
      {"data: a", {}, true, "never a frame"},
      {"", {}, false, "nothing"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const Cut whole = cut({row.body});
    EXPECT_EQ(whole.frames, row.frames);
    EXPECT_EQ(whole.broke, row.broke);
    for (std::size_t i = 0; i <= row.body.size(); ++i) {
      const Cut split = cut({row.body.substr(0, i), row.body.substr(i)});
      EXPECT_EQ(split.frames, row.frames) << "split at " << i;
      EXPECT_EQ(split.broke, row.broke) << "split at " << i;
    }
    std::vector<std::string> bytes;
    for (const char c : row.body) bytes.emplace_back(1, c);
    EXPECT_EQ(cut(bytes).frames, row.frames) << "byte by byte";
  }
}

TEST(FrameSplitter, StopsAtAFrameThatGrowsWithoutEnd) {
  FrameSplitter splitter;
  const std::string piece(1u << 20, 'x');
  std::string_view frame;
  for (int i = 0; i < 16; ++i) {
    std::string_view bytes = piece;
    EXPECT_FALSE(splitter.next(bytes, frame));
    EXPECT_FALSE(splitter.is_too_large());
  }
  std::string_view bytes = piece;
  EXPECT_FALSE(splitter.next(bytes, frame));
  EXPECT_TRUE(splitter.is_too_large());
}

TEST(ParseFrame, ReadsFields) {
  const struct {
    std::string frame, event, data;
    bool has_data;
    const char* why;
  } rows[] = {
      {"data: a\n\n", "", "a", true, "one line"},
      {"data:a\n\n", "", "a", true, "without the space"},
      {"data:  a\n\n", "", " a", true, "one space belongs to the field, the second to the data"},
      {"event: x\r\ndata: {}\r\n\r\n", "x", "{}", true, "CR LF"},
      {"data: a\ndata: b\ndata\n\n", "", "a\nb\n", true, "several lines are joined"},
      {": comment\n\n", "", "", false, "a comment is no record"},
      {"event: ping\n\n", "ping", "", false, "an event without data is none either"},
      {"\xEF\xBB\xBF"
       "data: a\n\n",
       "", "a", true, "a byte order mark"},
      {"id: 1\nretry: 2\ndata: a\n\n", "", "a", true, "fields that mean nothing here"},
      {"data: \n\n", "", "", false, "empty data is none: a client would fail to parse it"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    std::string scratch;
    const SseRecord record = parse_frame(row.frame, scratch);
    EXPECT_EQ(record.event, row.event);
    EXPECT_EQ(record.data, row.data);
    EXPECT_EQ(record.has_data, row.has_data);
  }
}

}  // namespace
}  // namespace switchyard
