#include "ctl/program.h"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <streambuf>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ctl/kinds.h"
#include "ctl/resource_verbs.h"
#include "ctl/usage.h"
#include "ctl/watch.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "program_fixture.h"
#include "test_support/made_certificate.h"

namespace fairlead::ctl {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(ProgramTest, AddsAServer) {
  EXPECT_EQ(ctl({"server", "add", "web/s1", "10.0.0.1:8080", "--weight", "10", "--label", "zone=a"}), 0) << err();
  EXPECT_EQ(
      data_plane_.added.ShortDebugString(),
      "backend: \"web\" name: \"s1\" address: \"10.0.0.1:8080\" weight: 10 labels { key: \"zone\" value: \"a\" }");
  EXPECT_EQ(out(), "server web/s1 added (version 7)\n");
  EXPECT_EQ(address_, kDefaultAddress);
}

TEST_F(ProgramTest, SpeaksTlsWhereItIsToldAndTheAddressIsNoUnixSocket) {
  const std::string pem = testing::TempDir() + "ctl_test.pem";
  const tls::MadeCertificate made = tls::make_certificate("alice");
  std::ofstream(pem) << made.chain << made.key;
  const std::vector<std::string> tls = {"--tls-ca=" + pem, "--tls-cert=" + pem, "--tls-key=" + pem,
                                        "--tls-server-name=x"};
  auto with = [&](std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return ctl(words);
  };
  EXPECT_EQ(with({"info", "--address", "plane:9"}, tls), 0) << err();
  ASSERT_TRUE(tls_);
  EXPECT_EQ(tls_->certificate, made.chain + made.key);
  EXPECT_EQ(tls_->server_name, "x");
  EXPECT_EQ(with({"info"}, tls), 0) << err();
  EXPECT_FALSE(tls_);
  EXPECT_EQ(with({"info", "--address", "plane:9"}, {}), 0) << err();
  EXPECT_FALSE(tls_);
  EXPECT_EQ(with({"info", "--address", "plane:9"}, {"--tls-ca=" + pem}), 2);
  EXPECT_THAT(err(),
              HasSubstr("--tls-cert: is missing; with TLS all of --tls-ca, --tls-cert and --tls-key are needed"));
  EXPECT_EQ(with({"info", "--address", "plane:9", "--tls-ca=" + pem, "--tls-cert=/nowhere"}, {}), 1);
  EXPECT_THAT(err(), HasSubstr("--tls-cert: /nowhere: No such file or directory"));
  EXPECT_EQ(with({"info", "--address", "plane:9", "--tls-ca=" + testing::TempDir(), "--tls-cert=" + pem}, {}), 1);
  EXPECT_THAT(err(), HasSubstr("--tls-ca: "));
  std::remove(pem.c_str());
}

TEST_F(ProgramTest, RefusesAKeyThatIsNotTheCertificates) {
  const std::string certificate = testing::TempDir() + "ctl_test_certificate.pem";
  const std::string key = testing::TempDir() + "ctl_test_key.pem";
  std::ofstream(certificate) << tls::make_certificate("alice").chain;
  const auto asks = [&] {
    return ctl({"info", "--address", "plane:9", "--tls-ca", certificate, "--tls-cert", certificate, "--tls-key", key});
  };
  std::ofstream(key) << tls::make_certificate("bob").key;
  EXPECT_EQ(asks(), kExitRefused);
  EXPECT_EQ(err(), "fairleadctl: --tls-key: " + key + ": is not the key of the certificate in " + certificate + "\n");
  std::ofstream(key) << "-----BEGIN PRIVATE KEY-----\n";
  EXPECT_EQ(asks(), kExitRefused);
  EXPECT_EQ(err(), "fairleadctl: --tls-key: " + key + ": is no private key without a password\n");
  std::remove(certificate.c_str());
  std::remove(key.c_str());
}

TEST_F(ProgramTest, SaysThatItsCertificateIsNotTaken) {
  const std::string pem = testing::TempDir() + "ctl_test_refused.pem";
  const tls::MadeCertificate made = tls::make_certificate("alice");
  std::ofstream(pem) << made.chain << made.key;
  data_plane_.status = {
      grpc::StatusCode::UNAVAILABLE,
      "failed to connect to all addresses; last error: UNAVAILABLE: ipv4:127.0.0.1:9: Endpoint read failed"};
  EXPECT_EQ(ctl({"server", "get", "a/b", "--address", "plane:9", "--tls-ca", pem, "--tls-cert", pem, "--tls-key", pem}),
            kExitRefused);
  EXPECT_EQ(err(),
            "fairleadctl: no TLS with the data plane at plane:9: it ended the connection; does it take the certificate "
            "of --tls-cert? It has to be valid now, and signed by the data plane's client CA\n");
  EXPECT_EQ(ctl({"server", "get", "a/b", "--address", "plane:9"}), kExitRefused);
  EXPECT_THAT(err(), HasSubstr("no data plane at plane:9"));
  std::remove(pem.c_str());
}

// Where nothing more can be written, for a reason.
class FullDevice : public std::streambuf {
 public:
  explicit FullDevice(int reason) : reason_(reason) {}

