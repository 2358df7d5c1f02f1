// Servers that DNS names, in the store: who they are, and that they are no configuration.
#include "store/discovery.h"

#include <gmock/gmock.h>

#include "store_fixture.h"

namespace fairlead::store {
namespace {

using config::Service;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kSrv = "_http._tcp.app";

std::string backend(const std::string& fields = "", const std::string& srv = kSrv) {
  return "operations { upsert { backend { name: \"web\" discovery { srv: \"" + srv + "\" } " + fields + " } } }";
}
constexpr const char* kWithout = R"(operations { upsert { backend { name: "web" } } })";

std::vector<std::string> texts(const std::vector<Discovered>& group) {
  std::vector<std::string> result;
  for (const Discovered& one : group) {
    result.push_back(config::concat(one.name, " ", one.address.to_string(), " w", one.weight, " p", one.priority));
  }
  return result;
}

TEST(DiscoverTest, NamesWeightsAndPriorities) {
  EXPECT_THAT(texts(discover({{5, "a.x", 80, 10}, {5, "b.x", 81, 0}, {700, "c.x", 80, 256}}, 9)),
              ElementsAre("@a.x:80 a.x:80 w10 p0", "@b.x:81 b.x:81 w1 p0", "@c.x:80 c.x:80 w256 p1"));
  EXPECT_THAT(texts(discover({{0, "a", 1, 65535}, {0, "b", 1, 32768}, {0, "c", 1, 1}, {1, "d", 1, 7}}, 9)),
              ElementsAre("@a:1 a:1 w256 p0", "@b:1 b:1 w128 p0", "@c:1 c:1 w1 p0", "@d:1 d:1 w7 p1"))
      << "of one priority, those alone";
  EXPECT_THAT(texts(discover({{0, "a", 1, 0}, {0, "b", 1, 0}}, 9)), ElementsAre("@a:1 a:1 w1 p0", "@b:1 b:1 w1 p0"));
}

TEST(DiscoverTest, AtMostSoMany) {
  EXPECT_THAT(texts(discover({{0, "a", 1, 1}, {1, "b", 1, 60000}, {2, "c", 1, 1}}, 2)),
              ElementsAre("@a:1 a:1 w1 p0", "@b:1 b:1 w256 p1"));
  std::vector<Service> many;
  for (uint16_t i = 0; i < 40; ++i) many.push_back({i, config::concat("n", i), 1, 1});
  std::vector<Discovered> group = discover(many, 100);
  EXPECT_EQ(group[15].priority, 15);
  EXPECT_EQ(group[39].priority, 15);
  EXPECT_EQ(discover({{0, std::string(253, 'a'), 80, 1}, {0, "b", 80, 1}}, 9).size(), 1u) << "no server is called so";
}

class DiscoveryTest : public StoreFixture {
 protected:
  // And what follows from it has: drains end at once.
  void list(const std::string& srv, const std::vector<Service>& services, const std::string& reason = "told") {
    half_.list(srv, services, reason);
    settle();
  }
  void settle() {
    for (int i = 0; i < 3; ++i) read([](Reader& reader) { return reader.version(); });
  }
  // "@a.x:80 READY 10.0.0.1:80 w1 p0", in the order of names.
  std::vector<std::string> servers() {
    auto page = read([](Reader& reader) { return *reader.list_servers({"web", {}, {}}, {}); });
    std::vector<std::string> result;
    for (const ServerView& view : page.items) {
      std::string text = view.record->name + " " + v1::Lifecycle_Name(view.lifecycle).substr(10);
      if (view.resolution && view.resolution->address) text += " " + view.resolution->address->to_string();
      text += config::concat(" w", view.record->weight.value_or(0), " p", uint32_t{view.record->priority});
      result.push_back(text);
    }
    return result;
  }
  BackendView web() {
    return read([](Reader& reader) { return *reader.find_backend("web"); });
  }
  std::string state() {
    auto discovery = web().discovery;
    return discovery ? config::concat(discovery->servers, " ", discovery->reason) : "-";
  }
  config::Uid uid(const std::string& name) { return server("web", name)->record->metadata.uid; }
  std::string digest() {
    return read([](Reader& reader) { return reader.digest().bytes() + std::to_string(reader.version()); });
  }
  std::vector<std::string> events(EventQueue& queue) {
    read([](Reader& reader) { return reader.version(); });
    std::vector<std::string> result;
    while (true) {
      EventQueue::Taken taken = queue.take();
      if (!taken.event) return result;
      if (const auto* step = std::get_if<ServerStep>(&taken.event->what)) {
        std::string text = step->name + " " + v1::Lifecycle_Name(step->lifecycle).substr(10);
        for (const std::string& more : {step->resolved_address, step->discovered_by})
          text += more.empty() ? "" : " " + more;
        result.push_back(text);
      } else if (const auto* of_backend = std::get_if<BackendStep>(&taken.event->what)) {
        if (of_backend->discovery) {
          result.push_back(config::concat("web ", of_backend->discovery->servers, " ", of_backend->discovery->reason));
        }
      } else {
        result.push_back("a change");
      }
    }
  }
  std::shared_ptr<EventQueue> watch() {
    auto queue = std::make_shared<EventQueue>(std::nullopt, [] {});
    read([&](Reader& reader) { return reader.subscribe(queue), 0; });
    return queue;
  }
};

TEST_F(DiscoveryTest, AnAnswerMakesServersAndTheirTargetsAddresses) {
  must(backend());
  EXPECT_THAT(half_.names(), ElementsAre("SRV _http._tcp.app"));
  EXPECT_EQ(state(), "0 ");
  auto queue = watch();
  list(kSrv, {{0, "a.x", 80, 3}, {1, "b.x", 81, 4}}, "2 servers");
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 PENDING w3 p0", "@b.x:81 PENDING w4 p1"));
  EXPECT_THAT(half_.names(), ElementsAre("SRV _http._tcp.app", "a.x", "b.x"));
  EXPECT_EQ(state(), "2 2 servers");
  EXPECT_EQ(eligible("web"), 0u);
  half_.answer("a.x", {"10.0.0.1"});
  half_.answer("b.x", {"10.0.0.2"});
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 READY 10.0.0.1:80 w3 p0", "@b.x:81 READY 10.0.0.2:81 w4 p1"));
  EXPECT_EQ(server("web", "@a.x:80")->discovered_by, kSrv);
  EXPECT_EQ(server("web", "@a.x:80")->effective_weight, 3u);
  EXPECT_THAT(events(*queue), ElementsAre("@a.x:80 PENDING _http._tcp.app", "@b.x:81 PENDING _http._tcp.app",
                                          "web 2 2 servers", "@a.x:80 READY 10.0.0.1:80", "@b.x:81 READY 10.0.0.2:81"));
}

TEST_F(DiscoveryTest, NextAnswersChangeWhatTheyChange) {
  must(backend());
  list(kSrv, {{0, "a.x", 80, 3}, {0, "b.x", 80, 4}, {0, "c.x", 80, 4}}, "3 servers");
  for (const char* name : {"a.x", "b.x", "c.x", "d.x"}) half_.answer(name, {"10.0.0.1"});
  config::Uid a = uid("@a.x:80"), b = uid("@b.x:80");
  half_.hold_drains();
  auto queue = watch();
  list(kSrv, {{0, "a.x", 80, 3}, {2, "b.x", 80, 9}, {2, "d.x", 80, 1}}, "3 servers");
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 READY 10.0.0.1:80 w3 p0", "@b.x:80 READY 10.0.0.1:80 w9 p1",
                                     "@c.x:80 DRAINING w4 p0", "@d.x:80 PENDING w1 p1"));
  EXPECT_EQ(uid("@a.x:80"), a);
  EXPECT_EQ(uid("@b.x:80"), b) << "it is the same";
  EXPECT_THAT(events(*queue), ElementsAre("@b.x:80 READY _http._tcp.app", "@c.x:80 DRAINING _http._tcp.app",
                                          "@d.x:80 PENDING _http._tcp.app", "web 3 3 servers"));
  config::Uid c = uid("@c.x:80");
  // It comes again while it still drains, as somebody else.
  list(kSrv, {{0, "a.x", 80, 3}, {0, "c.x", 80, 4}}, "2 servers");
  EXPECT_NE(uid("@c.x:80"), c);
  half_.finish_drains(7);
  settle();
  half_.answer("c.x", {"10.0.0.3"});
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 READY 10.0.0.1:80 w3 p0", "@c.x:80 READY 10.0.0.3:80 w4 p0"));
  EXPECT_THAT(half_.names(), ElementsAre("SRV _http._tcp.app", "a.x", "c.x"));
}

