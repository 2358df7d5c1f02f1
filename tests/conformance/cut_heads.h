// Runs a head parser over an input as it may come from a network: whole, and every beginning of it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string_view>

#include "codec/head_result.h"

namespace fairlead::codec {

inline std::string_view cause_of(const HeadResult& result) {
  return result.refusal == nullptr ? std::string_view() : result.refusal->cause;
}

// `parse` gets bytes that lie alone in memory of exactly their size, so that a sanitizer sees a read behind them.
using ParseHead = std::function<HeadResult(std::string_view)>;

inline HeadResult parse_alone(const ParseHead& parse, std::string_view bytes) {
  const auto alone = std::make_unique<char[]>(bytes.size());
  bytes.copy(alone.get(), bytes.size());
  return parse({alone.get(), bytes.size()});
}

// The outcome is decided by some byte; before it every beginning is incomplete, from it on every beginning has the same
// outcome as the whole. Returns that outcome.
inline HeadResult parse_cut_everywhere(const ParseHead& parse, std::string_view bytes) {
  const HeadResult whole = parse_alone(parse, bytes);
  bool decided = false;
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const HeadResult part = parse_alone(parse, bytes.substr(0, size));
    if (part.incomplete()) {
      EXPECT_FALSE(decided) << "undecided again after " << size << " bytes";
      continue;
    }
    if (!decided && part.complete()) EXPECT_EQ(part.consumed, size) << "complete late or early";
    decided = true;
    EXPECT_EQ(part.outcome, whole.outcome) << "after " << size << " bytes: " << cause_of(part);
    EXPECT_EQ(part.consumed, whole.consumed) << "after " << size << " bytes";
    EXPECT_EQ(part.refusal, whole.refusal)
        << cause_of(part) << " after " << size << " bytes, whole " << cause_of(whole);
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_EQ(decided, !whole.incomplete());
  return whole;
}

}  // namespace fairlead::codec