 private:
  int_type overflow(int_type) override {
    errno = reason_;
    return traits_type::eof();
  }

  int reason_;
};

TEST_F(ProgramTest, SaysThatItsOutputCouldNotBeWritten) {
  const auto written_to = [&](int reason, const std::vector<std::string>& words) {
    FullDevice device(reason);
    std::streambuf* before = out_.std::ostream::rdbuf(&device);
    const int status = ctl(words);
    out_.std::ostream::rdbuf(before);
    return status;
  };
  for (const std::vector<std::string>& words : {std::vector<std::string>{"export"}, {"--help"}, {"info"}}) {
    EXPECT_EQ(written_to(ENOSPC, words), kExitRefused);
    EXPECT_EQ(err(), "fairleadctl: the output cannot be written: No space left on device\n");
    EXPECT_EQ(written_to(EPIPE, words), kExitRefused);
    EXPECT_EQ(err(), "") << "nobody reads any more";
  }
}

TEST_F(ProgramTest, TopSaysWhyItIsRefused) {
  observation_.status = {grpc::StatusCode::INVALID_ARGUMENT, "interval: 1ms is out of range [100ms, 1h]"};
  EXPECT_EQ(ctl({"top", "--once", "--interval", "1ms"}), kExitRefused);
  EXPECT_EQ(err(), "fairleadctl: interval: 1ms is out of range [100ms, 1h]\n");
}

TEST_F(ProgramTest, WatchDoesNotWaitForASilentDataPlane) {
  data_plane_.is_silent = true;
  EXPECT_EQ(ctl({"watch", "--timeout", "50ms"}), kExitRefused);
  EXPECT_EQ(err(),
            "fairleadctl: no answer from unix:/run/fairlead/management.sock within 50ms; --timeout gives it "
            "longer\n");
}

// What bash offers for the last of `words`.
std::string completed(const std::string& words) {
  const std::string file = testing::TempDir() + "ctl_completion.bash";
  std::ofstream(file) << completion_script("bash") << "COMP_WORDS=(" << words << ")\n"
                      << "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _fairleadctl; echo \"${COMPREPLY[*]}\"\n";
  FILE* pipe = popen(("cd / && bash -u " + file).c_str(), "r");
  std::string text(1 << 16, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), pipe));
  pclose(pipe);
  std::remove(file.c_str());
  return std::string(absl::StripSuffix(text, "\n"));
}

