#include "codec/scan.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace fairlead::codec {
namespace {

// The property of all scans: blocks find what bytes find, for each byte at each place of inputs around a block's size,
// and read nothing outside (which a sanitizer sees).
template <typename Stop>
void expect_blocks_to_agree_with_bytes(char plain) {
  ASSERT_FALSE(Stop::test(static_cast<unsigned char>(plain)));
  for (size_t size = 0; size <= 40; ++size) {
    const auto text = std::make_unique<char[]>(size);
    for (size_t from = 0; from <= size; from += 3) {
      std::fill_n(text.get(), size, plain);
      EXPECT_EQ(find_stop<Stop>(text.get(), text.get() + from, text.get() + size), text.get() + size);
      for (size_t at = 0; at < size; ++at) {
        for (int c = 0; c < 256; ++c) {
          text[at] = static_cast<char>(c);
          const bool stops = at >= from && Stop::test(static_cast<unsigned char>(c));
          const char* expected = text.get() + (stops ? at : size);
          const char* found = find_stop<Stop>(text.get(), text.get() + from, text.get() + size);
          ASSERT_EQ(found, expected) << "byte " << c << " at " << at << " of " << size << ", scanned from " << from;
        }
        text[at] = plain;
      }
    }
  }
}

TEST(FindStop, OfValues) { expect_blocks_to_agree_with_bytes<ValueStop>('v'); }
TEST(FindStop, OfPaths) { expect_blocks_to_agree_with_bytes<PathStop>('/'); }
TEST(FindStop, OfQueries) { expect_blocks_to_agree_with_bytes<QueryStop>('&'); }
TEST(FindStop, OfNames) { expect_blocks_to_agree_with_bytes<PlainNameStop>('-'); }

TEST(FindStop, TakesTheFirstOfMany) {
  const std::string text = std::string(20, 'a') + "\r\n\r\n";
  EXPECT_EQ(find_stop<ValueStop>(text.data(), text.data(), text.data() + text.size()), text.data() + 20);
}

TEST(TakeListElement, TrimsAndKeepsEmptyOnes) {
  std::string_view rest = " a ,\t, b c,";
  EXPECT_EQ(take_list_element(rest), "a");
  EXPECT_EQ(take_list_element(rest), "");
  EXPECT_EQ(take_list_element(rest), "b c");
  EXPECT_NE(rest.data(), nullptr);
  EXPECT_EQ(take_list_element(rest), "");
  EXPECT_EQ(rest.data(), nullptr);
}

}  // namespace
}  // namespace fairlead::codec