TEST_F(DiscoveryTest, NothingIsLeftWhereNothingIsListed) {
  must(backend());
  list(kSrv, {{0, "a.x", 80, 1}}, "1 server");
  list(kSrv, {{0, "a.x", 80, 1}}, "no answer; the last answer is kept");
  EXPECT_EQ(state(), "1 no answer; the last answer is kept");
  list(kSrv, {}, "it does not exist");
  EXPECT_EQ(state(), "0 it does not exist");
  EXPECT_THAT(servers(), IsEmpty());
}

TEST_F(DiscoveryTest, TheyAreNoConfiguration) {
  must(backend());
  must(R"(operations { create { server { backend: "web" name: "s1" address: "10.0.0.9:80" } } })");
  std::string before = digest();
  list(kSrv, {{0, "a.x", 80, 1}, {0, "b.x", 80, 1}});
  half_.answer("a.x", {"10.0.0.1"});
  EXPECT_EQ(web().servers, 3u);
  EXPECT_EQ(digest(), before) << "neither digest nor version";
  EXPECT_EQ(read([](Reader& reader) { return reader.counts().servers; }), 1u);
  for (
      const char* text :
      {R"(operations { upsert { server { backend: "web" name: "@a.x:80" address: "10.0.0.1:80" } } })",
       R"(operations { delete { server { backend: "web" name: "@a.x:80" } } })",
       R"(operations { patch { resource { server { backend: "web" name: "@a.x:80" weight: 3 } } update_mask { paths: "weight" } } })"}) {
    Result result = apply(text);
    EXPECT_TRUE(result.refused());
    EXPECT_THAT(reason_of(result), HasSubstr("is a name as of a server that DNS names, which is not written"));
  }
  EXPECT_EQ(digest(), before);
  EXPECT_EQ(web().servers, 3u);
}

