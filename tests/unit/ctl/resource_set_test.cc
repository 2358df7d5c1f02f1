#include "ctl/resource_set.h"

#include "absl/strings/str_cat.h"
#include "api/yaml.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ResourceSet read(const std::string& text) {
  auto set = read_resource_set(text, "config.yaml");
  EXPECT_TRUE(set.has_value()) << set.error().text;
  return set ? *std::move(set) : ResourceSet();
}

std::vector<std::string> steps(const std::vector<PlannedOperation>& operations) {
  std::vector<std::string> texts;
  for (const auto& [operation, origin, step, changes_nothing] : operations) {
    if (operation.has_upsert()) texts.push_back("+" + title_of(operation.upsert()));
    const v1::Delete& removal = operation.delete_();
    if (removal.has_listener()) texts.push_back("-listener " + removal.listener());
    if (removal.has_backend()) texts.push_back("-backend " + removal.backend());
    if (removal.has_server()) texts.push_back("-server " + removal.server().backend() + "/" + removal.server().name());
  }
  return texts;
}

constexpr char kFile[] = R"(
workers: 1
resources:
  listeners: [{name: web, bind: ["127.0.0.1:0"], protocol: HTTP, default_backend: app}]
  backends:
  - name: app
    servers: [{name: s1, address: "10.0.0.1:80"}]
  servers: [{backend: app, name: s2, address: "10.0.0.2:80"}]
)";

TEST(ResourceSet, TakesServersOutOfTheirBackends) {
  const ResourceSet set = read(kFile);
  std::vector<std::string> places;
  for (const PlacedResource& placed : set.resources())
    places.push_back(title_of(placed.resource) + " @ " + placed.path);
  EXPECT_THAT(places,
              ElementsAre("backend app @ resources.backends[0]", "server app/s1 @ resources.backends[0].servers[0]",
                          "server app/s2 @ resources.servers[0]", "listener web @ resources.listeners[0]"));
  EXPECT_EQ(set.find("backend app")->backend().servers_size(), 0);
}

TEST(ResourceSet, ReadsABareDocument) {
  EXPECT_NE(read("servers: [{backend: a, name: b}]").find("server a/b"), nullptr);
  EXPECT_TRUE(read("").empty());
}

TEST(ResourceSet, SaysWhichDocumentsErrorItIs) {
  const auto error = [](const std::string& text) { return read_resource_set(text, "f").error().text; };
  EXPECT_EQ(error("resources: {servers: [{weight: x}]}").substr(0, 40), "f:1:32: resources.servers[0].weight: \"x\"");
  EXPECT_EQ(error("servers: [{weight: x}]").substr(0, 30), "f:1:20: servers[0].weight: \"x\"");
  EXPECT_EQ(error("backends:\n- name: a\n  servers: [{name: s}, {name: s}]\n"),
            "f:3:24: backends[0].servers[1]: server a/s is there twice");
  EXPECT_THAT(error("backends: [{name: a, servers: [{name: s, backend: b}]}]"), HasSubstr("leave it out"));
}

TEST(ResourceSet, OrdersATransactionSoThatReferencesHold) {
  const ResourceSet present = read(R"(
listeners: [{name: old}]
backends: [{name: gone, servers: [{name: x}]}, {name: app, servers: [{name: s9}]}]
)");
  const auto operations = operations_to(present, read(kFile), /*prune=*/true);
  EXPECT_THAT(steps(operations), ElementsAre("+backend app", "+server app/s1", "+server app/s2", "-listener old",
                                             "+listener web", "-server gone/x", "-server app/s9", "-backend gone"));
  EXPECT_EQ(operations[4].origin, "resources.listeners[0]");
  EXPECT_FALSE(operations[1].changes_nothing);
  EXPECT_TRUE(operations[0].changes_nothing) << "the backend is there as the file says";
  EXPECT_THAT(steps(operations_to(present, read(kFile), /*prune=*/false)),
              ElementsAre("+backend app", "+server app/s1", "+server app/s2", "+listener web"));
}

TEST(ResourceSet, UpsertsWhatIsTrackedBeforeWhatTracksIt) {
  const ResourceSet wanted = read(R"(
backends:
- name: app
  servers: [{name: a, health_check: {track: app/b}}, {name: b, health_check: {track: app/c}}, {name: c}, {name: d}]
listeners: [{name: web}]
)");
  EXPECT_THAT(
      steps(operations_to(ResourceSet(), wanted, /*prune=*/false)),
      ElementsAre("+backend app", "+server app/c", "+server app/d", "+server app/b", "+server app/a", "+listener web"));
}

