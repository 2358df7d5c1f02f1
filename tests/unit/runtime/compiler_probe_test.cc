// The forms of await that we rely on, so that a compiler that gets one wrong is found here and not in a session.
#include <gtest/gtest.h>

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "runtime/task.h"

namespace fairlead::runtime {
namespace {

// Runs a task that never waits for anything outside.
struct Run {
  struct promise_type {
    Run get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
  };
};
template <typename T>
Run run_into(Task<T> task, std::optional<T>& result) {
  T value = co_await task;
  result.emplace(std::move(value));
}
template <typename T>
T run(Task<T> task) {
  std::optional<T> result;
  run_into(std::move(task), result);
  return std::move(*result);
}

struct Counted {
  explicit Counted(int& counter) : live(&counter) { ++*live; }
  Counted(const Counted& other) : live(other.live) { ++*live; }
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --*live; }
  int* live;
};

Task<int> give(int value) { co_return value; }
Task<int> add(int left, int right) {
  int first = co_await give(left);
  int second = co_await give(right);
  co_return first + second;
}
Task<void> nothing() { co_return; }
Task<int> after_nothing() {
  co_await nothing();
  co_return 7;
}

TEST(CompilerProbe, ReturnsValues) {
  EXPECT_EQ(run(give(4)), 4);
  EXPECT_EQ(run(add(4, 5)), 9);
  EXPECT_EQ(run(after_nothing()), 7);
}

Task<std::unique_ptr<std::string>> make_text(std::string text) {
  auto result = std::make_unique<std::string>(std::move(text));
  co_return result;
}
Task<std::unique_ptr<std::string>> pass_on(std::string text) {
  auto result = co_await make_text(std::move(text));
  result->append("!");
  co_return std::move(result);
}

TEST(CompilerProbe, MovesResultsThatCannotBeCopied) {
  std::string text(1'000, 'x');
  EXPECT_EQ(*run(pass_on(text)), text + "!");
}

Task<std::expected<std::string, int>> try_it(bool succeed) {
  if (!succeed) co_return std::unexpected(42);
  co_return std::string("long enough to live on the heap, not in the string");
}
Task<std::expected<size_t, int>> size_of_it(bool succeed) {
  auto text = co_await try_it(succeed);
  if (!text) co_return std::unexpected(text.error());
  co_return text->size();
}

TEST(CompilerProbe, ReturnsExpected) {
  EXPECT_EQ(run(size_of_it(true)).value(), 50u);
  EXPECT_EQ(run(size_of_it(false)).error(), 42);
}

Task<int> hold(Counted by_value, const Counted& by_reference) {
  int both = co_await give(2);
  co_return both + *by_value.live - *by_reference.live;
}
Task<int> branch(bool left, int& counter) {
  Counted outer(counter);
  int result = 0;
  if (left) {
    Counted inner(counter);
    result = co_await hold(inner, outer);
  } else {
    for (int i = 0; i < 3; ++i) {
      Counted inner(counter);
      result += co_await hold(outer, inner);
    }
  }
  co_return result;
}

TEST(CompilerProbe, DestroysEveryArgumentAndLocalOnce) {
  int counter = 0;
  EXPECT_EQ(run(branch(true, counter)), 2);
  EXPECT_EQ(counter, 0);
  EXPECT_EQ(run(branch(false, counter)), 6);
  EXPECT_EQ(counter, 0);
}

TEST(CompilerProbe, ATaskThatIsNeverAwaitedNeverRuns) {
  int counter = 0;
  {
    Counted argument(counter);
    Task<int> task = hold(argument, argument);
    EXPECT_EQ(counter, 2);
  }
  EXPECT_EQ(counter, 0);
}

struct Gate {
  std::coroutine_handle<> waiting;
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) { waiting = handle; }
  void await_resume() {}
};
Task<int> wait_at(Gate& gate, Counted) {
  co_await gate;
  co_return 1;
}
Task<int> wait_nested(Gate& gate, int& counter) {
  Counted local(counter);
  int result = co_await wait_at(gate, local);
  co_return result;
}

TEST(CompilerProbe, FreesNestedFramesThatAreDestroyedWhileTheyWait) {
  int counter = 0;
  Gate gate;
  {
    Task<int> task = wait_nested(gate, counter);
    auto awaiter = task.operator co_await();
    awaiter.await_suspend(std::noop_coroutine()).resume();
    EXPECT_TRUE(gate.waiting);
    EXPECT_EQ(counter, 3);  // the local, the argument, and the frame's copy of that
  }
  EXPECT_EQ(counter, 0);
}

Task<int> depth(int levels) {
  if (levels == 0) co_return 0;
  int below = co_await depth(levels - 1);
  co_return below + 1;
}

TEST(CompilerProbe, Nests) { EXPECT_EQ(run(depth(1'000)), 1'000); }

Task<uint64_t> many(uint64_t count) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < count; ++i) {
    int value = co_await give(static_cast<int>(i & 1));
    sum += static_cast<uint64_t>(value);
  }
  co_return sum;
}

// Each finished task returns to its awaiter by symmetric transfer: the stack does not grow.
TEST(CompilerProbe, AwaitsAMillionTimesInARowWithoutStack) { EXPECT_EQ(run(many(1'000'000)), 500'000u); }

}  // namespace
}  // namespace fairlead::runtime
