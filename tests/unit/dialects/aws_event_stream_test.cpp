#include "adapters/dialects/aws_event_stream.h"

#include "adapters/dialects/dialect.h"
#include "tests/unit/dialects/aws_frames.h"

#include <gtest/gtest.h>

#include <vector>

namespace switchyard {
namespace {

// What a reader makes of bytes that come in these pieces: a line a message, then how it ended.
std::vector<std::string> read(const std::vector<std::string_view>& pieces) {
  std::vector<std::string> lines;
  AwsMessageReader reader;
  for (std::string_view piece : pieces) {
    while (true) {
      AwsMessage message;
      const auto found = reader.next(piece, message);
      if (!found) {
        EXPECT_EQ(found.error().kind, ErrorKind::bad_reply);
        lines.push_back(found.error().message);
        return lines;
      }
      if (!*found) break;
      std::string line(message.message_type);
      for (const std::string_view field : {message.event_type, message.exception_type, message.error_code,
                                           message.error_message, message.payload}) {
        if (!field.empty()) line += "|" + std::string(field);
      }
      lines.push_back(std::move(line));
    }
    EXPECT_TRUE(piece.empty());
  }
  lines.push_back(reader.is_inside() ? "inside" : "whole");
  return lines;
}

using Lines = std::vector<std::string>;

// A frame that the decoder of the AWS SDK takes.
TEST(AwsEventStream, ReadsAndWritesWhatTheSdkReads) {
  constexpr unsigned char kFrame[] = {
      0x00, 0x00, 0x00, 0x84, 0x00, 0x00, 0x00, 0x51, 0x3d, 0x28, 0xa8, 0x59, 0x0b, 0x3a, 0x65, 0x76, 0x65,
      0x6e, 0x74, 0x2d, 0x74, 0x79, 0x70, 0x65, 0x07, 0x00, 0x0b, 0x6d, 0x65, 0x73, 0x73, 0x61, 0x67, 0x65,
      0x53, 0x74, 0x6f, 0x70, 0x0d, 0x3a, 0x63, 0x6f, 0x6e, 0x74, 0x65, 0x6e, 0x74, 0x2d, 0x74, 0x79, 0x70,
      0x65, 0x07, 0x00, 0x10, 0x61, 0x70, 0x70, 0x6c, 0x69, 0x63, 0x61, 0x74, 0x69, 0x6f, 0x6e, 0x2f, 0x6a,
      0x73, 0x6f, 0x6e, 0x0d, 0x3a, 0x6d, 0x65, 0x73, 0x73, 0x61, 0x67, 0x65, 0x2d, 0x74, 0x79, 0x70, 0x65,
      0x07, 0x00, 0x05, 0x65, 0x76, 0x65, 0x6e, 0x74, 0x7b, 0x22, 0x70, 0x22, 0x3a, 0x22, 0x61, 0x62, 0x63,
      0x22, 0x2c, 0x22, 0x73, 0x74, 0x6f, 0x70, 0x52, 0x65, 0x61, 0x73, 0x6f, 0x6e, 0x22, 0x3a, 0x22, 0x65,
      0x6e, 0x64, 0x5f, 0x74, 0x75, 0x72, 0x6e, 0x22, 0x7d, 0x8a, 0x7b, 0xbd, 0xd0};
  const std::string_view bytes(reinterpret_cast<const char*>(kFrame), sizeof kFrame);
  EXPECT_EQ(read({bytes}), (Lines{"event|messageStop|{\"p\":\"abc\",\"stopReason\":\"end_turn\"}", "whole"}));
  EXPECT_EQ(encode_aws_frames("event messageStop {\"p\":\"abc\",\"stopReason\":\"end_turn\"}"), bytes);
}

TEST(AwsEventStream, TheChecksumIsTheOneOfZlib) {
  EXPECT_EQ(crc32("123456789"), 0xCBF43926u);
  EXPECT_EQ(crc32(""), 0u);
}

TEST(AwsEventStream, ThePiecesInWhichBytesArriveChangeNothing) {
  const std::string bytes = encode_aws_frames(
      "event messageStart {\"role\":\"assistant\"}\nevent ping \nexception throttlingException {}\n"
      "error InternalFailure it broke\n");
  const Lines whole{"event|messageStart|{\"role\":\"assistant\"}", "event|ping",
                    "exception|throttlingException|{}", "error|InternalFailure|it broke", "whole"};
  const std::string_view view = bytes;
  EXPECT_EQ(read({view}), whole);
  std::vector<std::string_view> single;
  for (std::size_t i = 0; i < view.size(); ++i) {
    single.push_back(view.substr(i, 1));
    EXPECT_EQ(read({view.substr(0, i), view.substr(i)}), whole) << "cut at " << i;
  }
  EXPECT_EQ(read(single), whole);
}

TEST(AwsEventStream, RefusesWhatIsNoMessage) {
  const std::string good = encode_aws_frames("event messageStop {\"stopReason\":\"end_turn\"}");
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_EQ(read({bad}), Lines{"the provider's stream has a message with a wrong checksum"})
        << "byte " << i;
  }
  EXPECT_EQ(read({"data: {\"not\":\"this framing\"}"}).size(), 1u);
  const auto sealed = [](std::string prelude) {
    const std::uint32_t crc = crc32(prelude);
    for (int shift = 24; shift >= 0; shift -= 8) prelude += static_cast<char>((crc >> shift) & 0xFF);
    return prelude;
  };

