#include "ctl/program.h"

#include <unistd.h>

#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "ctl/kinds.h"
#include "ctl/resource_verbs.h"
#include "ctl/usage.h"
#include "ctl/watch.h"
#include "gmock/gmock.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"

namespace fairlead::ctl {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Answers with what the test lays down, and remembers what it was asked.
class FakeDataPlane final : public v1::ManagementService::Service {
 public:
  grpc::Status AddServer(grpc::ServerContext*, const v1::AddServerRequest* request,
                         v1::AddServerResponse* response) override {
    added = request->server();
    if (!status.ok()) return status;
    *response->mutable_server() = request->server();
    response->mutable_server()->mutable_metadata()->set_version(7);
    return grpc::Status::OK;
  }
  grpc::Status UpdateServer(grpc::ServerContext*, const v1::UpdateServerRequest* request,
                            v1::UpdateServerResponse* response) override {
    updated = *request;
    *response->mutable_server() = request->server();
    return status;
  }
  grpc::Status GetServer(grpc::ServerContext*, const v1::GetServerRequest* request,
                         v1::GetServerResponse* response) override {
    response->mutable_server()->set_backend(request->backend());
    response->mutable_server()->set_name(request->name());
    response->mutable_server()->mutable_status()->set_lifecycle(lifecycle);
    response->mutable_server()->mutable_status()->set_in_flight(3);
    return status;
  }
  // Two pages of one server each.
  grpc::Status ListServers(grpc::ServerContext*, const v1::ListServersRequest* request,
                           v1::ListServersResponse* response) override {
    listed = *request;
    const bool first = request->page_token().empty();
    response->add_servers()->set_name(first ? "s1" : "s2");
    if (first) response->set_next_page_token("more");
    response->set_version(9);
    return status;
  }
  grpc::Status ExportConfig(grpc::ServerContext*, const v1::ExportConfigRequest*,
                            grpc::ServerWriter<v1::ExportConfigResponse>* writer) override {
    v1::ExportConfigResponse part;
    part.set_version(4);
    part.mutable_resources()->add_backends()->set_name("app");
    writer->Write(part);
    return grpc::Status::OK;
  }
  grpc::Status ApplyTransaction(grpc::ServerContext*, const v1::ApplyTransactionRequest* request,
                                v1::ApplyTransactionResponse* response) override {
    applied = request->transaction();
    *response->mutable_result() = result;
    return status;
  }

