#include "net/buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace fairlead::net {
namespace {

TEST(Buffer, OwnsNoMemoryUntilItIsNeeded) {
  BufferPool pool;
  Buffer buffer(pool);
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.unread(), "");
  EXPECT_EQ(pool.in_use(), 0u);
  buffer.append("x");
  EXPECT_EQ(pool.in_use(), 1u);
  buffer.release_if_empty();
  EXPECT_EQ(pool.in_use(), 1u);
  buffer.consume(1);
  buffer.release_if_empty();
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(BufferPool, GivesBackWhatNobodyHasNeededForAWhile) {
  BufferPool pool;
  auto use = [&](size_t count) {
    std::vector<Buffer> buffers;
    for (size_t i = 0; i < count; ++i) buffers.emplace_back(pool).append("x");
  };
  use(10);
  EXPECT_EQ(pool.trim(), 0u);  // they may be needed yet
  use(3);
  EXPECT_EQ(pool.trim(), 7 * kBufferSize);
  EXPECT_EQ(pool.trim(), 3 * kBufferSize);
  EXPECT_EQ(pool.trim(), 0u);
  use(2);
  use(1);
  EXPECT_EQ(pool.trim(), 0u);
  EXPECT_EQ(pool.trim(), 2 * kBufferSize);
}

TEST(Buffer, IsUsedAgainAfterARelease) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.append("first");
  buffer.release();
  EXPECT_TRUE(buffer.empty());
  buffer.append("second");
  EXPECT_EQ(buffer.unread(), "second");
}

TEST(Buffer, GivesMemoryBackWhenItDiesAndTakesTheLastUsed) {
  BufferPool pool;
  const char* memory = nullptr;
  {
    Buffer buffer(pool);
    memory = buffer.room().data();
  }
  EXPECT_EQ(pool.in_use(), 0u);
  Buffer next(pool);
  EXPECT_EQ(next.room().data(), memory);
}

TEST(Buffer, StowsWhatIsLittleInMemoryOfItsOwn) {
  BufferPool pool;
  Buffer buffer(pool);
  buffer.append("read and unread");
  buffer.consume(9);
  buffer.stow();
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_EQ(buffer.unread(), "unread");
  buffer.stow();
  buffer.consume(2);
  EXPECT_EQ(buffer.unread(), "read");
  buffer.append(", and more");
  EXPECT_EQ(pool.in_use(), 1u);
  EXPECT_EQ(buffer.unread(), "read, and more");
  // What is much stays, what is nothing needs nothing.
  buffer.append(std::string(kBufferSize / 2, 'x'));
  buffer.stow();
  EXPECT_EQ(pool.in_use(), 1u);
  buffer.clear();
  buffer.stow();
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(Buffer, StowedBytesMoveAndGo) {
  BufferPool pool;
  {
    Buffer first(pool);
    first.append("bytes");
    first.stow();
    Buffer second(std::move(first));
    EXPECT_EQ(second.unread(), "bytes");
    first.append("anew");
    EXPECT_EQ(pool.in_use(), 1u);
    second.clear();
    second.append("other");
    EXPECT_EQ(second.unread(), "other");
    second.stow();
    second.release();
    EXPECT_TRUE(second.empty());
    EXPECT_EQ(pool.in_use(), 1u);
  }
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(Buffer, MovesWithItsBytes) {
  BufferPool pool;
  Buffer first(pool);
  first.append("bytes");
  Buffer second(std::move(first));
  EXPECT_EQ(second.unread(), "bytes");
  EXPECT_TRUE(first.empty());
  first.append("anew");
  EXPECT_EQ(second.unread(), "bytes");
  EXPECT_EQ(pool.in_use(), 2u);
}

TEST(Buffer, HoldsItsSizeAndThenHasNoRoom) {
  BufferPool pool;
  Buffer buffer(pool);
  std::string full(kBufferSize, 'x');
  buffer.append(full);
  EXPECT_TRUE(buffer.room().empty());
  buffer.consume(1);
  EXPECT_EQ(buffer.room().size(), 1u);
  EXPECT_EQ(buffer.unread(), std::string_view(full).substr(1));
}

TEST(Buffer, APoolKeepsNoMoreThanItShould) {
  BufferPool pool(1);
  Buffer first(pool), second(pool);
  first.append("x");
  second.append("x");
  first.release();
  second.release();
  EXPECT_EQ(pool.in_use(), 0u);
}

// A queue of bytes, whatever is appended and consumed.
TEST(Buffer, AgreesWithAString) {
  std::mt19937 random(1);
  BufferPool pool;
  Buffer buffer(pool);
  std::string model;
  for (int round = 0; round < 20'000; ++round) {
    std::span<char> room = buffer.room();
    ASSERT_TRUE(!room.empty() || model.size() == kBufferSize);
    size_t count = std::min<size_t>(random() % 5'000, room.size());
    for (size_t i = 0; i < count; ++i) room[i] = static_cast<char>(random());
    model.append(room.data(), count);
    buffer.commit(count);
    ASSERT_EQ(buffer.unread(), model);
    size_t consumed = std::min<size_t>(random() % 5'000, model.size());
    buffer.consume(consumed);
    model.erase(0, consumed);
    if (random() % 50 == 0) buffer.release_if_empty();
    ASSERT_EQ(buffer.size(), model.size());
  }
}

TEST(BufferDeathTest, ConsumingMoreThanThereIsIsAnAssertion) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  BufferPool pool;
  Buffer buffer(pool);
  buffer.append("x");
  EXPECT_DEATH(buffer.consume(2), "count <= size");
}

}  // namespace
}  // namespace fairlead::net
