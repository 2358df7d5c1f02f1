#include "server/settings.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::server {
namespace {

using testing::HasSubstr;

class SettingsTest : public testing::Test {
 protected:
  SettingsTest() {
    std::string pattern = testing::TempDir() + "settings_XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SettingsTest() override { std::filesystem::remove_all(folder_); }

  // What a check says of a file with this text; empty where it is valid.
  std::string check(const std::string& text) {
    std::string path = folder_ + "/f.yaml";
    std::ofstream(path) << text;
    absl::StatusOr<ConfigurationFile> file = read_configuration_file(path);
    absl::Status status = file.ok() ? check_resources(*file) : file.status();
    return std::string(status.message());
  }

  std::string folder_;
};

TEST_F(SettingsTest, WhereManagementListensIsJudgedWithLineAndField) {
  struct Case {
    const char* text;
    const char* place;
    const char* problem;
  };
  for (const Case& bad : {
           Case{"management:\n  listen: ['unix:/run/a.sock', 'nonsense']\n", "f.yaml:2:32: ", "has no port"},
           Case{"management:\n  listen: ['127.0.0.1:9000']\n", "f.yaml:2:12: ", "set insecure"},
           Case{"management:\n  listen: ['10.0.0.1:9000']\n  insecure: true\n",
                "f.yaml:2:12: ", "is not a loopback address"},
           Case{"management:\n  listen: ['unix:/run/a.sock', 'unix:/run/a.sock']\n",
                "f.yaml:2:32: ", "is in this list already"},
           Case{"observation: {listen: 'nonsense'}\n", "f.yaml:1:23: ", "has no port"},
           Case{"management: {listen: ['127.0.0.1:9000'], insecure: true}\nobservation: {listen: '127.0.0.1:9000'}\n",
                "f.yaml:2:23: ", "is where management.listen is"},
       }) {
    std::string said = check(bad.text);
    EXPECT_THAT(said, HasSubstr(bad.place)) << bad.text;
    EXPECT_THAT(said, HasSubstr("listen")) << bad.text;
    EXPECT_THAT(said, HasSubstr(bad.problem)) << bad.text;
  }
  EXPECT_EQ(check("management: {listen: ['127.0.0.1:0', '[::1]:0'], insecure: true}\n"), "");
  EXPECT_EQ(check("management: {listen: ['unix:/run/a.sock']}\nobservation: {listen: '0.0.0.0:9902'}\n"), "");
}

TEST_F(SettingsTest, TlsOfTheManagementApiIsJudgedWithLineAndField) {
  const std::string files = "    certificate_file: /c.pem\n    private_key_file: /k.pem\n    client_ca_file: /ca.pem\n";
  const std::string listen = "management:\n  listen: ['0.0.0.0:9901', 'unix:/run/a.sock']\n  tls:\n";
  const std::string roles = "    roles: [{name: a, role: ADMIN}]\n";
  auto said = [&](const std::string& tls) { return check(listen + tls); };
  EXPECT_EQ(said(files + roles), "");
  EXPECT_EQ(said(files + roles + "    check_interval: 100ms\n    handshake_timeout: 1m\n"), "");
  EXPECT_THAT(said(files), HasSubstr("management.tls.roles: is empty"));
  EXPECT_THAT(said("    private_key_file: /k.pem\n    client_ca_file: /ca.pem\n" + roles),
              HasSubstr("management.tls.certificate_file: is not set"));
  EXPECT_THAT(said("    certificate_file: /k.pem\n    client_ca_file: /ca.pem\n" + roles),
              HasSubstr("management.tls.private_key_file: is not set"));
  EXPECT_THAT(said("    certificate_file: /k.pem\n    private_key_file: /ca.pem\n" + roles),
              HasSubstr("management.tls.client_ca_file: is not set"));
  EXPECT_THAT(said(files + "    roles: [{name: a, role: ADMIN}, {name: b}]\n"),
              HasSubstr("f.yaml:7:37: configuration: management.tls.roles[1].role: "));
  EXPECT_THAT(said(files + "    roles: [{name: a, role: ADMIN}, {name: a, role: VIEWER}]\n"),
              HasSubstr("f.yaml:7:44: configuration: management.tls.roles[1].name: \"a\" is in this list already"));
  EXPECT_THAT(said(files + "    roles: [{name: a, role: KING}]\n"), HasSubstr("KING"));
  EXPECT_THAT(said(files + roles + "    check_interval: 99ms\n"),
              HasSubstr("management.tls.check_interval: 99ms is out of range [100ms, 1h]"));
  EXPECT_THAT(said(files + roles + "    handshake_timeout: 61s\n"),
              HasSubstr("management.tls.handshake_timeout: 1m1s is out of range [10ms, 1m]"));
  EXPECT_THAT(check("management:\n  insecure: true\n  listen: ['127.0.0.1:1']\n  tls:\n" + files + roles),
              HasSubstr("f.yaml:2:13: configuration: management.insecure: contradicts management.tls"));
  EXPECT_THAT(check("management:\n  tls:\n" + files + roles),
              HasSubstr("management.tls: is set, and management.listen"));
}

TEST_F(SettingsTest, LimitsOfTheProcessAndWhoItBecomesAreJudgedByField) {
  EXPECT_THAT(check("limits: {max_memory_mib: 1048577}\n"),
              HasSubstr("limits.max_memory_mib: 1048577 is out of range [0, 1048576]"));
  EXPECT_THAT(check("limits: {max_connections: 100000001}\n"), HasSubstr("limits.max_connections: 100000001"));
  EXPECT_THAT(check("limits: {max_descriptors: 100000001}\n"), HasSubstr("limits.max_descriptors: 100000001"));
  EXPECT_THAT(check("user: no-such-user\n"), HasSubstr("user: \"no-such-user\" is no user of this system"));
  EXPECT_THAT(check("user: root\ngroup: no-such-group\n"), HasSubstr("is no group of this system"));
  EXPECT_THAT(check("group: root\n"), HasSubstr("group: is set and user is not"));
  EXPECT_EQ(check("limits: {max_connections: 1000, max_memory_mib: 512, max_descriptors: 0}\nuser: '65534'\n"), "");
}

TEST_F(SettingsTest, HowNamesAreResolvedIsJudgedByField) {
  for (auto [text, problem] : {
           std::pair{"{nameservers: ['ns.internal:53']}", "resolver.nameservers[0]: \"ns.internal:53\""},
           {"{nameservers: ['10.0.0.1:0']}", "is not where a nameserver can be"},
           {"{nameservers: ['unix:/run/dns']}", "is not where a nameserver can be"},
           {"{timeout: 0s}", "resolver.timeout: 0 is out of range [10ms, 1m]"},
           {"{tries: 0}", "resolver.tries: 0 is out of range [1, 10]"},
           {"{min_interval: 1ms}", "resolver.min_interval: 1ms is out of range [10ms, 1h]"},
           {"{min_interval: 2m, max_interval: 1m}", "resolver.max_interval: 1m is out of range [2m, 24h]"},
           {"{hold: {no_name: 721h}}", "resolver.hold.no_name: 721h is out of range [0, 720h]"},
           {"{family: IPV5}", "IPV5"},
           {"{max_under_way: 0}", "resolver.max_under_way: 0 is out of range [1, 1000]"},
       }) {
    EXPECT_THAT(check(std::string("resolver: ") + text + "\n"), HasSubstr(problem)) << text;
  }
  EXPECT_EQ(check("resolver: {nameservers: ['10.0.0.1:53', '[::1]:5353'], min_interval: 5m, hold: {obsolete: 1m},"
                  " family: IPV6_ONLY}\n"),
            "");
}

TEST_F(SettingsTest, AListenerWhereThisProcessListensItselfIsNoValidFile) {
  constexpr const char* kListener =
      "resources:\n  listeners:\n    - name: web\n      protocol: HTTP\n      bind: ['127.0.0.1:9902']\n";
  EXPECT_EQ(check(kListener), "");
  std::string said = check(std::string("observation: {listen: '127.0.0.1:9902'}\n") + kListener);
  EXPECT_THAT(said, HasSubstr("f.yaml:6:13: listener web: bind: "));
  EXPECT_THAT(said, HasSubstr("observation.listen"));
}

}  // namespace
}  // namespace fairlead::server