TEST_F(DiscoveryTest, AResyncNeitherCountsNorRemovesThem) {
  must(backend());
  must(R"(operations { create { server { backend: "web" name: "s1" address: "10.0.0.9:80" } } }
          operations { create { server { backend: "web" name: "s2" address: "10.0.0.9:80" } } })");
  list(kSrv, {{0, "a.x", 80, 1}, {0, "b.x", 80, 1}});
  auto origin = std::make_shared<const Origin>("test", "here", 7);
  std::promise<void> opened;
  store_.open_session(7, ElectionId{0, 1}, [&](Reader&) { opened.set_value(); });
  opened.get_future().get();
  Fence fence{.kind = Fence::Kind::kSession, .election_id = ElectionId{0, 1}};
  auto begin = [&](const std::string& scope) {
    std::promise<Result> begun;
    store_.begin_resync({.id = 1, .origin = origin, .fence = fence, .backend = scope}, {},
                        [&](Result result) { begun.set_value(std::move(result)); });
    EXPECT_EQ(reason_of(begun.get_future().get()), "");
  };
  auto end = [&](uint32_t percent) {
    std::promise<Result> ended;
    store_.end_resync({.id = 2, .origin = origin, .fence = fence, .max_removal_percent = percent}, {},
                      [&](Result result) { ended.set_value(std::move(result)); });
    std::string reason = reason_of(ended.get_future().get());
    settle();
    return reason;
  };
  begin("web");
  EXPECT_THAT(end(50), HasSubstr("would remove 2 of 2 servers"));
  EXPECT_EQ(end(100), "");
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 PENDING w1 p0", "@b.x:80 PENDING w1 p0"));
  begin("");
  EXPECT_EQ(end(100), "");
  EXPECT_FALSE(read([](Reader& reader) { return reader.find_backend("web").has_value(); }))
      << "a backend goes, and they with it";
  EXPECT_THAT(half_.names(), IsEmpty());
}