  const struct {
    std::string bytes;
    const char* message;
    const char* why;
  } rows[] = {
      {sealed({"\x01\x00\x00\x01\x00\x00\x00\x00", 8}), "that is too large", "one byte over 16 MiB"},
      {sealed({"\x00\x10\x00\x00\x00\x02\x00\x01", 8}), "that is too large", "headers over 128 KiB"},
      {sealed({"\x00\x00\x00\x0f\x00\x00\x00\x00", 8}), "with wrong lengths", "shorter than its frame"},
      {sealed({"\x00\x00\x00\x14\x00\x00\x00\x05", 8}), "with wrong lengths", "headers over the end"},
      {encode_aws_message("\x05:mess", "{}"), "with malformed headers", "a name without a value"},
      {encode_aws_message("\x01x\x0a", "{}"), "with malformed headers", "an unknown type"},
      {encode_aws_message(std::string_view("\x01x\x07\x00\x09short", 10), "{}"), "with malformed headers",
       "a value over the end"},
  };

  for (const auto& row : rows) {
    EXPECT_EQ(read({row.bytes}), Lines{std::string("the provider's stream has a message ") + row.message})
        << row.why;
  }
}

TEST(AwsEventStream, HeadersOfEveryTypeAreSteppedOver) {
  std::string headers;
  const std::size_t sizes[] = {0, 0, 1, 2, 4, 8};
  for (std::size_t type = 0; type < std::size(sizes); ++type) {
    headers += std::string("\x01x") + static_cast<char>(type) + std::string(sizes[type], 'v');
  }
  headers += std::string("\x01x\x06\x00\x02", 5) + "ab";
  headers += std::string("\x01x\x08") + std::string(8, 'v') + "\x01x\x09" + std::string(16, 'v');
  headers += encode_aws_header(":event-type", "messageStart") + encode_aws_header(":message-type", "event");
  EXPECT_EQ(read({encode_aws_message(headers, "{}")}), (Lines{"event|messageStart|{}", "whole"}));
}

TEST(AwsEventStream, SaysWhenABodyEndsInsideAMessage) {
  const std::string bytes = encode_aws_frames("event messageStart {}\ncut");
  EXPECT_EQ(read({bytes}), Lines{"inside"});
  EXPECT_EQ(read({}), Lines{"whole"});
}

}  // namespace
}  // namespace switchyard
