// What clients get wrong: each row is refused with its reason, its status and its text, and changes nothing.
//
// What cannot be said in an operation has a test of its own here or, where it takes a process or a client that no
// library would be, in e2e/management_*_test.py; e2e/management_catalogue_test.py says where each row of the catalogue
// is.
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "bad_input_rows.h"
#include "gmock/gmock.h"
#include "management_fixture.h"

namespace fairlead::management {
namespace {

using testing::HasSubstr;

class BadInputTest : public ManagementFixture {
 protected:
  void SetUp() override {
    ManagementFixture::SetUp();
    half_.take_address("127.0.0.1:99");
    must(R"(
      operations { create { backend { name: "web" servers { name: "s1" address: "10.0.0.5:80" } } } }
      operations { create { backend { name: "routed" } } }
      operations { create { listener { name: "front" bind: "127.0.0.1:8080" protocol: PROTOCOL_HTTP
                                       routes { path_prefix: "/r" backend: "routed" }
                                       default_backend: "web" } } })");
  }

  std::string digest() {
    grpc::ClientContext context;
    v1::GetInfoResponse response;
    EXPECT_TRUE(stub_->GetInfo(&context, {}, &response).ok());
    return absl::BytesToHexString(response.digest());
  }
  v1::StreamUpdatesResponse read(
      grpc::ClientReaderWriter<v1::StreamUpdatesRequest, v1::StreamUpdatesResponse>& stream) {
    v1::StreamUpdatesResponse response;
    EXPECT_TRUE(stream.Read(&response));
    return response;
  }

  // The same by the unary call of its kind; OK where there is none.
  grpc::Status unary(const v1::Operation& operation) {
    grpc::ClientContext context;
    if (operation.has_delete_() && operation.delete_().name_case() == v1::Delete::NAME_NOT_SET) return grpc::Status::OK;
    if (operation.has_delete_()) return unary_delete(context, operation.delete_());
    if (operation.has_patch() && operation.patch().resource().has_certificate()) {
      v1::UpdateCertificateRequest request;
      *request.mutable_certificate() = operation.patch().resource().certificate();
      *request.mutable_update_mask() = operation.patch().update_mask();
      v1::UpdateCertificateResponse response;
      return stub_->UpdateCertificate(&context, request, &response);
    }
    if (operation.has_patch()) {
      v1::UpdateServerRequest request;
      *request.mutable_server() = operation.patch().resource().server();
      *request.mutable_update_mask() = operation.patch().update_mask();
      v1::UpdateServerResponse response;
      return stub_->UpdateServer(&context, request, &response);
    }
    if (operation.has_replace()) {
      v1::UpdateServerRequest request;
      *request.mutable_server() = operation.replace().server();
      v1::UpdateServerResponse response;
      return stub_->UpdateServer(&context, request, &response);
    }
    return unary_create(context, operation.create());
  }

