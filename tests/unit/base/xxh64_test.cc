#include "base/xxh64.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::base {
namespace {

// Of the reference implementation.
TEST(Xxh64, HashesAsPublished) {
  EXPECT_EQ(Xxh64::of(""), 0xef46db3751d8e999u);
  EXPECT_EQ(Xxh64::of("a"), 0xd24ec4f1a98c6e5bu);
  EXPECT_EQ(Xxh64::of("abc"), 0x44bc2cf5ad770999u);
  EXPECT_EQ(Xxh64::of("Nobody inspects the spammish repetition"), 0xfbcea83c8a378bf1u);
  EXPECT_EQ(Xxh64::of("", 0x9e3779b1), 0xac75fda2929b17efu);
  EXPECT_EQ(Xxh64::of("xxhash", 20141025), 13067679811253438005u);
}

TEST(Xxh64, PiecesHashAsTheWhole) {
  std::string text;
  for (int i = 0; i < 150; ++i) text += static_cast<char>(i * 37);
  for (size_t size = 0; size <= text.size(); ++size) {
    std::string_view whole = std::string_view(text).substr(0, size);
    uint64_t expected = Xxh64::of(whole, size);
    for (size_t step : {1u, 3u, 7u, 31u, 32u, 33u, 64u}) {
      Xxh64 hash(size);
      for (size_t at = 0; at < size; at += step) {
        hash.add(whole.substr(at, step));
        hash.add("");
      }
      ASSERT_EQ(hash.value(), expected) << size << " bytes in steps of " << step;
    }
  }
}

}  // namespace
}  // namespace fairlead::base