// Of each pair the second is how a data plane writes the first.
TEST(ResourceSet, SpellingsThatADataPlaneTakesAsEqualAreEqual) {
  const std::pair<const char*, const char*> pairs[] = {
      {"servers: [{backend: app, name: s1, address: '[2001:DB8::0:1]:80'}]",
       "servers: [{backend: app, name: s1, address: '[2001:db8::1]:80'}]"},
      {"servers: [{backend: app, name: s1, address: 'App.Internal.:80'}]",
       "servers: [{backend: app, name: s1, address: 'app.internal:80'}]"},
      {"backends: [{name: app, timeouts: {}, connection_pool: {source_address: '2001:DB8::0:1'}}]",
       "backends: [{name: app, connection_pool: {source_address: '2001:db8::1'}}]"},
      {"listeners: [{name: web, bind: ['127.0.0.1:0'], protocol: HTTP, routes: [{path_prefix: /a, backend: app, "
       "rewrite: {}}]}]",
       "listeners: [{name: web, bind: ['127.0.0.1:0'], protocol: HTTP, routes: [{path_prefix: /a, backend: app}]}]"},
  };
  for (const auto& [written, kept] : pairs) {
    SCOPED_TRACE(written);
    EXPECT_THAT(changes(read(kept), read(written), /*prune=*/true), IsEmpty());
    EXPECT_TRUE(operations_to(read(kept), read(written), /*prune=*/true).at(0).changes_nothing);
  }
}

TEST(ResourceSet, ComparesWhatIsInput) {
  ResourceSet wanted = read("backends: [{name: a}, {name: b, server_defaults: {weight: 2}}, {name: c}]");
  ResourceSet present = read("backends: [{name: a, metadata: {uid: 1}, status: {servers: 4}}, {name: b}, {name: d}]");
  const auto list = changes(present, wanted, /*prune=*/true);
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].title, "backend b");
  EXPECT_EQ(list[0].kind, ChangeKind::kChanged);
  EXPECT_EQ(list[1].kind, ChangeKind::kAdded);
  EXPECT_EQ(list[2].title, "backend d");
  EXPECT_EQ(list[2].kind, ChangeKind::kRemoved);
  EXPECT_THAT(changes(wanted, wanted, true), IsEmpty());
}

// A listener whose two routes answer by themselves.
std::string answering_routes(int redirect, int respond) {
  return absl::StrCat("listeners: [{name: web, routes: [{path_prefix: /old, redirect: {path: /new, status: ", redirect,
                      "}}, {path_prefix: /health, respond: {status: ", respond, "}}]}]");
}

TEST(ResourceSet, TheStatusOfAnAnswerIsInput) {
  const auto differences = [](const std::string& before, const std::string& after) {
    return changes(read(before), read(after), /*prune=*/true).size();
  };
  EXPECT_EQ(differences(answering_routes(308, 200), answering_routes(308, 200)), 0u);
  EXPECT_EQ(differences(answering_routes(301, 200), answering_routes(308, 200)), 1u);
  EXPECT_EQ(differences(answering_routes(308, 200), answering_routes(308, 204)), 1u);
}

TEST(LineDifference, IsTheShortestWay) {
  EXPECT_THAT(line_difference("a\nb\nc\n", "a\nx\nc\nd\n"), ElementsAre("  a", "- b", "+ x", "  c", "+ d"));
  EXPECT_THAT(line_difference("", "a\n"), ElementsAre("+ a"));
  EXPECT_THAT(line_difference("a\n", ""), ElementsAre("- a"));
}

TEST(AsConfiguration, IsReadBackAsTheSame) {
  v1::Resources resources;
  resources.add_backends()->set_name("app");
  resources.mutable_backends(0)->mutable_metadata()->set_uid(4);
  v1::Server& server = *resources.add_servers();
  server.set_backend("app");
  server.set_name("s1");
  server.mutable_status()->set_in_flight(2);
  const v1::Configuration file = as_configuration(resources);
  EXPECT_EQ(api::to_yaml(file), "resources:\n  backends:\n    - name: app\n      servers:\n        - name: s1\n");
  const auto present = ResourceSet::from(resources, "");
  EXPECT_THAT(changes(*present, read(api::to_yaml(file)), true), IsEmpty());
}

}  // namespace
}  // namespace fairlead::ctl