 private:
  grpc::Status unary_delete(grpc::ClientContext& context, const v1::Delete& operation) {
    if (operation.has_backend()) {
      v1::DeleteBackendRequest request;
      request.set_name(operation.backend());
      v1::DeleteBackendResponse response;
      return stub_->DeleteBackend(&context, request, &response);
    }
    v1::DeleteServerRequest request;
    request.set_backend(operation.server().backend());
    request.set_name(operation.server().name());
    *request.mutable_drain() = operation.drain();
    v1::DeleteServerResponse response;
    return stub_->DeleteServer(&context, request, &response);
  }
  grpc::Status unary_create(grpc::ClientContext& context, const v1::Resource& resource) {
    if (resource.has_server()) {
      v1::AddServerRequest request;
      *request.mutable_server() = resource.server();
      v1::AddServerResponse response;
      return stub_->AddServer(&context, request, &response);
    }
    if (resource.has_backend()) {
      v1::AddBackendRequest request;
      *request.mutable_backend() = resource.backend();
      v1::AddBackendResponse response;
      return stub_->AddBackend(&context, request, &response);
    }
    if (resource.has_certificate()) {
      v1::AddCertificateRequest request;
      *request.mutable_certificate() = resource.certificate();
      v1::AddCertificateResponse response;
      return stub_->AddCertificate(&context, request, &response);
    }
    if (!resource.has_listener()) return grpc::Status::OK;
    v1::AddListenerRequest request;
    *request.mutable_listener() = resource.listener();
    v1::AddListenerResponse response;
    return stub_->AddListener(&context, request, &response);
  }
};

TEST_F(BadInputTest, IsRefusedWithReasonStatusAndTextAndChangesNothing) {
  std::string before = state();
  std::string digest_before = digest();
  for (const auto& rows : {bad_servers(), bad_backends(), bad_health_checks(), bad_listeners(), bad_certificates()}) {
    for (const Row& row : rows) {
      SCOPED_TRACE(absl::StrCat("row ", row.number, " ", row.name));
      v1::Operation operation = from_text<v1::Operation>(row.operation);
      v1::Transaction transaction;
      *transaction.add_operations() = from_text<v1::Operation>(
          "create { backend { name: \"beside\" servers { name: \"x\" address: \"10.0.0.1:80\" } } }");
      *transaction.add_operations() = operation;
      v1::TransactionResult result = apply(transaction);
      EXPECT_EQ(result.outcome(), v1::OUTCOME_REFUSED);
      ASSERT_EQ(result.failures_size(), 1) << result.DebugString();
      EXPECT_EQ(result.failures(0).index(), 1);
      EXPECT_EQ(result.failures(0).reason(), row.reason);
      EXPECT_THAT(result.failures(0).message(), HasSubstr(row.text));

      grpc::Status status = unary(operation);
      EXPECT_EQ(status.error_code(), row.status) << status.error_message();
      if (row.status != StatusCode::OK) {
        EXPECT_THAT(status.error_message(), HasSubstr(row.text));
        EXPECT_THAT(status.error_details(), HasSubstr("fairlead.v1.OperationFailure"));
        EXPECT_THAT(status.error_details(), HasSubstr("google.rpc.ErrorInfo"));
        EXPECT_EQ(status.error_details().contains("google.rpc.BadRequest"), row.status == StatusCode::INVALID_ARGUMENT);
        EXPECT_EQ(status.error_details().contains("google.rpc.QuotaFailure"), row.reason == v1::REASON_LIMIT_EXCEEDED);
        EXPECT_LT(status.error_details().size() + status.error_message().size(), 8192);
      }
      EXPECT_EQ(state(), before);
      EXPECT_EQ(digest(), digest_before);
      if (HasFailure()) return;
    }
  }
}

// What is good though it looks odd: an outcome, and whether it left what was there as it was.
struct GoodRow {
  int number;
  const char* name;
  std::string transaction;
  v1::Outcome outcome;
};
const GoodRow kGoodRows[] = {
    {1, "CreateOfEqualContent",
     R"(operations { create { server { backend: "web" name: "s1" address: "10.0.0.5:80" } } })", v1::OUTCOME_UNCHANGED},
    {1, "UpsertOfAnotherSpelling",
     R"(operations { upsert { server { backend: "web" name: "s6" address: "[0:0::0:5]:80" } } })",
     v1::OUTCOME_UNCHANGED},
    {4, "TwoOfOneAddress", R"(operations { create { server { backend: "web" name: "s2" address: "10.0.0.5:80" } } })",
     v1::OUTCOME_APPLIED},
    {6, "DeleteOfNothing", R"(operations { delete { server { backend: "web" name: "nobody" } } })",
     v1::OUTCOME_UNCHANGED},
    {6, "DeleteInNoBackend", R"(operations { delete { server { backend: "no" name: "nobody" } } })",
     v1::OUTCOME_UNCHANGED},
    {6, "DeleteOfNoBackend", R"(operations { delete { backend: "no" } })", v1::OUTCOME_UNCHANGED},
    {6, "DeleteOfNoListener", R"(operations { delete { listener: "no" } })", v1::OUTCOME_UNCHANGED},
    {17, "AllWeightsZero",
     R"(operations { patch { resource { server { backend: "web" name: "s1" weight: 0 } } update_mask { paths: "weight" } } })",
     v1::OUTCOME_APPLIED},
    {27, "NoOperations", "", v1::OUTCOME_UNCHANGED},
    {27, "NoOperationsEach", "atomicity: ATOMICITY_EACH", v1::OUTCOME_UNCHANGED},
};

TEST_F(BadInputTest, OrWhatIsGoodIsTakenAndChangesNoMoreThanItSays) {
  must(R"(operations { create { server { backend: "web" name: "s6" address: "[::5]:80" } } })");
  for (const GoodRow& row : kGoodRows) {
    SCOPED_TRACE(absl::StrCat("row ", row.number, " ", row.name));
    std::string before = state();
    std::string digest_before = digest();
    v1::TransactionResult result = apply(row.transaction);
    EXPECT_EQ(result.outcome(), row.outcome) << result.DebugString();
    bool unchanged = row.outcome == v1::OUTCOME_UNCHANGED;
    EXPECT_EQ(state() == before, unchanged);
    EXPECT_EQ(digest() == digest_before, unchanged);
  }
  grpc::ClientContext context;
  v1::GetBackendResponse got;
  ASSERT_TRUE(stub_->GetBackend(&context, from_text<v1::GetBackendRequest>(R"(name: "web")"), &got).ok());
  EXPECT_EQ(got.backend().status().servers(), 3);
}

TEST_F(BadInputTest, Row03TheSecondOfOneNameIsAChangeOfTheFirst) {
  std::string before = digest();
  v1::TransactionResult result = apply(R"(
      operations { create { server { backend: "web" name: "twice" address: "10.0.0.1:1" } } }
      operations { create { server { backend: "web" name: "twice" address: "10.0.0.1:2" } } })");
  EXPECT_EQ(result.outcome(), v1::OUTCOME_REFUSED);
  ASSERT_EQ(result.failures_size(), 1);
  EXPECT_EQ(result.failures(0).index(), 1);
  EXPECT_EQ(result.failures(0).reason(), v1::REASON_ALREADY_EXISTS);
  EXPECT_EQ(digest(), before);
  must(R"(operations { upsert { server { backend: "web" name: "twice" address: "10.0.0.1:1" } } }
          operations { upsert { server { backend: "web" name: "twice" address: "10.0.0.1:2" } } })");
  grpc::ClientContext context;
  v1::GetServerResponse got;
  ASSERT_TRUE(
      stub_->GetServer(&context, from_text<v1::GetServerRequest>(R"(backend: "web" name: "twice")"), &got).ok());
  EXPECT_EQ(got.server().address(), "10.0.0.1:2");
}

TEST_F(BadInputTest, Row25UnknownFieldsAreNotStored) {
  v1::AddServerRequest request;
  request.mutable_server()->set_backend("web");
  request.mutable_server()->set_name("x");
  request.mutable_server()->set_address("10.0.0.1:80");
  must(R"(operations { create { server { backend: "web" name: "x" address: "10.0.0.1:80" } } })");
  std::string before = state(), digest_before = digest();
  request.mutable_server()->GetReflection()->MutableUnknownFields(request.mutable_server())->AddVarint(1000, 7);
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(1000, "text");
  grpc::ClientContext context;
  v1::AddServerResponse response;
  EXPECT_TRUE(stub_->AddServer(&context, request, &response).ok());
  EXPECT_EQ(state(), before);
  EXPECT_EQ(digest(), digest_before);
}

// Whatever else is wrong: the version is told.
TEST_F(BadInputTest, Row34And35VersionsThatAreNotThePresentOne) {
  std::string before = state(), digest_before = digest();
  uint64_t present = apply("").version();
  auto expect_refused = [&](uint64_t expected, v1::Reason reason) {
    v1::TransactionResult result = apply(absl::StrCat(
        "operations { delete { server { backend: \"web\" name: \"s1\" } } } expected_version: ", expected));
    EXPECT_EQ(result.outcome(), v1::OUTCOME_REFUSED);
    EXPECT_EQ(result.version(), present);
    ASSERT_EQ(result.failures_size(), 1);
    EXPECT_FALSE(result.failures(0).has_index());
    EXPECT_EQ(result.failures(0).reason(), reason);
    EXPECT_THAT(result.failures(0).message(), HasSubstr(absl::StrCat(present)));
    EXPECT_THAT(result.failures(0).message(), HasSubstr(absl::StrCat(expected)));
  };
  expect_refused(present - 1, v1::REASON_VERSION_MISMATCH);
  expect_refused(present + 1, v1::REASON_FUTURE_VERSION);
  expect_refused(UINT64_MAX, v1::REASON_FUTURE_VERSION);
  EXPECT_EQ(state(), before);
  EXPECT_EQ(digest(), digest_before);
}

TEST_F(BadInputTest, Row36OfWritersWhoExpectOneVersionExactlyOneWrites) {
  constexpr int kWriters = 4, kRounds = 50;
  for (int round = 0; round < kRounds; ++round) {
    uint64_t present = apply("").version();
    std::vector<v1::TransactionResult> results(kWriters);
    std::vector<std::thread> writers;
    for (int i = 0; i < kWriters; ++i) {
      writers.emplace_back([&, i] {
        results[static_cast<size_t>(i)] =
            apply(absl::StrCat("operations { create { server { backend: \"web\" name: \"w", round,
                               "\" address: \"10.0.0.1:", 1 + i, "\" } } } expected_version: ", present));
      });
    }
    for (std::thread& writer : writers) writer.join();
    int applied = 0;
    for (const v1::TransactionResult& result : results) {
      if (result.outcome() == v1::OUTCOME_APPLIED) {
        ++applied;
      } else {
        ASSERT_EQ(result.failures_size(), 1);
        EXPECT_EQ(result.failures(0).reason(), v1::REASON_VERSION_MISMATCH);
      }
    }
    ASSERT_EQ(applied, 1);
  }
}

TEST_F(BadInputTest, Row50OneListenerMoreThanThereMayBe) {
  v1::Transaction transaction;
  for (int i = 1; i < 1000; ++i) {
    *transaction.add_operations() = from_text<v1::Operation>(
        absl::StrCat("create { listener { name: \"l", i, "\" bind: \"127.0.0.1:0\" protocol: PROTOCOL_HTTP } }"));
  }
  ASSERT_EQ(apply(transaction).outcome(), v1::OUTCOME_APPLIED);
  std::string before = state(), digest_before = digest();
  v1::Operation one_more = from_text<v1::Operation>(http(""));
  v1::Transaction too_many;
  *too_many.add_operations() = one_more;
  v1::TransactionResult result = apply(too_many);
  ASSERT_EQ(result.failures_size(), 1);
  EXPECT_EQ(result.failures(0).reason(), v1::REASON_LIMIT_EXCEEDED);
  EXPECT_THAT(result.failures(0).message(), HasSubstr("1000"));
  grpc::Status status = unary(one_more);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("listener l: "));
  EXPECT_EQ(state(), before);
  EXPECT_EQ(digest(), digest_before);
}

// --- what a session may not do ---

TEST_F(BadInputTest, ATransactionIdThatDoesNotGrowIsRefusedAndTheSessionGoesOn) {
  grpc::ClientContext context;
  auto stream = stub_->StreamUpdates(&context);
  stream->Write(from_text<v1::StreamUpdatesRequest>(R"(open { client_name: "test" election_id { low: 1 } })"));
  EXPECT_TRUE(read(*stream).has_opened());
  std::string add = R"(operations { upsert { server { backend: "web" name: "x" address: "10.0.0.1:80" } } })";
  std::string remove = R"(operations { delete { server { backend: "web" name: "x" } } })";
  auto send = [&](uint64_t id, const std::string& operations) {
    stream->Write(from_text<v1::StreamUpdatesRequest>(absl::StrCat("transaction { id: ", id, " ", operations, " }")));
    return read(*stream).result();
  };
  std::string before = digest();
  EXPECT_EQ(send(5, add).outcome(), v1::OUTCOME_APPLIED);
  EXPECT_EQ(send(6, remove).outcome(), v1::OUTCOME_APPLIED);
  for (uint64_t id : {6, 5, 1}) {
    v1::TransactionResult result = send(id, add);
    EXPECT_EQ(result.outcome(), v1::OUTCOME_REFUSED);
    EXPECT_EQ(result.id(), id);
    ASSERT_EQ(result.failures_size(), 1);
    EXPECT_FALSE(result.failures(0).has_index());
    EXPECT_EQ(result.failures(0).reason(), v1::REASON_INVALID);
    EXPECT_THAT(result.failures(0).message(), HasSubstr(absl::StrCat(id)));
    EXPECT_THAT(result.failures(0).message(), HasSubstr("6"));
  }
  EXPECT_EQ(digest(), before);
  EXPECT_EQ(send(7, add).outcome(), v1::OUTCOME_APPLIED);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(BadInputTest, ASecondOpenEndsTheSession) {
  std::string before = digest();
  grpc::ClientContext context;
  auto stream = stub_->StreamUpdates(&context);
  stream->Write(from_text<v1::StreamUpdatesRequest>(R"(open { client_name: "test" election_id { low: 1 } })"));
  EXPECT_TRUE(read(*stream).has_opened());
  stream->Write(from_text<v1::StreamUpdatesRequest>(R"(open { client_name: "test" election_id { low: 1 } })"));
  v1::StreamUpdatesResponse response;
  EXPECT_FALSE(stream->Read(&response)) << response.DebugString();
  grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), kArgument);
  EXPECT_THAT(status.error_message(), HasSubstr("open"));
  EXPECT_EQ(digest(), before);
}

