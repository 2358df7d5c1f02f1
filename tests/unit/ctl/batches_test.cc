#include "ctl/batches.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::ctl {
namespace {

using testing::ElementsAre;

std::vector<PlannedOperation> operations(int serving, int listening, int removing) {
  std::vector<PlannedOperation> list;
  const auto add = [&](int count, Step step) {
    for (int i = 0; i < count; ++i) {
      PlannedOperation& planned = list.emplace_back();
      planned.operation.mutable_delete_()->set_backend("b" + std::to_string(list.size()));
      planned.origin = std::to_string(list.size());
      planned.step = step;
    }
  };
  add(serving, Step::kServing);
  add(listening, Step::kListening);
  add(removing, Step::kRemoving);
  return list;
}

std::vector<int> sizes(const std::vector<Batch>& batches) {
  std::vector<int> result;
  for (const Batch& batch : batches) result.push_back(batch.transaction.operations_size());
  return result;
}

TEST(Split, Table) {
  struct Case {
    const char* name;
    int serving, listening, removing;
    std::size_t limit;
    std::vector<int> sizes;
  };
  const Case cases[] = {
      {"nothing is one transaction: it tells the version", 0, 0, 0, 10, {0}},
      {"all fits", 5, 2, 3, 10, {10}},
      {"one too many: the last step goes alone", 5, 2, 4, 10, {7, 4}},
      {"steps are filled up", 25, 0, 0, 10, {10, 10, 5}},
      {"a large step begins where there is room", 5, 0, 25, 10, {10, 10, 10}},
      {"listeners stay together", 9, 3, 7, 10, {9, 10}},
      {"more listeners than fit are cut", 9, 12, 0, 10, {10, 10, 1}},
      {"one at a time", 1, 1, 1, 1, {1, 1, 1}},
  };
  for (const Case& c : cases) {
    const auto batches = split(operations(c.serving, c.listening, c.removing), {.operations = c.limit});
    EXPECT_EQ(sizes(batches), c.sizes) << c.name;
  }
}

TEST(Split, KeepsTheOrderAndThePlaces) {
  int number = 0;
  for (const Batch& batch : split(operations(7, 3, 8), {.operations = 4})) {
    ASSERT_EQ(batch.origins.size(), static_cast<std::size_t>(batch.transaction.operations_size()));
    EXPECT_EQ(batch.transaction.atomicity(), v1::ATOMICITY_ALL_OR_NOTHING);
    for (int i = 0; i < batch.transaction.operations_size(); ++i) {
      ++number;
      EXPECT_EQ(batch.origins[static_cast<std::size_t>(i)], std::to_string(number));
      EXPECT_EQ(batch.transaction.operations(i).delete_().backend(), "b" + std::to_string(number));
    }
  }
  EXPECT_EQ(number, 18);
}

TEST(Split, KeepsEachMessageBelowItsBytes) {
  std::vector<PlannedOperation> list = operations(100, 0, 0);
  for (PlannedOperation& planned : list) planned.operation.mutable_delete_()->set_backend(std::string(1000, 'x'));
  const auto batches = split(std::move(list), {.operations = 10'000, .bytes = 20'000});
  EXPECT_GT(batches.size(), 5u);
  for (const Batch& batch : batches) {
    v1::ApplyTransactionRequest request;
    *request.mutable_transaction() = batch.transaction;
    EXPECT_LE(request.ByteSizeLong(), 20'000u);
  }
}

TEST(Split, WhatIsTooLargeAloneGoesAlone) {
  std::vector<PlannedOperation> list = operations(3, 0, 0);
  list[1].operation.mutable_delete_()->set_backend(std::string(50'000, 'x'));
  EXPECT_THAT(sizes(split(std::move(list), {.operations = 10, .bytes = 20'000})), ElementsAre(1, 1, 1));
}

}  // namespace
}  // namespace fairlead::ctl
