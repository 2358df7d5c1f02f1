#include "server/overload.h"

#include <gtest/gtest.h>

namespace fairlead::server {
namespace {

using proxy::OverloadStep;

TEST(OverloadTest, StepsBeginAtTheirSharesAndEndBelow) {
  OverloadStep step = OverloadStep::kNone;
  const auto expect = [&](double share, OverloadStep expected) {
    step = next_step(step, share);
    EXPECT_EQ(name_of(step), name_of(expected)) << share;
  };
  expect(0.79, OverloadStep::kNone);
  expect(0.80, OverloadStep::kNoKeepAlive);
  expect(0.76, OverloadStep::kNoKeepAlive);
  expect(0.74, OverloadStep::kNone);
  // More than one at a time.
  expect(0.95, OverloadStep::kNoConnections);
  expect(2.00, OverloadStep::kShed);
  expect(0.96, OverloadStep::kShed);
  expect(0.94, OverloadStep::kNoConnections);
  expect(0.86, OverloadStep::kNoConnections);
  expect(0.84, OverloadStep::kNoKeepAlive);
  expect(0.00, OverloadStep::kNone);
}

}  // namespace
}  // namespace fairlead::server