  grpc::Status status;
  v1::Lifecycle lifecycle = v1::LIFECYCLE_DRAINED;
  v1::TransactionResult result;
  v1::Server added;
  v1::UpdateServerRequest updated;
  v1::ListServersRequest listed;
  v1::Transaction applied;
};

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&data_plane_);
    server_ = builder.BuildAndStart();
  }
  ~ProgramTest() override { server_->Shutdown(); }

  int ctl(const std::vector<std::string>& words) {
    out_.str("");
    err_.str("");
    Streams streams{out_, err_, false, false};
    const Environment environment{.address = "", .version = "1.2.3", .connect = [this](const std::string& address) {
                                    address_ = address;
                                    return server_->InProcessChannel(channel_arguments());
                                  }};
    return run(words, environment, streams);
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  FakeDataPlane data_plane_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(ProgramTest, AddsAServer) {
  EXPECT_EQ(ctl({"server", "add", "web/s1", "10.0.0.1:8080", "--weight", "10", "--label", "zone=a"}), 0) << err();
  EXPECT_EQ(
      data_plane_.added.ShortDebugString(),
      "backend: \"web\" name: \"s1\" address: \"10.0.0.1:8080\" weight: 10 labels { key: \"zone\" value: \"a\" }");
  EXPECT_EQ(out(), "server web/s1 added (version 7)\n");
  EXPECT_EQ(address_, kDefaultAddress);
}

TEST_F(ProgramTest, SetsOnlyWhatIsGiven) {
  EXPECT_EQ(
      ctl({"--address", "127.0.0.1:9", "server", "set", "web/s1", "--address", "10.0.0.2:80", "--weight", "default"}),
      0)
      << err();
  EXPECT_EQ(address_, "127.0.0.1:9");
  EXPECT_EQ(data_plane_.updated.server().address(), "10.0.0.2:80");
  EXPECT_EQ(data_plane_.updated.ShortDebugString(),
            "server { backend: \"web\" name: \"s1\" address: \"10.0.0.2:80\" } "
            "update_mask { paths: \"address\" paths: \"weight\" }");
  EXPECT_EQ(ctl({"server", "set", "web/s1"}), kExitUsage);
  EXPECT_THAT(err(), HasSubstr("nothing to set"));
}

TEST_F(ProgramTest, DrainsAndWaits) {
  EXPECT_EQ(ctl({"server", "drain", "web/s1", "--wait"}), 0) << err();
  EXPECT_EQ(data_plane_.updated.server().admin_state(), v1::ADMIN_STATE_DRAIN);
  EXPECT_THAT(err(), HasSubstr("web/s1: drained after"));
  data_plane_.lifecycle = v1::LIFECYCLE_DRAINING;
  EXPECT_EQ(ctl({"server", "drain", "web/s1", "--wait", "--timeout", "1s"}), kExitRefused);
  EXPECT_THAT(err(), HasSubstr("still has 3 in flight after 1."));
  data_plane_.lifecycle = v1::LIFECYCLE_READY;
  EXPECT_EQ(ctl({"server", "drain", "web/s1", "--wait"}), kExitRefused);
}

TEST_F(ProgramTest, ListsAllPages) {
  EXPECT_EQ(ctl({"server", "list", "web", "--selector", "zone=a", "--state", "ready", "-o", "yaml"}), 0) << err();
  EXPECT_EQ(out(), "servers:\n  - name: s1\n  - name: s2\nversion: 9\n");
  EXPECT_EQ(data_plane_.listed.backend(), "web");
  EXPECT_EQ(data_plane_.listed.labels().at("zone"), "a");
  EXPECT_EQ(data_plane_.listed.lifecycles(0), v1::LIFECYCLE_READY);
}

TEST_F(ProgramTest, PrintsTheDataPlanesOwnWords) {
  data_plane_.status = {grpc::StatusCode::INVALID_ARGUMENT, "server web/s1: weight: 300 is out of range [0, 256]"};
  EXPECT_EQ(ctl({"server", "add", "web/s1", "10.0.0.1:80", "--weight", "300"}), kExitRefused);
  EXPECT_EQ(err(), "fairleadctl: server web/s1: weight: 300 is out of range [0, 256]\n");
  data_plane_.status = {grpc::StatusCode::NOT_FOUND, "no \x1b[31m such"};
  EXPECT_EQ(ctl({"server", "get", "web/s1"}), kExitRefused);
  EXPECT_EQ(err(), "fairleadctl: no \\u001b[31m such\n");
}

TEST_F(ProgramTest, SaysWhatToDoWithoutADataPlane) {
  data_plane_.status = {grpc::StatusCode::UNAVAILABLE, "failed to connect to all addresses; last error: ..."};
  EXPECT_EQ(ctl({"server", "list", "--address", "unix:/run/x.sock"}), kExitRefused);
  EXPECT_EQ(err(),
            "fairleadctl: no data plane at unix:/run/x.sock: is fairlead running? --address or FAIRLEAD_ADDRESS says "
            "where\n");
}

TEST_F(ProgramTest, AnswersWrongUsageWithTheRightLine) {
  EXPECT_EQ(ctl({"server", "add", "web/s1"}), kExitUsage);
  EXPECT_THAT(err(), HasSubstr("Usage: fairleadctl server add BACKEND/NAME ADDRESS [options]"));
  EXPECT_EQ(ctl({"server", "add", "s1", "10.0.0.1:80"}), kExitUsage);
  EXPECT_THAT(err(), HasSubstr("\"s1\" is not a server's name"));
  EXPECT_EQ(ctl({"server", "list", "--bakend", "x"}), kExitUsage);
  EXPECT_THAT(err(), HasSubstr("unknown option --bakend"));
  EXPECT_EQ(ctl({"server", "list", "-o", "xml"}), kExitUsage);
  EXPECT_EQ(ctl({"--address", "nowhere", "info"}), kExitUsage);
  EXPECT_EQ(ctl({"server", "explode"}), kExitUsage);
  EXPECT_THAT(err(), StartsWith("fairleadctl: unknown command \"server explode\""));
  EXPECT_EQ(ctl({"server"}), kExitUsage);
  EXPECT_EQ(ctl({}), kExitUsage);
  EXPECT_EQ(ctl({"completion", "fish"}), kExitUsage);
}

TEST_F(ProgramTest, Helps) {
  for (const Command& command : commands()) {
    std::vector<std::string> words = {command.name.substr(0, command.name.find(' '))};
    if (command.name.size() > words[0].size()) words.push_back(command.name.substr(words[0].size() + 1));
    words.push_back("--help");
    EXPECT_EQ(ctl(words), 0) << command.name;
    EXPECT_THAT(out(), StartsWith("Usage: fairleadctl " + command.name));
    EXPECT_THAT(completion_script("bash"), HasSubstr("'" + command.name + "')"));
  }
  EXPECT_EQ(ctl({"--help"}), 0);
  EXPECT_EQ(ctl({"help", "server", "add"}), 0);
  EXPECT_THAT(out(), StartsWith("Usage: fairleadctl server add"));
  EXPECT_EQ(ctl({"--version"}), 0);
  EXPECT_EQ(out(), "fairleadctl 1.2.3\n");
}

class ApplyTest : public ProgramTest {
 protected:
  // The path of a file with this text.
  std::string file(const std::string& text) {
    const std::string path = testing::TempDir() + "/program_test_" + std::to_string(getpid()) + ".yaml";
    std::ofstream(path) << text;
    return path;
  }
};

TEST_F(ApplyTest, SendsOneTransaction) {
  data_plane_.result.set_outcome(v1::OUTCOME_APPLIED);
  data_plane_.result.set_version(5);
  const std::string path = file("backends: [{name: new, servers: [{name: s1, address: \"10.0.0.1:80\"}]}]");
  EXPECT_EQ(ctl({"apply", "-f", path, "--prune"}), 0) << err();
  EXPECT_EQ(out(), "applied: 2 added, 1 removed (version 5)\n");
  EXPECT_EQ(data_plane_.applied.operations_size(), 3);
  EXPECT_EQ(data_plane_.applied.expected_version(), 4u);
  EXPECT_EQ(data_plane_.applied.operations(2).delete_().backend(), "app");
  EXPECT_EQ(ctl({"apply", "-f", path, "--dry-run"}), 0) << err();
  EXPECT_TRUE(data_plane_.applied.validate_only());
  EXPECT_THAT(out(), HasSubstr("+ backend new\n    + name: new\n"));
}

TEST_F(ApplyTest, SaysWhereInTheFileARefusedFieldStands) {
  data_plane_.result.set_outcome(v1::OUTCOME_REFUSED);
  v1::OperationFailure& failure = *data_plane_.result.add_failures();
  failure.set_index(1);
  failure.set_resource("server app/s1");
  failure.set_field("weight");
  failure.set_message("300 is out of range [0, 256]");
  const std::string path =
      file("resources:\n  backends:\n  - name: app\n    servers:\n    - {name: s1, weight: 300}\n");
  EXPECT_EQ(ctl({"apply", "-f", path}), kExitRefused);
  EXPECT_EQ(err(), "fairleadctl: " + path + ":5:26: server app/s1: weight: 300 is out of range [0, 256]\n");
}

TEST_F(ApplyTest, RefusesToPruneEverything) {
  EXPECT_EQ(ctl({"apply", "-f", file("resources: {}"), "--prune"}), kExitRefused);
  EXPECT_THAT(err(), HasSubstr("--prune would delete everything"));
  EXPECT_EQ(ctl({"apply"}), kExitUsage);
  EXPECT_EQ(ctl({"apply", "-f", "/nowhere.yaml"}), kExitRefused);
}

TEST_F(ApplyTest, ExportsWhatApplyTakes) {
  EXPECT_EQ(ctl({"export"}), 0) << err();
  EXPECT_EQ(ctl({"diff", "-f", file(out()), "--prune", "--fail"}), 0) << err();
  EXPECT_EQ(ctl({"diff", "-f", file("backends: [{name: b}]"), "--fail"}), kExitRefused);
}

TEST(ParseAddress, TakesTheFormsOfTheManual) {
  EXPECT_EQ(*parse_address("unix:/run/x"), "unix:/run/x");
  EXPECT_EQ(*parse_address("/run/x"), "unix:/run/x");
  EXPECT_EQ(*parse_address("127.0.0.1:80"), "127.0.0.1:80");
  EXPECT_EQ(*parse_address("[::1]:80"), "[::1]:80");
  for (const char* text : {"", "unix:", "host", ":80", "host:", "host:0", "host:65536", "::1:80", "host:http"}) {
    EXPECT_FALSE(parse_address(text).has_value()) << text;
  }
}

TEST(WatchLines, SayWhatChanged) {
  WatchLines lines(false);
  v1::WatchEventsResponse event;
  event.set_version(3);
  event.set_actor("unary");
  v1::Server& server = *event.mutable_resource()->mutable_resource()->mutable_server();
  server.set_backend("web");
  server.set_name("s1");
  server.set_address("10.0.0.1:80");
  server.set_weight(10);
  event.mutable_resource()->set_change(v1::CHANGE_PRESENT);
  EXPECT_EQ(lines.line(event), "");
  server.set_weight(20);
  (*server.mutable_labels())["zone"] = "a";
  server.mutable_metadata()->set_version(3);
  event.mutable_resource()->set_change(v1::CHANGE_UPDATED);
  EXPECT_EQ(lines.line(event),
            "              v3       unary         server web/s1 updated: weight 10 -> 20, labels unset -> zone: a");
  event.mutable_resource()->set_change(v1::CHANGE_DELETED);
  EXPECT_THAT(lines.line(event), HasSubstr("server web/s1 deleted"));
  event.mutable_server()->mutable_server()->set_backend("web");
  event.mutable_server()->mutable_server()->set_name("s1");
  event.mutable_server()->set_lifecycle(v1::LIFECYCLE_REMOVED);
  event.mutable_server()->set_cut_off(2);
  EXPECT_THAT(lines.line(event), HasSubstr("server web/s1 removed, 2 cut off"));
  event.mutable_snapshot_complete();
  EXPECT_THAT(lines.line(event), HasSubstr("present: listeners 0, backends 0, servers 0"));
}

}  // namespace
}  // namespace fairlead::ctl
