#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "management_fixture.h"

namespace fairlead::management {
namespace {

using grpc::StatusCode;

constexpr const char* kWeb =
    R"(operations { create { backend { name: "web" servers { name: "s1" address: "10.0.0.5:80" } } } })";

class StreamLimitTest : public ManagementFixture {};

TEST_F(StreamLimitTest, IsSharedByAllKindsAndCallsAreNotCounted) {
  server_->stop();
  start(/*sessions_max=*/2);
  half_.hold_drains();
  must(kWeb);
  // Calls that wait.
  std::vector<std::thread> calls;
  for (int i = 0; i < 3; ++i) {
    calls.emplace_back([&] {
      grpc::ClientContext waiting;
      v1::DeleteServerResponse deleted;
      v1::DeleteServerRequest request = from_text<v1::DeleteServerRequest>(R"(backend: "web" name: "s1" wait: true)");
      EXPECT_TRUE(stub_->DeleteServer(&waiting, request, &deleted).ok());
    });
  }
  // Each of them is there when one that came later is answered.
  while (half_.orders().empty()) must("");

  grpc::ClientContext a, b, c, d, e, f;
  auto watch = observation_->WatchEvents(&a, {});
  watch->WaitForInitialMetadata();
  auto statistics =
      observation_->StreamStatistics(&b, from_text<v1::StreamStatisticsRequest>("interval { nanos: 10000000 }"));
  v1::StreamStatisticsResponse interval;
  ASSERT_TRUE(statistics->Read(&interval));
  auto expect_full = [](const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(status.error_message(), "2 streams are open already; end one of them");
  };
  expect_full(observation_->WatchEvents(&c, {})->Finish());
  expect_full(observation_->StreamStatistics(&d, {})->Finish());
  expect_full(stub_->ExportConfig(&e, {})->Finish());
  expect_full(stub_->StreamUpdates(&f)->Finish());

  b.TryCancel();
  statistics->Finish();
  // A stream's place is free when the service has seen its end.
  grpc::Status status;
  do {
    grpc::ClientContext again;
    auto exporting = stub_->ExportConfig(&again, {});
    v1::ExportConfigResponse part;
    while (exporting->Read(&part)) {
    }
    status = exporting->Finish();
  } while (status.error_code() == StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(status.ok());
  half_.finish_drains();
  for (std::thread& call : calls) call.join();
  a.TryCancel();
  watch->Finish();
}

}  // namespace
}  // namespace fairlead::management
