#include "runtime/frame_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

namespace fairlead::runtime {
namespace {

void round_trip(const std::vector<size_t>& sizes) {
  std::vector<void*> frames;
  for (size_t size : sizes) {
    frames.push_back(allocate_frame(size));
    std::memset(frames.back(), 0x5a, size);
  }
  for (size_t i = 0; i < sizes.size(); ++i) free_frame(frames[i], sizes[i]);
}

TEST(FramePool, TakesNothingFromTheHeapInSteadyState) {
#ifdef FAIRLEAD_SANITIZED
  GTEST_SKIP() << "frames are the heap's own under a sanitizer";
#endif
  std::vector<size_t> sizes;
  for (size_t size = 1; size <= 4096; size += 61) sizes.push_back(size);
  round_trip(sizes);
  uint64_t before = frames_from_heap();
  for (int i = 0; i < 100; ++i) round_trip(sizes);
  EXPECT_EQ(frames_from_heap(), before);
}

TEST(FramePool, GivesTheLastOneFreedFirst) {
#ifdef FAIRLEAD_SANITIZED
  GTEST_SKIP() << "frames are the heap's own under a sanitizer";
#endif
  void* first = allocate_frame(200);
  free_frame(first, 200);
  void* second = allocate_frame(193);  // of the same class
  EXPECT_EQ(first, second);
  free_frame(second, 193);
}

TEST(FramePool, GivesBackWhatNobodyHasNeededForAWhile) {
#ifdef FAIRLEAD_SANITIZED
  GTEST_SKIP() << "frames are the heap's own under a sanitizer";
#endif
  std::thread([] {
    round_trip(std::vector<size_t>(100, 640));
    EXPECT_EQ(trim_frames(), 0u);  // they may be needed yet
    uint64_t before = frames_from_heap();
    round_trip(std::vector<size_t>(10, 640));
    EXPECT_EQ(frames_from_heap(), before) << "old ones are used before new ones";
    EXPECT_EQ(trim_frames(), 90u * 640);
    EXPECT_EQ(trim_frames(), 10u * 640);
    EXPECT_EQ(trim_frames(), 0u);
    round_trip({640});
    EXPECT_EQ(frames_from_heap(), before + 1);
  }).join();
}

TEST(FramePool, LeavesGreatFramesToTheHeap) {
  round_trip({4097, 100'000});
  uint64_t before = frames_from_heap();
  round_trip({100'000});
  EXPECT_EQ(frames_from_heap(), before + 1);
}

TEST(FramePool, IsEachThreadsOwn) {
  round_trip({64, 64, 64});
  uint64_t mine = frames_from_heap();
  std::thread other([] {
    EXPECT_EQ(frames_from_heap(), 0u);
    round_trip({64});
    EXPECT_EQ(frames_from_heap(), 1u);
  });
  other.join();
  EXPECT_EQ(frames_from_heap(), mine);
}

}  // namespace
}  // namespace fairlead::runtime
