#include "gateway/io/deadline.h"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

namespace switchyard::io {
namespace {

using std::chrono::seconds;

struct Counter {
  Counter(Deadlines& deadlines, int& calls)
      : calls(calls),
        deadline(
            deadlines, [](void* self) { ++static_cast<Counter*>(self)->calls; }, this) {}

  int& calls;
  Deadline deadline;
};

class DeadlineTest : public testing::Test {
 protected:
  boost::asio::io_context context;
  Deadlines deadlines{context};
  TimePoint now{seconds(1000)};
  int calls = 0;
};

TEST_F(DeadlineTest, RunsOnceWhenItsTimeHasCome) {
  const struct {
    seconds at;
    int calls;
    const char* why;
  } rows[] = {{seconds(4), 0, "not yet"}, {seconds(5), 1, "now"}, {seconds(6), 1, "not again"}};

  Counter counter(deadlines, calls);
  counter.deadline.arm(now + seconds(5));
  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    deadlines.expire(now + row.at);
    EXPECT_EQ(calls, row.calls);
  }
  EXPECT_FALSE(counter.deadline.is_armed());
}

TEST_F(DeadlineTest, ArmingAgainMovesIt) {
  Counter counter(deadlines, calls);
  counter.deadline.arm(now + seconds(5));
  counter.deadline.arm(now + seconds(50));
  deadlines.expire(now + seconds(10));
  EXPECT_EQ(calls, 0);
  counter.deadline.arm(now + seconds(5));
  deadlines.expire(now + seconds(10));
  EXPECT_EQ(calls, 1);
}

// Near and far, in any order of time: each runs at the first look at or behind its time, never before.
TEST_F(DeadlineTest, NoneIsEarlyAndNoneIsMissed) {
  using std::chrono::milliseconds;
  const milliseconds delays[] = {milliseconds(0),      milliseconds(1),      milliseconds(49),
                                 milliseconds(50),     milliseconds(51),     milliseconds(1000),
                                 milliseconds(25'600), milliseconds(25'650), milliseconds(75'000),
                                 milliseconds(900'000)};
  for (const milliseconds look_every : {milliseconds(7), milliseconds(50), milliseconds(60'000)}) {
    for (const milliseconds delay : delays) {
      for (const bool put_off : {false, true}) {
        SCOPED_TRACE(testing::Message() << delay.count() << " ms, a look every " << look_every.count()
                                        << (put_off ? ", put off" : ""));
        int mine = 0;
        Counter counter(deadlines, mine);
        const TimePoint start = now;
        if (put_off) counter.deadline.arm(start + delay / 2);
        counter.deadline.arm(start + delay);
        while (mine == 0 && now <= start + delay + look_every) {
          deadlines.expire(now);
          if (mine == 0) now += look_every;
        }
        EXPECT_EQ(mine, 1);
        EXPECT_GE(now, start + delay);
        EXPECT_LT(now, start + delay + look_every);
      }
    }
  }
}

TEST_F(DeadlineTest, DisarmedOrDestroyedItDoesNotRun) {
  Counter counter(deadlines, calls);
  counter.deadline.arm(now);
  counter.deadline.disarm();
  counter.deadline.disarm();
  {
    Counter gone(deadlines, calls);
    gone.deadline.arm(now);
  }
  deadlines.expire(now + seconds(1));
  EXPECT_EQ(calls, 0);
}

// Whatever a callback does to other deadlines, each that is due runs once and none that is gone does.
struct Breaking {
  Breaking(Deadlines& deadlines, std::vector<std::unique_ptr<Breaking>>& all, std::size_t victim, int& calls)
      : all(all), victim(victim), calls(calls), deadline(deadlines, &Breaking::run, this) {}

  static void run(void* raw) {
    auto& self = *static_cast<Breaking*>(raw);
    ++self.calls;
    self.all[self.victim].reset();  // May be itself.
  }

  std::vector<std::unique_ptr<Breaking>>& all;
  std::size_t victim;
  int& calls;
  Deadline deadline;
};

TEST_F(DeadlineTest, ACallbackMayDestroyAnyDeadlineItsOwnToo) {
  constexpr std::size_t kCount = 6;
  for (std::size_t victim_step = 0; victim_step < kCount; ++victim_step) {
    SCOPED_TRACE(victim_step);
    std::vector<std::unique_ptr<Breaking>> all(kCount);
    calls = 0;
    for (std::size_t i = 0; i < kCount; ++i) {
      all[i] = std::make_unique<Breaking>(deadlines, all, (i + victim_step) % kCount, calls);
      all[i]->deadline.arm(now);
    }
    deadlines.expire(now);
    EXPECT_GE(calls, 1);
    EXPECT_LE(calls, static_cast<int>(kCount));
    all.clear();
    const int before = calls;
    deadlines.expire(now + seconds(1));
    EXPECT_EQ(calls, before);
  }
}

struct Repeating {
  Repeating(Deadlines& deadlines, TimePoint next) : next(next), deadline(deadlines, &Repeating::run, this) {
    deadline.arm(next);
  }

  static void run(void* raw) {
    auto& self = *static_cast<Repeating*>(raw);
    ++self.calls;
    self.deadline.arm(self.next);
  }

  TimePoint next;
  int calls = 0;
  Deadline deadline;
};

TEST_F(DeadlineTest, OneThatArmsItselfForThePastRunsOncePerLook) {
  Repeating repeating(deadlines, now);
  for (int look = 1; look <= 3; ++look) {
    deadlines.expire(now + seconds(1));
    EXPECT_EQ(repeating.calls, look);
  }
}

TEST_F(DeadlineTest, TheLoopRunsOutOfWorkWithoutDeadlinesAndWhenStopped) {
  {
    Counter counter(deadlines, calls);
    counter.deadline.arm(Clock::now());
    context.run();
    EXPECT_EQ(calls, 1);
  }
  context.restart();
  Counter counter(deadlines, calls);
  counter.deadline.arm(Clock::now() + seconds(3600));
  deadlines.stop();
  context.run();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace switchyard::io
