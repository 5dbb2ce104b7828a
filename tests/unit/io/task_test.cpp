#include "gateway/io/task.h"

#include "gateway/io/signal.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace switchyard::io {
namespace {

Task<int> number(int value) {
  co_return value;
}

Task<int> sum_of(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) sum += co_await number(1);
  co_return sum;
}

Task<int> deep(int depth) {
  if (depth == 0) co_return 0;
  co_return 1 + co_await deep(depth - 1);
}

Task<int> throwing() {
  throw std::runtime_error("inside");
  co_return 0;
}

Task<void> into(Task<int> task, int& result) {
  result = co_await task;
}

TEST(Task, GivesItsValueToItsAwaiter) {
  int result = 0;
  spawn(into(number(7), result));
  EXPECT_EQ(result, 7);
}

TEST(Task, AwaitingManyOneAfterAnotherKeepsTheStackFlat) {
  int result = 0;
  spawn(into(sum_of(1'000'000), result));
  EXPECT_EQ(result, 1'000'000);
}

TEST(Task, NestsDeeply) {
  int result = 0;
  spawn(into(deep(5'000), result));
  EXPECT_EQ(result, 5'000);
}

Task<void> catching(std::string& caught) {
  try {
    co_await throwing();
  } catch (const std::runtime_error& error) {
    caught = error.what();
  }
}

TEST(Task, AnExceptionReachesTheAwaiter) {
  std::string caught;
  spawn(catching(caught));
  EXPECT_EQ(caught, "inside");
}

Task<void> holding(std::shared_ptr<int> held, bool& ran) {
  ran = true;
  (void)held;
  co_return;
}

TEST(Task, IsLazyAndFreesWhatItNeverRan) {
  const auto held = std::make_shared<int>(1);
  bool ran = false;
  {
    auto task = holding(held, ran);
    EXPECT_EQ(held.use_count(), 2);
    const auto moved = std::move(task);
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_FALSE(ran);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Task, FreesItsFrameWhenItHasRun) {
  const auto held = std::make_shared<int>(1);
  bool ran = false;
  spawn(holding(held, ran));
  EXPECT_TRUE(ran);
  EXPECT_EQ(held.use_count(), 1);
}

Task<void> count_wakes(Signal& signal, int wanted, int& woken) {
  while (woken < wanted) {
    co_await signal;
    ++woken;
  }
}

TEST(Signal, WakesOneWaitForEachSetOrKeepsTheSet) {
  Signal signal;
  int woken = 0;
  signal.set();
  signal.set();
  spawn(count_wakes(signal, 3, woken));
  EXPECT_EQ(woken, 1) << "a set before the wait is kept, two of them are one";
  signal.set();
  EXPECT_EQ(woken, 2);
  signal.set();
  EXPECT_EQ(woken, 3);
}

// The waiter may destroy the signal: HttpCall does when it is ended while it waits for a name.
Task<void> destroy_after(std::unique_ptr<Signal>& signal, bool& done) {
  co_await *signal;
  signal.reset();
  done = true;
}

TEST(Signal, MayBeDestroyedByWhomItWakes) {
  auto signal = std::make_unique<Signal>();
  bool done = false;
  spawn(destroy_after(signal, done));
  signal->set();
  EXPECT_TRUE(done);
}

}  // namespace
}  // namespace switchyard::io
