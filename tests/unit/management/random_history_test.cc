// Random transactions over a journal, with certificates among them, and ways back to any version before: what stands in
// history is what was there, and a data plane that begins with the journal has all of it.
//
// FAIRLEAD_TEST_SEED repeats a run, FAIRLEAD_TEST_SECONDS makes it longer.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "management_fixture.h"
#include "random_operations.h"
#include "test_support/made_certificate.h"
#include "watching_client.h"

namespace fairlead::management {
namespace {

using testing::HasSubstr;

// What a version had.
struct Past {
  std::string digest;
  Believed settings;
};

class RandomHistoryTest : Quiet, public ManagementFixture {
 protected:
  RandomHistoryTest() : ManagementFixture(/*is_durable=*/true) {
    for (int i = 0; i < 3; ++i) made_.push_back(tls::make_certificate(absl::StrCat("h", i, ".example")));
  }

  Past present() {
    v1::Resources all = exported();
    auto strip = [](auto& items) {
      for (auto& item : items) item.clear_metadata();
    };
    strip(*all.mutable_listeners());
    strip(*all.mutable_backends());
    strip(*all.mutable_servers());
    strip(*all.mutable_certificates());
    return {info().digest(), beliefs(all)};
  }

  v1::Operation operation(RandomOperations& draw) {
    if (!draw.random().chance(0.15)) return draw.operation();
    v1::Operation operation;
    const size_t number = draw.random().below(made_.size());
    const std::string name = absl::StrCat("c", number);
    const uint64_t kind = draw.random().below(100);
    // Seldom: what was before it needs its key.
    if (kind < 3) {
      operation.mutable_delete_()->set_certificate(name);
      return operation;
    }
    if (kind < 40) {
      v1::Listener& listener = *operation.mutable_upsert()->mutable_listener();
      listener.set_name(absl::StrCat("t", draw.random().below(2)));
      listener.add_bind("127.0.0.1:0");
      listener.set_protocol(v1::PROTOCOL_HTTP);
      listener.mutable_tls()->add_certificates(name);
      return operation;
    }
    v1::Certificate& certificate = *operation.mutable_upsert()->mutable_certificate();
    const tls::MadeCertificate& made = made_[kind < 43 ? 0 : number];
    certificate.set_name(name);
    certificate.set_chain(made.chain);
    certificate.set_private_key(draw.random().chance(0.9) ? made.key : made_[1].key);
    if (draw.random().chance(0.3)) (*certificate.mutable_labels())["k"] = absl::StrCat(draw.random().below(3));
    return operation;
  }
  v1::Transaction transaction(RandomOperations& draw) {
    v1::Transaction transaction = draw.transaction(0);
    transaction.clear_operations();
    for (uint64_t count = draw.random().between(1, 6); count > 0; --count) {
      *transaction.add_operations() = operation(draw);
    }
    return transaction;
  }

  void run(uint64_t seed);
  void go_back(RandomOperations& draw);
  void expect_restarted();

  std::vector<tls::MadeCertificate> made_;
  std::map<uint64_t, Past> history_;
  int went_back_ = 0;
  int not_back_ = 0;
};

void RandomHistoryTest::go_back(RandomOperations& draw) {
  auto at = std::next(history_.begin(), static_cast<std::ptrdiff_t>(draw.random().below(history_.size())));
  const auto& [version, past] = *at;
  const Past before = present();
  grpc::ClientContext context;
  v1::RollbackRequest request;
  request.set_version(version);
  v1::RollbackResponse response;
  grpc::Status status = stub_->Rollback(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const Past after = present();
  if (response.result().failures_total() > 0) {
    EXPECT_THAT(response.result().failures(0).message(), HasSubstr("private_key: what it was then is kept nowhere"))
        << response.DebugString();
    EXPECT_EQ(difference(after.settings, before.settings), "");
    EXPECT_EQ(after.digest, before.digest);
    ++not_back_;
    return;
  }
  ++went_back_;
  EXPECT_EQ(difference(after.settings, past.settings), "") << "back to " << version;
  EXPECT_EQ(absl::BytesToHexString(after.digest), absl::BytesToHexString(past.digest)) << "back to " << version;
}

void RandomHistoryTest::expect_restarted() {
  const Believed all = beliefs(exported());
  const v1::GetInfoResponse told = info();
  at_restarted([&](test_support::FakeReadingHalf&) {
    EXPECT_EQ(difference(beliefs(exported()), all), "");
    EXPECT_EQ(info().version(), told.version());
    EXPECT_EQ(absl::BytesToHexString(info().digest()), absl::BytesToHexString(told.digest()));
  });
}

void RandomHistoryTest::run(uint64_t seed) {
  SCOPED_TRACE(absl::StrCat("FAIRLEAD_TEST_SEED=", seed));
  std::cout << "FAIRLEAD_TEST_SEED=" << seed << std::endl;
  RandomOperations draw(seed, "");
  for (int round = 0; round < 60 && !HasFailure(); ++round) {
    half_.finish_drains();
    if (!history_.empty() && draw.random().chance(0.2)) {
      go_back(draw);
    } else {
      apply(transaction(draw));
    }
    half_.finish_drains();
    if (info().version() > 0) history_[info().version()] = present();
    if (draw.random().chance(0.1)) expect_restarted();
  }
  expect_restarted();
}

TEST_F(RandomHistoryTest, WhatWasComesBackAndStays) {
  const char* given = std::getenv("FAIRLEAD_TEST_SEED");
  const char* longer = std::getenv("FAIRLEAD_TEST_SECONDS");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(longer ? std::atoi(longer) : 2);
  uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
  do {
    run(seed++);
  } while (!given && !HasFailure() && (std::chrono::steady_clock::now() < end || went_back_ == 0));
  std::cout << went_back_ << " ways back, and " << not_back_ << " that needed a key" << std::endl;
}

}  // namespace
}  // namespace fairlead::management