TEST_F(DiscoveryTest, ATransactionThatIsTakenBackLeavesThem) {
  must(backend());
  list(kSrv, {{0, "a.x", 80, 1}});
  half_.answer("a.x", {"10.0.0.1"});
  std::string before = digest();
  config::Uid a = uid("@a.x:80");
  EXPECT_TRUE(apply(R"(operations { delete { backend: "web" } }
                       operations { create { server { backend: "none" name: "s" address: "10.0.0.9:80" } } })")
                  .refused());
  EXPECT_TRUE(apply(std::string(kWithout) +
                    R"(operations { create { server { backend: "none" name: "s" address: "10.0.0.9:80" } } })")
                  .refused());
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 READY 10.0.0.1:80 w1 p0"));
  EXPECT_EQ(uid("@a.x:80"), a);
  EXPECT_EQ(digest(), before);
  list(kSrv, {{0, "b.x", 80, 1}});
  half_.answer("b.x", {"10.0.0.2"});
  settle();
  EXPECT_THAT(servers(), ElementsAre("@b.x:80 READY 10.0.0.2:80 w1 p0"));
}

TEST_F(DiscoveryTest, TheyGoWithTheFieldAndWithTheBackend) {
  must(backend());
  list(kSrv, {{0, "a.x", 80, 1}});
  half_.answer("a.x", {"10.0.0.1"});
  EXPECT_EQ(eligible("web"), 1u);
  must(kWithout);
  EXPECT_EQ(eligible("web"), 0u) << "when it is acknowledged";
  settle();
  EXPECT_THAT(servers(), IsEmpty());
  EXPECT_THAT(half_.names(), IsEmpty());
  EXPECT_EQ(state(), "-");
  must(backend());
  list(kSrv, {{0, "a.x", 80, 1}});
  EXPECT_THAT(half_.names(), ElementsAre("SRV _http._tcp.app", "a.x"));
  auto queue = watch();
  must(R"(operations { delete { backend: "web" } })");
  settle();
  EXPECT_THAT(half_.names(), IsEmpty());
  EXPECT_THAT(events(*queue), ElementsAre("@a.x:80 DRAINING", "a change", "@a.x:80 REMOVED")) << "the backend's alone";
}

TEST_F(DiscoveryTest, AnotherNameTakesOverWhenThereIsAnAnswer) {
  must(backend());
  list(kSrv, {{0, "a.x", 80, 1}, {0, "b.x", 80, 1}});
  config::Uid b = uid("@b.x:80");
  must(backend("", "Other.App."));
  EXPECT_THAT(half_.names(), ElementsAre("SRV other.app", "a.x", "b.x"));
  EXPECT_EQ(state(), "2 ") << "until then they stay";
  list("other.app", {{0, "b.x", 80, 1}}, "1 server");
  EXPECT_THAT(servers(), ElementsAre("@b.x:80 PENDING w1 p0"));
  EXPECT_EQ(uid("@b.x:80"), b);
  // Of what is known already there is one at once.
  must(R"(operations { create { backend { name: "too" discovery { srv: "other.app" } } } })");
  EXPECT_TRUE(server("too", "@b.x:80"));
}

