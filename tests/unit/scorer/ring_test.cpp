#include "gateway/scorer/ring.h"

#include <gtest/gtest.h>

#include <thread>

namespace switchyard::scorer {
namespace {

TEST(Ring, GivesWhatWasPutInItsOrder) {
  Ring<int, 4> ring;
  int value = 0;
  EXPECT_FALSE(ring.pop(value));
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(ring.push(10 * round + i));
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(ring.pop(value));
      EXPECT_EQ(value, 10 * round + i);
    }
    EXPECT_FALSE(ring.pop(value));
  }
  EXPECT_EQ(ring.dropped(), 0u);
}

TEST(Ring, LeavesOutWhatDoesNotFitAndCountsIt) {
  Ring<int, 4> ring;
  for (int i = 0; i < 7; ++i) EXPECT_EQ(ring.push(i), i < 4);
  EXPECT_EQ(ring.dropped(), 3u);
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(ring.pop(value));
    EXPECT_EQ(value, i);
  }
  EXPECT_TRUE(ring.push(9));
  ASSERT_TRUE(ring.pop(value));
  EXPECT_EQ(value, 9);
}

TEST(Ring, TwoThreadsLoseNothingButWhatIsCounted) {
  constexpr std::uint64_t kCount = 200'000;
  Ring<std::uint64_t, 64> ring;
  std::thread writer([&ring] {
    for (std::uint64_t i = 1; i <= kCount; ++i) ring.push(i);
    while (!ring.push(0)) std::this_thread::yield();  // The end.
  });
  std::uint64_t value = 0, last = 0, count = 0;
  for (;;) {
    if (!ring.pop(value)) {
      std::this_thread::yield();
      continue;
    }
    if (value == 0) break;
    EXPECT_GT(value, last);
    last = value;
    ++count;
  }
  writer.join();
  EXPECT_GE(ring.dropped(), kCount - count);  // Tries to write the end are among them.
  EXPECT_LE(count, kCount);
  EXPECT_GT(count, 0u);
}

}  // namespace
}  // namespace switchyard::scorer