TEST_F(BadInputTest, OneBadOfTenThousandRefusesAllAndIsNamed) {
  std::string before = state();
  v1::Transaction transaction;
  for (int i = 0; i < 10'000; ++i) {
    v1::Server& server = *transaction.add_operations()->mutable_upsert()->mutable_server();
    server.set_backend("web");
    server.set_name(absl::StrCat("s", i));
    server.set_address("10.0.0.1:80");
    if (i == 7777) server.set_weight(1000);
  }
  v1::TransactionResult result = apply(transaction);
  EXPECT_EQ(result.failures(0).index(), 7777);
  EXPECT_EQ(state(), before);
  *transaction.add_operations() = transaction.operations(0);
  result = apply(transaction);
  EXPECT_EQ(result.failures(0).reason(), v1::REASON_LIMIT_EXCEEDED);
  EXPECT_THAT(result.failures(0).message(), HasSubstr("has 10001 operations, at most 10000"));
}

TEST_F(BadInputTest, DetailsStaySmall) {
  v1::Transaction transaction;
  for (int i = 0; i < 5000; ++i) transaction.add_operations();
  v1::TransactionResult result = apply(transaction);
  EXPECT_EQ(result.failures_size(), 100);
  EXPECT_EQ(result.failures_total(), 5000);
}