TEST_F(DiscoveryTest, AGroupThatIsReplacedStaysUntilSomebodyOfTheNewOneTakesRequests) {
  must(backend());
  list(kSrv, {{0, "a.x", 80, 1}, {0, "b.x", 80, 1}}, "2 servers");
  for (const char* name : {"a.x", "b.x"}) half_.answer(name, {"10.0.0.1"});
  config::Uid b = uid("@b.x:80");
  list(kSrv, {{0, "c.x", 80, 1}, {0, "d.x", 80, 1}}, "2 servers");
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 READY 10.0.0.1:80 w1 p0", "@b.x:80 READY 10.0.0.1:80 w1 p0",
                                     "@c.x:80 PENDING w1 p0", "@d.x:80 PENDING w1 p0"));
  EXPECT_EQ(state(), "4 2 servers; 2 of the last answer stay until one of these takes requests");
  // Another answer before that: who is listed again belongs to it.
  list(kSrv, {{0, "b.x", 80, 7}, {0, "c.x", 80, 1}}, "2 servers");
  EXPECT_THAT(servers(), ElementsAre("@b.x:80 READY 10.0.0.1:80 w7 p0", "@c.x:80 PENDING w1 p0"));
  EXPECT_EQ(uid("@b.x:80"), b);
  EXPECT_EQ(state(), "2 2 servers");
  list(kSrv, {{0, "c.x", 80, 1}, {0, "e.x", 80, 1}}, "2 servers");
  EXPECT_EQ(eligible("web"), 1u) << "b";
  half_.answer("e.x", {"10.0.0.3"});
  settle();
  EXPECT_THAT(servers(), ElementsAre("@c.x:80 PENDING w1 p0", "@e.x:80 READY 10.0.0.3:80 w1 p0"));
  EXPECT_EQ(state(), "2 2 servers");
  EXPECT_EQ(eligible("web"), 1u);
}

TEST_F(DiscoveryTest, AGroupThatIsReplacedStaysNoLongerThanItIsOfUse) {
  must(backend("health_check { tcp {} }"));
  list(kSrv, {{0, "a.x", 80, 1}});
  half_.answer("a.x", {"10.0.0.1"});
  half_.find(uid("@a.x:80"), true, "connected");
  // Its name is known: checks alone are missing.
  must(R"(operations { create { backend { name: "too" } } }
          operations { create { server { backend: "too" name: "s" address: "b.x:80" } } })");
  half_.answer("b.x", {"10.0.0.2"});
  list(kSrv, {{0, "b.x", 80, 1}});
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 READY 10.0.0.1:80 w1 p0", "@b.x:80 PENDING 10.0.0.2:80 w1 p0"));
  half_.find(uid("@b.x:80"), false, "refused");
  EXPECT_EQ(eligible("web"), 1u);
  half_.find(uid("@b.x:80"), true, "connected");
  settle();
  EXPECT_THAT(servers(), ElementsAre("@b.x:80 READY 10.0.0.2:80 w1 p0"));
  list(kSrv, {{0, "c.x", 80, 1}});
  half_.find(uid("@b.x:80"), false, "refused");
  settle();
  EXPECT_THAT(servers(), ElementsAre("@c.x:80 PENDING w1 p0")) << "who takes no requests is no loss";
  half_.answer("c.x", {"10.0.0.3"});
  half_.find(uid("@c.x:80"), true, "connected");
  list(kSrv, {{0, "d.x", 80, 1}});
  EXPECT_EQ(eligible("web"), 1u);
  list(kSrv, {}, "it does not exist");
  EXPECT_THAT(servers(), IsEmpty()) << "nobody is listed";
}

TEST_F(DiscoveryTest, OfNamesThatAreKnownAGroupIsReplacedAtOnce) {
  must(backend());
  must(R"(operations { create { backend { name: "too" } } }
          operations { create { server { backend: "too" name: "s" address: "b.x:80" } } })");
  half_.answer("b.x", {"10.0.0.2"});
  list(kSrv, {{0, "a.x", 80, 1}});
  half_.answer("a.x", {"10.0.0.1"});
  list(kSrv, {{0, "b.x", 80, 1}}, "1 server");
  settle();
  EXPECT_THAT(servers(), ElementsAre("@b.x:80 READY 10.0.0.2:80 w1 p0"));
  EXPECT_EQ(state(), "1 1 server");
}

TEST(MergeTest, WhatSeveralNamesListIsOneGroup) {
  auto merged = [](std::vector<Service> services) { return texts(discover(merge(std::move(services)), 9)); };
  EXPECT_THAT(merged({{5, "b.x", 80, 10}, {7, "c.x", 80, 1}, {5, "a.x", 80, 3}}),
              ElementsAre("@a.x:80 a.x:80 w3 p0", "@b.x:80 b.x:80 w10 p0", "@c.x:80 c.x:80 w1 p1"));
  EXPECT_THAT(merged({{5, "a.x", 80, 1}, {3, "a.x", 80, 2}, {3, "a.x", 80, 9}, {3, "a.x", 81, 4}}),
              ElementsAre("@a.x:80 a.x:80 w9 p0", "@a.x:81 a.x:81 w4 p0"))
      << "its best record, once";
}

