#include "local_backend/model/gguf.h"

#include "tests/unit/local_backend/gguf_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace switchyard::local {
namespace {

using testing::GgufBuilder, testing::as_bytes, testing::gguf_string, testing::raw, testing::small_gguf;
using ::testing::HasSubstr;

TEST(Gguf, ReadsMetadataAndTensors) {
  for (const std::uint32_t version : {2U, 3U}) {
    GgufBuilder builder = small_gguf();
    builder.version = version;
    const std::string bytes = builder.build();
    const auto file = parse_gguf(as_bytes(bytes));
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(*file->text("general.architecture"), "llama");
    EXPECT_EQ(*file->number("count"), 7U);
    EXPECT_FALSE(file->number("negative"));
    EXPECT_EQ(*file->real("real"), 0.5);
    EXPECT_EQ((**file->texts("words"))[1], "bc");
    EXPECT_EQ(std::get<NumberArray>(file->metadata.at("numbers")).at(0), -1);
    EXPECT_EQ(*file->number("absent", 3), 3U);
    const Tensor& matrix = **file->tensor("matrix");
    EXPECT_EQ(matrix.type->name, "Q8_0");
    EXPECT_EQ(matrix.columns(), 32U);
    EXPECT_EQ(matrix.rows(), 2U);
    EXPECT_EQ(matrix.data.size(), 68U);
    EXPECT_EQ(matrix.data[0], std::byte{1});
  }
}

TEST(Gguf, RefusesWhatIsWrongAndNamesIt) {
  using Edit = std::function<void(GgufBuilder&)>;
  const auto huge = std::uint64_t{1} << 62;

  const struct {
    const char* why;
    Edit edit;
    const char* message;
  } rows[] = {
      {"another format", [](auto& b) { b.magic = "GGML"; }, "not a GGUF file"},
      {"version 1 had other lengths", [](auto& b) { b.version = 1; }, "version 1"},
      {"big endian", [](auto& b) { b.version = 0x03000000; }, "not supported"},
      {"more tensors than any model", [&](auto& b) { b.tensors = huge; }, "tensors"},
      {"more metadata than any model", [&](auto& b) { b.entries = huge; }, "metadata entries"},
      {"one tensor too many",
       [](auto& b) {
         b.tensors += 1;
         b.data.clear();
       },
       "the file ends inside"},
      {"one entry too many", [](auto& b) { b.entries += 1; }, "tensor"},
      {"a string beyond the end",
       [&](auto& b) {
         b.entry("s", 8, raw(huge));
         b.infos.clear();
         b.tensors = 0;
       },
       "'s'"},
      {"an array beyond the end", [&](auto& b) { b.entry("a", 9, raw(4U) + raw(huge)); }, "'a'"},
      {"strings beyond the end", [&](auto& b) { b.entry("a", 9, raw(8U) + raw(huge)); }, "'a'"},
      {"an array of arrays", [](auto& b) { b.entry("a", 9, raw(9U) + raw<std::uint64_t>(1)); }, "type 9"},
      {"an unknown value type", [](auto& b) { b.entry("k", 99, ""); }, "type 99"},
      {"the same key twice", [](auto& b) { b.entry("count", 4, raw(7U)); }, "'count' occurs twice"},
      {"an empty key", [](auto& b) { b.entry("", 4, raw(7U)); }, "length"},
      {"an alignment that is no power of two", [](auto& b) { b.entry("general.alignment", 4, raw(48U)); },
       "general.alignment"},
      {"an alignment of zero", [](auto& b) { b.entry("general.alignment", 4, raw(0U)); },
       "general.alignment"},
      {"an alignment that is a string", [](auto& b) { b.entry("general.alignment", 8, gguf_string("32")); },
       "general.alignment"},
      {"the same tensor twice", [](auto& b) { b.tensor("norm", {4}, 0, 0); }, "'norm' occurs twice"},
      {"no dimension", [](auto& b) { b.tensor("t", {}, 0, 0); }, "'t': 0 dimensions"},
      {"five dimensions",
       [](auto& b) {
         b.tensor("t", {1, 1, 1, 1, 1}, 0, 0);
       },
       "'t': 5 dimensions"},
      {"an empty dimension",
       [](auto& b) {
         b.tensor("t", {4, 0}, 0, 0);
       },
       "'t': dimension 2 is 0"},
      {"a size that overflows",
       [&](auto& b) {
         b.tensor("t", {huge, 8}, 0, 0);
       },
       "'t': dimension"},
      {"a product that overflows",
       [](auto& b) {
         b.tensor("t", {1ULL << 33, 1ULL << 33}, 0, 0);
       },
       "'t': dimension 2"},
      {"an unknown tensor type", [](auto& b) { b.tensor("t", {4}, 77, 0); }, "'t': unknown type 77"},
      {"a removed tensor type", [](auto& b) { b.tensor("t", {32}, 4, 0); }, "'t': unknown type 4"},
      {"a row that is no whole block", [](auto& b) { b.tensor("t", {33}, 8, 0); }, "'t': rows of 33"},
      {"an offset between alignments", [](auto& b) { b.tensor("t", {1}, 0, 4); }, "'t': its offset 4"},
      {"an offset beyond the end", [](auto& b) { b.tensor("t", {1}, 0, 1ULL << 40); }, "'t': its data"},
      {"an offset that overflows", [](auto& b) { b.tensor("t", {1}, 0, ~31ULL); }, "'t': its data"},
      {"data that ends beyond the end", [](auto& b) { b.tensor("t", {64}, 0, 0); }, "'t': its data"},
      {"no data at all", [](auto& b) { b.data.clear(); }, "'norm': its data"},
      {"a name with control characters", [](auto& b) { b.tensor("a\nb", {4}, 77, 0); }, "'a?b'"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    GgufBuilder builder = small_gguf();
    row.edit(builder);
    const std::string bytes = builder.build();
    const auto file = parse_gguf(as_bytes(bytes));
    ASSERT_FALSE(file);
    EXPECT_THAT(file.error().message, HasSubstr(row.message));
  }
}

TEST(Gguf, EveryTruncationIsAnError) {
  const std::string bytes = small_gguf().build();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(parse_gguf(as_bytes(std::string_view(bytes).substr(0, size)))) << size;
}

TEST(Half, AgreesWithItsDefinition) {
  const struct {
    std::uint16_t half;
    float value;
    const char* why;
  } rows[] = {{0x0000, 0.0F, "zero"},
              {0x3c00, 1.0F, "one"},
              {0xc000, -2.0F, "minus two"},
              {0x7bff, 65504.0F, "the largest"},
              {0x0001, 0x1p-24F, "the smallest"},
              {0x0400, 0x1p-14F, "the smallest normal"},
              {0x3555, 0.333251953125F, "a third"}};

  for (const auto& row : rows) {
    EXPECT_EQ(half_to_float(row.half), row.value) << row.why;
    EXPECT_EQ(float_to_half(row.value), row.half) << row.why;
  }
  EXPECT_TRUE(std::isinf(half_to_float(0x7c00)));
  EXPECT_TRUE(std::isnan(half_to_float(0x7e00)));
  EXPECT_EQ(float_to_half(1e9F), 0x7c00);
  for (std::uint32_t half = 0; half < 0x7c00; ++half)
    ASSERT_EQ(float_to_half(half_to_float(static_cast<std::uint16_t>(half))), half);
}

}  // namespace
}  // namespace switchyard::local