// What goes as metadata ends at 8 KB.
TEST_F(BadInputTest, ResultsMayBeLarge) {
  v1::Transaction transaction;
  transaction.set_atomicity(v1::ATOMICITY_EACH);
  auto name_of = [](int number) { return absl::StrCat(std::string(200, 'n'), number); };
  for (int i = 0; i < 100; ++i) {
    v1::Server& server = *transaction.add_operations()->mutable_replace()->mutable_server();
    server.set_backend("web");
    server.set_name(name_of(i));
    server.set_address("10.0.0.1:80");
  }
  v1::TransactionResult result = apply(transaction);
  EXPECT_GT(result.ByteSizeLong(), 20'000U);
  ASSERT_EQ(result.failures_size(), 100);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(result.failures(i).index(), static_cast<uint32_t>(i));
    EXPECT_THAT(result.failures(i).resource(), HasSubstr(name_of(i)));
  }
}

TEST_F(BadInputTest, AMessageOverTheLimitIsRefusedAndTheServiceLives) {
  v1::ApplyTransactionRequest request;
  request.mutable_transaction()->add_operations()->mutable_upsert()->mutable_server()->set_name(
      std::string(5 << 20, 'x'));
  grpc::ClientContext context;
  v1::ApplyTransactionResponse response;
  EXPECT_EQ(stub_->ApplyTransaction(&context, request, &response).error_code(), StatusCode::RESOURCE_EXHAUSTED);
  must("");
}

