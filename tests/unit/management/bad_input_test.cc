// What clients get wrong: each row is refused with its reason, its status and its text, and changes nothing.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "management_fixture.h"

namespace fairlead::management {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

struct Row {
  const char* name;
  // Text of an Operation.
  std::string operation;
  v1::Reason reason;
  StatusCode status;
  // Part of the text.
  std::string text;
};

std::string server(const std::string& fields) { return "create { server { backend: \"web\" " + fields + " } }"; }
std::string at(const std::string& address) { return server("name: \"x\" address: \"" + address + "\""); }
std::string named(const std::string& name) { return server("address: \"10.0.0.1:80\" name: \"" + name + "\""); }
std::string backend(const std::string& fields) { return "create { backend { name: \"b\" " + fields + " } }"; }
std::string listener(const std::string& fields) {
  return "create { listener { name: \"l\" bind: \"127.0.0.1:0\" " + fields + " } }";
}
std::string http(const std::string& fields) { return listener("protocol: PROTOCOL_HTTP " + fields); }
std::string good(const std::string& fields) { return server("name: \"x\" address: \"10.0.0.1:80\" " + fields); }

constexpr auto kInvalid = v1::REASON_INVALID;
constexpr auto kArgument = StatusCode::INVALID_ARGUMENT;

const Row kRows[] = {
    {"CreateWithOtherContent", server("name: \"s1\" address: \"10.0.0.9:80\""), v1::REASON_ALREADY_EXISTS,
     StatusCode::ALREADY_EXISTS, "server web/s1: exists with other content"},
    {"SameNameTwiceInShorthand",
     backend("servers { name: \"a\" address: \"10.0.0.1:80\" } servers { name: \"a\" address: \"10.0.0.2:80\" }"),
     kInvalid, kArgument, "backend b: servers[1].name: \"a\" duplicates servers[0]"},
    {"BackendAbsent", "create { server { backend: \"no\" name: \"x\" address: \"10.0.0.1:80\" } }",
     v1::REASON_NOT_FOUND, StatusCode::NOT_FOUND, "server no/x: backend: backend no does not exist"},
    {"ReplaceAbsent", "replace { server { backend: \"web\" name: \"x\" address: \"10.0.0.1:80\" } }",
     v1::REASON_NOT_FOUND, StatusCode::NOT_FOUND, "server web/x: does not exist"},
    {"MaskOnUnknownField",
     "patch { resource { server { backend: \"web\" name: \"s1\" } } update_mask { paths: \"wieght\" } }", kInvalid,
     kArgument, "server web/s1: update_mask: \"wieght\" is not a field of Server"},
    {"MaskOnOutput",
     "patch { resource { server { backend: \"web\" name: \"s1\" } } update_mask { paths: \"status.in_flight\" } }",
     kInvalid, kArgument, "is output only"},
    {"MaskOnName", "patch { resource { server { backend: \"web\" name: \"s1\" } } update_mask { paths: \"name\" } }",
     kInvalid, kArgument, "cannot change"},
    {"PatchAbsent", "patch { resource { server { backend: \"web\" name: \"x\" } } update_mask { paths: \"weight\" } }",
     v1::REASON_NOT_FOUND, StatusCode::NOT_FOUND, "server web/x: does not exist"},
    {"PatchOutOfRange",
     "patch { resource { server { backend: \"web\" name: \"s1\" weight: 300 } } update_mask { paths: \"weight\" } }",
     kInvalid, kArgument, "server web/s1: weight: 300 is out of range [0, 256]"},
    {"NameEmpty", named(""), kInvalid, kArgument, "name: is empty"},
    {"NameTooLong", named(std::string(256, 'a')), kInvalid, kArgument, "has 256 bytes; a name has 1 to 255"},
    {"NameWithSlash", named("a/b"), kInvalid, kArgument, "\"a/b\" has other characters than A-Z a-z 0-9 _ . : -"},
    {"NameWithSpace", named("a b"), kInvalid, kArgument, "has other characters"},
    {"NameWithNul", named("a\\000b"), kInvalid, kArgument, "has other characters"},
    {"NameWithNewline", named("a\\nb"), kInvalid, kArgument, "\"a\\nb\" has other characters"},
    {"NameOfDots", named(".."), kInvalid, kArgument, "\"..\" is not a name"},
    {"NameWithLookAlike", named("\\320\\260"), kInvalid, kArgument, "has other characters"},
    {"Octet", at("256.1.1.1:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {"ThreeParts", at("1.2.3:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {"TwoParts", at("127.1:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {"HexAddress", at("0x7f.1:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {"OctalAddress", at("010.0.0.1:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {"Zone", at("[::1%eth0]:80"), kInvalid, kArgument, "is not an IPv6 address"},
    {"OpenBracket", at("[::1"), kInvalid, kArgument, "is not an address"},
    {"AddressEmpty", at(""), kInvalid, kArgument, "server web/x: address: \"\" is not an address"},
    {"HostName", at("localhost:80"), kInvalid, kArgument, "write an IP address and a port"},
    {"AddressWithNul", at("10.0.0.1\\000:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {"PortZero", at("10.0.0.1:0"), kInvalid, kArgument, "has port 0; a server's is 1 to 65535"},
    {"PortTooLarge", at("10.0.0.1:65536"), kInvalid, kArgument, "a port is a number from 0 to 65535"},
    {"PortNegative", at("10.0.0.1:-1"), kInvalid, kArgument, "a port is a number from 0 to 65535"},
    {"PortAbsent", at("10.0.0.1"), kInvalid, kArgument, "has no port"},
    {"PortWithLeadingZero", at("10.0.0.1:080"), kInvalid, kArgument, "a port is a number from 0 to 65535"},
    {"Unspecified", at("0.0.0.0:80"), kInvalid, kArgument, "unspecified, multicast or broadcast"},
    {"Unspecified6", at("[::]:80"), kInvalid, kArgument, "unspecified, multicast or broadcast"},
    {"Multicast", at("224.0.0.1:80"), kInvalid, kArgument, "unspecified, multicast or broadcast"},
    {"Broadcast", at("255.255.255.255:80"), kInvalid, kArgument, "unspecified, multicast or broadcast"},
    {"Loop", at("127.0.0.1:8080"), v1::REASON_LOOP, kArgument, "is where listener front of this data plane listens"},
    {"LoopOfAListener", "create { listener { name: \"l\" bind: \"10.0.0.5:80\" protocol: PROTOCOL_HTTP } }",
     v1::REASON_LOOP, kArgument, "is the address of server web/s1"},
    {"UnixPathTooLong", at("unix:/" + std::string(107, 'p')), kInvalid, kArgument,
     "has a path of 108 bytes; a Unix socket's has at most 107"},
    {"UnixPathRelative", at("unix:app.sock"), kInvalid, kArgument, "needs an absolute path"},
    {"Weight", good("weight: 300"), kInvalid, kArgument, "server web/x: weight: 300 is out of range [0, 256]"},
    {"AdminStateUnspecified", good("admin_state: ADMIN_STATE_UNSPECIFIED"), kInvalid, kArgument,
     "admin_state: is not set; it is one of READY, DRAIN, MAINTENANCE"},
    {"AdminStateUnknown", good("admin_state: 77"), kInvalid, kArgument, "admin_state: 77 is not known"},
    {"MaxConnections", good("max_connections: 5"), v1::REASON_UNIMPLEMENTED, StatusCode::UNIMPLEMENTED,
     "server web/x: max_connections: is not implemented yet"},
    {"LabelKey", good("labels { key: \"a b\" value: \"c\" }"), kInvalid, kArgument, "labels: key \"a b\""},
    {"LabelValue", good("labels { key: \"a\" value: \"" + std::string(256, 'v') + "\" }"), kInvalid, kArgument,
     "has 256 bytes"},
    {"DurationNegative", backend("timeouts { connect { seconds: -1 } }"), kInvalid, kArgument,
     "backend b: timeouts.connect: -1s is out of range [1ms, 24h]"},
    {"DurationNanos", backend("timeouts { idle { seconds: 1 nanos: 1000000000 } }"), kInvalid, kArgument,
     "is not a duration"},
    {"DurationMixedSigns", backend("timeouts { idle { seconds: 1 nanos: -1 } }"), kInvalid, kArgument,
     "is not a duration"},
    {"DurationTenThousandYears", backend("timeouts { idle { seconds: 315576000001 } }"), kInvalid, kArgument,
     "is not a duration"},
    {"DurationTooLong", backend("timeouts { response { seconds: 86401 } }"), kInvalid, kArgument, "[1ms, 24h]"},
    {"DurationZero", backend("timeouts { response {} }"), kInvalid, kArgument, "0 is out of range [1ms, 24h]"},
    {"JitterAboveTimeout", backend("drain { timeout { seconds: 1 } jitter { seconds: 2 } }"), kInvalid, kArgument,
     "drain.jitter: 2s is out of range [0, 1s]"},
    {"RetryAttempts", backend("retry { attempts: 11 }"), kInvalid, kArgument, "11 is out of range [0, 10]"},
    {"PoolMaxIdle", backend("connection_pool { max_idle: 100001 }"), kInvalid, kArgument, "[0, 100000]"},
    {"HealthCheck", backend("health_check { tcp {} }"), v1::REASON_UNIMPLEMENTED, StatusCode::UNIMPLEMENTED,
     "backend b: health_check: is not implemented yet"},
    {"LeastConnections", backend("balance { algorithm: ALGORITHM_LEAST_CONNECTIONS }"), v1::REASON_UNIMPLEMENTED,
     StatusCode::UNIMPLEMENTED, "use ROUND_ROBIN or RANDOM"},
    {"AlgorithmUnknown", backend("balance { algorithm: 9 }"), kInvalid, kArgument, "9 is not known"},
    {"ProtocolUnset", listener(""), kInvalid, kArgument, "protocol: is not set; it is one of TCP, HTTP"},
    {"BindAbsent", "create { listener { name: \"l\" protocol: PROTOCOL_HTTP } }", kInvalid, kArgument,
     "bind: has 0 addresses"},
    {"BindTwice", http("bind: \"127.0.0.1:9\" bind: \"127.0.0.1:9\""), kInvalid, kArgument,
     "bind[2]: \"127.0.0.1:9\" duplicates bind[1]"},
    {"BindTaken", http("bind: \"127.0.0.1:99\""), v1::REASON_BIND_FAILED, StatusCode::FAILED_PRECONDITION,
     "127.0.0.1:99: Address already in use"},
    {"BindOfAnother", http("bind: \"127.0.0.1:8080\""), v1::REASON_BIND_FAILED, StatusCode::FAILED_PRECONDITION,
     "is in use by listener front"},
    {"TcpWithoutBackend", listener("protocol: PROTOCOL_TCP"), kInvalid, kArgument, "a TCP listener needs one"},
    {"TcpWithRoutes",
     listener("protocol: PROTOCOL_TCP default_backend: \"web\" routes { path_prefix: \"/\" backend: \"web\" }"),
     kInvalid, kArgument, "routes: are for HTTP listeners"},
    {"DanglingRoute", http("routes { path_prefix: \"/\" backend: \"no\" }"), v1::REASON_NOT_FOUND,
     StatusCode::NOT_FOUND, "listener l: routes[0].backend: backend no does not exist"},
    {"RouteTwice",
     http("routes { path_prefix: \"/a\" backend: \"web\" } routes { path_prefix: \"/a/\" backend: \"web\" }"), kInvalid,
     kArgument, "routes[1]: matches the same host and path as routes[0]"},
    {"RoutePath", http("routes { path_prefix: \"a\" backend: \"web\" }"), kInvalid, kArgument, "does not begin with"},
    {"RouteHost", http("routes { hosts: \"a..b\" backend: \"web\" }"), kInvalid, kArgument, "is not a host"},
    {"HeadBytes", http("http { max_head_bytes: 100 }"), kInvalid, kArgument, "[1024, 24576]"},
    {"NoAction", "", kInvalid, StatusCode::OK, "action: is not set"},
    {"NoResource", "upsert {}", kInvalid, StatusCode::OK, "names a listener, a backend or a server"},
    {"Certificate", "create { certificate { name: \"c\" } }", v1::REASON_UNIMPLEMENTED, StatusCode::OK,
     "certificates are not implemented yet"},
    {"BackendInUse", "delete { backend: \"web\" }", v1::REASON_IN_USE, StatusCode::FAILED_PRECONDITION,
     "backend web: is in use by listener front"},
    {"DeleteDrainTooLong", "delete { server { backend: \"web\" name: \"s1\" } drain { timeout { seconds: 86401 } } }",
     kInvalid, kArgument, "server web/s1: drain.timeout: 24h1s is out of range [0, 24h]"},
};

class BadInputTest : public ManagementFixture {
 protected:
  void SetUp() override {
    ManagementFixture::SetUp();
    half_.take_address("127.0.0.1:99");
    must(R"(
      operations { create { backend { name: "web" servers { name: "s1" address: "10.0.0.5:80" } } } }
      operations { create { listener { name: "front" bind: "127.0.0.1:8080" protocol: PROTOCOL_HTTP
                                       default_backend: "web" } } })");
  }

  // The same by the unary call of its kind; OK where there is none.
  grpc::Status unary(const v1::Operation& operation) {
    grpc::ClientContext context;
    if (operation.has_delete_()) return unary_delete(context, operation.delete_());
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
    if (!resource.has_listener()) return grpc::Status::OK;
    v1::AddListenerRequest request;
    *request.mutable_listener() = resource.listener();
    v1::AddListenerResponse response;
    return stub_->AddListener(&context, request, &response);
  }
};

TEST_F(BadInputTest, IsRefusedWithReasonStatusAndTextAndChangesNothing) {
  std::string before = state();
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
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
      EXPECT_LT(status.error_details().size() + status.error_message().size(), 8192);
    }
    EXPECT_EQ(state(), before);
  }
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

TEST_F(BadInputTest, WhatIsNotImplementedSaysSo) {
  grpc::ClientContext a;
  v1::ListCertificatesResponse certificates;
  EXPECT_EQ(stub_->ListCertificates(&a, {}, &certificates).error_code(), StatusCode::UNIMPLEMENTED);
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