TEST_F(DiscoveryTest, SeveralNamesAreOneGroupAndAreHeldEachByItself) {
  const std::string both =
      R"(operations { upsert { backend { name: "web" discovery { srv: "_http._tcp.app" also: "_B._tcp.app." } } } })";
  must(both);
  EXPECT_THAT(half_.names(), ElementsAre("SRV _b._tcp.app", "SRV _http._tcp.app"));
  list("_b._tcp.app", {{9, "b.x", 80, 5}, {9, "c.x", 80, 1}}, "2 servers");
  EXPECT_THAT(servers(), ElementsAre("@b.x:80 PENDING w5 p0", "@c.x:80 PENDING w1 p0")) << "one is enough to begin";
  EXPECT_EQ(state(), "2 _http._tcp.app: not known yet, _b._tcp.app: 2 servers");
  config::Uid c = uid("@c.x:80");
  list(kSrv, {{1, "a.x", 80, 2}, {1, "c.x", 80, 3}}, "2 servers");
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 PENDING w2 p0", "@b.x:80 PENDING w5 p1", "@c.x:80 PENDING w3 p0"));
  EXPECT_EQ(state(), "3 _http._tcp.app: 2 servers, _b._tcp.app: 2 servers");
  list(kSrv, {}, "it does not exist (NXDOMAIN)");
  EXPECT_THAT(servers(), ElementsAre("@b.x:80 PENDING w5 p0", "@c.x:80 PENDING w1 p0")) << "the other's stay";
  EXPECT_EQ(uid("@c.x:80"), c);
  EXPECT_EQ(state(), "2 _http._tcp.app: it does not exist (NXDOMAIN), _b._tcp.app: 2 servers");
  // In place: one name less, and one more, of which nothing is known.
  must(backend("", "_b._tcp.app"));
  EXPECT_EQ(state(), "2 2 servers");
  EXPECT_EQ(uid("@c.x:80"), c);
  EXPECT_THAT(half_.names(), ElementsAre("SRV _b._tcp.app", "b.x", "c.x"));
  must(both);
  EXPECT_EQ(state(), "2 _http._tcp.app: not known yet, _b._tcp.app: 2 servers");
  EXPECT_EQ(uid("@c.x:80"), c);
  must(kWithout);
  settle();
  EXPECT_THAT(half_.names(), IsEmpty());
}

TEST_F(DiscoveryTest, SoManyAsTheBackendTakes) {
  must(R"(operations { upsert { backend { name: "web" discovery { srv: "_http._tcp.app" max_servers: 1 } } } })");
  list(kSrv, {{0, "a.x", 80, 1}, {1, "b.x", 80, 1}, {2, "c.x", 80, 1}}, "3 servers");
  EXPECT_EQ(state(), "1 3 servers; 1 of them are used");
  must(R"(operations { upsert { backend { name: "web" discovery { srv: "_http._tcp.app" max_servers: 2 } } } })");
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 PENDING w1 p0", "@b.x:80 PENDING w1 p1")) << "in place";
  must(backend());
  EXPECT_EQ(state(), "3 3 servers");
}

TEST_F(DiscoveryTest, SettingsOfTheBackendHold) {
  must(backend("health_check { tcp {} } server_defaults { max_connections: 5 }"));
  list(kSrv, {{0, "a.x", 80, 1}});
  half_.answer("a.x", {"10.0.0.1"});
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 PENDING 10.0.0.1:80 w1 p0")) << "nothing before its first check";
  half_.find(uid("@a.x:80"), true, "connected");
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 READY 10.0.0.1:80 w1 p0"));
  list(kSrv, {{0, "a.x", 80, 5}});
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 READY 10.0.0.1:80 w5 p0")) << "a weight is no reason to check anew";
  must(backend());
  EXPECT_THAT(servers(), ElementsAre("@a.x:80 READY 10.0.0.1:80 w5 p0"));
}

}  // namespace
}  // namespace fairlead::store