TEST_F(BadInputTest, InvalidUtf8IsNeverStored) {
  std::string before = state();
  v1::AddServerRequest request;
  request.mutable_server()->set_backend("web");
  request.mutable_server()->set_name("x");
  request.mutable_server()->set_address("10.0.0.1:80");
  (*request.mutable_server()->mutable_labels())["zone"] = "\xff\xfe";
  grpc::ClientContext context;
  v1::AddServerResponse response;
  EXPECT_FALSE(stub_->AddServer(&context, request, &response).ok());
  EXPECT_EQ(state(), before);
}

// The distribution's gRPC at times closes the connection of such a call as well; then the next call opens another.
TEST_F(BadInputTest, MetadataOverTheLimitFailsAndTheServiceLives) {
  std::string before = state();
  grpc::ClientContext context;
  context.AddMetadata("x-large", std::string(9 << 10, 'm'));
  v1::GetInfoResponse response;
  EXPECT_FALSE(stub_->GetInfo(&context, {}, &response).ok());
  grpc::Status status(StatusCode::UNAVAILABLE, "");
  for (int tries = 0; tries < 10 && status.error_code() == StatusCode::UNAVAILABLE; ++tries) {
    grpc::ClientContext again;
    again.set_wait_for_ready(true);
    status = stub_->GetInfo(&again, {}, &response);
  }
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(state(), before);
}