TEST(Completion, OffersWhatMayStandThere) {
  EXPECT_EQ(completed("fairleadctl ser"), "server");
  EXPECT_EQ(completed("fairleadctl server s"), "set");
  EXPECT_EQ(completed("fairleadctl server set app/s1 --wei"), "--weight");
  EXPECT_EQ(completed("fairleadctl completion ''"), "bash zsh");
  EXPECT_EQ(completed("fairleadctl server set app/s1 --admin-state ''"), "ready drain maintenance");
  EXPECT_EQ(completed("fairleadctl server set app/s1 --backup = t"), "true");
  EXPECT_EQ(completed("fairleadctl info -o ''"), "table json yaml");
  EXPECT_EQ(completed("fairleadctl info --output j"), "json");
  EXPECT_EQ(completed("fairleadctl apply -f /et"), "/etc") << "a file";
  EXPECT_EQ(completed("fairleadctl --address unix : /run/x server dr"), "drain");
  EXPECT_EQ(completed("fairleadctl --address host : 9901 --override ser"), "server");
  EXPECT_EQ(completed("fairleadctl --overr"), "--override");
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
  EXPECT_EQ(err(), "fairleadctl: unknown command \"server explode\"\nSee: fairleadctl server --help\n");
  EXPECT_EQ(ctl({"serv", "lst", "app"}), kExitUsage);
  EXPECT_EQ(err(),
            "fairleadctl: unknown command \"serv lst\"; did you mean \"server list\"?\nSee: fairleadctl --help\n");
  EXPECT_EQ(ctl({"ifno"}), kExitUsage);
  EXPECT_THAT(err(), HasSubstr("did you mean \"info\"?"));
  EXPECT_EQ(ctl({"server", "add"}), kExitUsage);
  EXPECT_THAT(err(), StartsWith("fairleadctl: server add: BACKEND/NAME is missing\n"));
  EXPECT_EQ(ctl({"server", "add", "web/s1"}), kExitUsage);
  EXPECT_THAT(err(), StartsWith("fairleadctl: server add: ADDRESS is missing\n"));
  EXPECT_EQ(ctl({"apply", "config.yaml"}), kExitUsage);
  EXPECT_EQ(err(),
            "fairleadctl: apply: \"config.yaml\" is one word too many\nUsage: fairleadctl apply -f FILE [options]\n");
  EXPECT_EQ(ctl({"backend", "set", "app", "--balance", "foo"}), kExitUsage);
  EXPECT_THAT(err(), StartsWith("fairleadctl: --balance: \"foo\" is not one of round_robin, random"));
  EXPECT_EQ(ctl({"server"}), kExitUsage);
  EXPECT_EQ(ctl({}), kExitUsage);
  EXPECT_EQ(ctl({"completion", "fish"}), kExitUsage);
}

TEST_F(ProgramTest, SaysThatABackendDoesNotExistWhereItWouldShowNothing) {
  data_plane_.backends = {"app"};
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"server", "list", "ap"}, {"backend", "drain", "ap"}, {"top", "ap", "--once"}}) {
    EXPECT_EQ(ctl(words), kExitRefused) << words[0];
    EXPECT_EQ(err(), "fairleadctl: backend ap: does not exist\n");
  }
}

TEST_F(ProgramTest, HelpFitsAnOrdinaryTerminal) {
  std::vector<std::vector<std::string>> all = {{"--help"}, {"server", "--help"}};
  for (const Command& command : commands()) {
    all.push_back({"help"});
    for (const absl::string_view word : absl::StrSplit(command.name, ' ')) all.back().emplace_back(word);
  }
  for (const std::vector<std::string>& words : all) {
    ASSERT_EQ(ctl(words), 0);
    const std::string text = out();
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      const bool example = absl::StartsWith(line, "  fairleadctl ");
      EXPECT_TRUE(example || line.size() <= 80) << line;
    }
  }
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

TEST(ParseAddress, TellsThatAPathIsTooLong) {
  EXPECT_TRUE(parse_address("unix:/" + std::string(106, 'x')).has_value());
  for (const std::string scheme : {"unix:", ""}) {
    EXPECT_EQ(parse_address(scheme + "/" + std::string(107, 'x')).error().text,
              "--address: the path has 108 bytes; a Unix socket's has at most 107");
  }
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
            "              v3       unary         server web/s1 updated: weight 10 -> 20, labels unset -> zone=a");
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
