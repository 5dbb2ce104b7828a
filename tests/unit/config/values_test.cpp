#include "config/values.h"

#include "config/suggest.h"

#include <gtest/gtest.h>

namespace switchyard::config {
namespace {

using namespace std::chrono_literals;

TEST(Values, Durations) {
  const struct {
    const char* text;
    std::optional<milliseconds> duration;
  } rows[] = {{"250ms", 250ms}, {"2s", 2s},  {"10m", 10min}, {"24h", 24h},
              {"0s", 0ms},      {"25h", {}}, {"2", {}},      {"s", {}},
              {"", {}},         {"-1s", {}}, {"1.5s", {}},   {"1 s", {}},
              {"1S", {}},       {"2d", {}},  {"2sm", {}},    {"99999999999999999999s", {}}};

  for (const auto& row : rows) EXPECT_EQ(parse_duration(row.text), row.duration) << row.text;
}

TEST(Values, Sizes) {
  EXPECT_EQ(parse_size("64KiB"), 65536u);
  EXPECT_EQ(parse_size("32MiB"), 32u << 20);
  EXPECT_EQ(parse_size("64GiB"), std::uint64_t{64} << 30);
  for (const char* text : {"65GiB", "1", "1KB", "1k", "KiB", "-1KiB", "1 KiB", ""}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(Values, Numbers) {
  EXPECT_EQ(parse_number("0.5"), 0.5);
  EXPECT_EQ(parse_number("1e3"), 1000);
  for (const char* text : {"inf", "nan", "0x10", "1_000", "", "1,5", "1e999"}) {
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_percent("20%"), 0.2);
  for (const char* text : {"20", "101%", "-1%", "%"}) EXPECT_EQ(parse_percent(text), std::nullopt) << text;
}

TEST(Values, Addresses) {
  EXPECT_EQ(parse_address("127.0.0.1:8080"), (Address{"127.0.0.1", 8080}));
  EXPECT_EQ(parse_address("[::]:0"), (Address{"::", 0}));
  EXPECT_EQ(parse_address("localhost:65535"), (Address{"localhost", 65535}));
  for (const char* text :
       {":80", "80", "a:", "a:65536", "a:-1", "a:+1", "::1:80", "[::1]", "[zz]:1", "a b:1", ""}) {
    EXPECT_EQ(parse_address(text), std::nullopt) << text;
  }
}

TEST(Values, BaseUrls) {
  const struct {
    const char* text;
    const char* url;  // Empty: refused.
    const char* host;
  } rows[] = {
      {"https://api.openai.com/v1", "https://api.openai.com/v1", "api.openai.com"},
      {"http://127.0.0.1:8000/v1///", "http://127.0.0.1:8000/v1", "127.0.0.1"},
      {"http://[::1]:8000", "http://[::1]:8000", "::1"},
      {"https://host/", "https://host", "host"},
      {"https://host/a%20b", "https://host/a%20b", "host"},
      {"https://", "", ""},
      {"https:///v1", "", ""},
      {"HTTPS://host", "", ""},
      {"host/v1", "", ""},
      {"https://u:p@host", "", ""},
      {"https://host?x=1", "", ""},
      {"https://host#x", "", ""},
      {"https://host/#", "", ""},
      {"https://host:0", "", ""},
      {"https://host:", "", ""},
      {"https://host/a b", "", ""},
      {"https://host/%zz", "", ""},
      {"https://ho\nst", "", ""},
      {"https://h\\evil.com", "", ""},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.text);
    const auto parsed = parse_base_url(row.text);
    EXPECT_EQ(parsed.url ? parsed.url->text : "", row.url);
    EXPECT_EQ(parsed.url ? parsed.url->host : "", row.host);
    EXPECT_EQ(parsed.fault.empty(), parsed.url.has_value());
  }
}

TEST(Values, PrivateHosts) {
  for (const char* host : {"127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
                           "169.254.1.1", "::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1", "localhost", "vllm",
                           "vllm.models.svc", "vllm.models.svc.cluster.local", "RACK.LOCAL"}) {
    EXPECT_TRUE(is_private_host(host)) << host;
  }
  for (const char* host : {"8.8.8.8", "172.32.0.1", "172.15.0.1", "2001:db8::1", "::ffff:8.8.8.8",
                           "example.com", "local.example.com"}) {
    EXPECT_FALSE(is_private_host(host)) << host;
  }
}

TEST(Suggest, NearestName) {
  EXPECT_EQ(edit_distance("server", "server"), 0);
  EXPECT_EQ(edit_distance("servr", "server"), 1);
  EXPECT_EQ(edit_distance("sevrer", "server"), 1) << "two neighbours swapped";
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(did_you_mean("timeout", {"targets", "timeouts"}), "; did you mean \"timeouts\"?");
  EXPECT_EQ(did_you_mean("completely", {"targets", "timeouts"}), "");
  EXPECT_EQ(did_you_mean("", {"a"}), "");
}

}  // namespace
}  // namespace switchyard::config