TEST_F(BadInputTest, PagesAreBoundToTheirQuery) {
  for (int i = 0; i < 5; ++i) {
    must(absl::StrCat("operations { create { server { backend: \"web\" name: \"p", i,
                      "\" address: \"10.0.0.1:80\" } } }"));
  }
  auto list = [&](const std::string& text) {
    grpc::ClientContext context;
    v1::ListServersResponse response;
    grpc::Status status = stub_->ListServers(&context, from_text<v1::ListServersRequest>(text), &response);
    return std::pair(status, response);
  };
  EXPECT_EQ(list("page_size: -1").first.error_code(), kArgument);
  EXPECT_EQ(list("page_token: \"garbage\"").first.error_code(), kArgument);
  EXPECT_EQ(list("lifecycles: 99").first.error_code(), kArgument);
  auto [status, page] = list("backend: \"web\" page_size: 4");
  ASSERT_TRUE(status.ok());
  ASSERT_EQ(page.servers_size(), 4);
  std::string token = "page_token: \"" + page.next_page_token() + "\"";
  EXPECT_EQ(list(token).first.error_code(), kArgument);
  auto [status2, rest] = list("backend: \"web\" page_size: 4 " + token);
  ASSERT_TRUE(status2.ok()) << status2.error_message();
  EXPECT_EQ(rest.servers_size(), 2);
  EXPECT_EQ(rest.servers(1).name(), "s1");
  EXPECT_EQ(rest.next_page_token(), "");
}

}  // namespace
}  // namespace fairlead::management
