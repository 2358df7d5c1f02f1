// What the store asks workers to do with connections beside traffic: opening them to servers that begin, closing those
// to backups that are not needed any more, and idle ones to servers that are DOWN.
#include <gmock/gmock.h>

#include <random>
#include <set>

#include "store_fixture.h"

namespace fairlead::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::string backend(const std::string& fields) {
  return "operations { upsert { backend { name: \"web\" " + fields + " } } } ";
}
std::string add(const std::string& name, const std::string& fields = "", const std::string& address = "10.0.0.1:80") {
  return "operations { upsert { server { backend: \"web\" name: \"" + name + "\" address: \"" + address + "\" " +
         fields + " } } } ";
}
std::string remove(const std::string& name) {
  return "operations { delete { server { backend: \"web\" name: \"" + name + "\" } } } ";
}

// Refused, with all that stands beside it.
constexpr const char* kBad =
    R"(operations { upsert { server { backend: "nowhere" name: "x" address: "10.0.0.1:80" } } } )";

class PoolsTest : public StoreFixture {
 protected:
  config::Uid uid(const std::string& name) { return server("web", name)->record->metadata.uid; }
  void find(const std::string& name, bool is_up) {
    half_.find(uid(name), is_up, is_up ? "connected" : "connect: refused");
    settle();
  }
  // What was told is taken, and what follows from it done.
  void settle() {
    for (int i = 0; i < 3; ++i) read([](Reader& reader) { return reader.version(); });
  }
  std::vector<config::Uid> closed_since() {
    std::vector<config::Uid> all = half_.closed();
    std::vector<config::Uid> added(all.begin() + static_cast<ptrdiff_t>(closed_), all.end());
    closed_ = all.size();
    return added;
  }
  // "s1:4", of servers that there are.
  std::multiset<std::string> warmed() {
    settle();
    std::multiset<std::string> result;
    for (auto [server_uid, connections] : half_.take_warmed()) {
      std::string name = "?";
      read([&](Reader& reader) {
        for (const char* known : {"s0", "s1", "s2", "s3", "b1", "b2"}) {
          std::optional<ServerView> view = reader.find_server("web", known);
          if (view && view->record->metadata.uid == server_uid) name = known;
        }
        return 0;
      });
      result.insert(name + ":" + std::to_string(connections));
    }
    return result;
  }

 private:
  size_t closed_ = 0;
};

// ---- warming

TEST_F(PoolsTest, ConnectionsAreOpenedToWhoBegins) {
  must(backend("connection_pool { warm: 4 }") + add("s1"));
  EXPECT_THAT(warmed(), ElementsAre("s1:4")) << "in the transaction that makes the backend";
  must(add("s2") + add("s3", "weight: 0"));
  EXPECT_THAT(warmed(), ElementsAre("s2:4")) << "who weighs nothing does not begin";
  must(add("s3", "weight: 1"));
  EXPECT_THAT(warmed(), ElementsAre("s3:4"));
  must(add("s1", "weight: 7 labels { key: \"a\" value: \"b\" }"));
  must(add("s1", "weight: 7 labels { key: \"a\" value: \"b\" }"));
  EXPECT_THAT(warmed(), IsEmpty()) << "who goes on does not begin";
  must(add("s1", "weight: 7", "10.0.0.9:80"));
  EXPECT_THAT(warmed(), ElementsAre("s1:4")) << "another address is another machine";
  for (const char* state : {"DRAIN", "MAINTENANCE"}) {
    must(add("s2", std::string("admin_state: ADMIN_STATE_") + state));
    EXPECT_THAT(warmed(), IsEmpty());
    must(add("s2"));
    EXPECT_THAT(warmed(), ElementsAre("s2:4")) << "back from " << state;
  }
  must(add("s2", "admin_state: ADMIN_STATE_DRAIN") + add("s2"));
  EXPECT_THAT(warmed(), IsEmpty()) << "workers never saw it leave";
  must(remove("s2") + add("s2"));
  EXPECT_THAT(warmed(), ElementsAre("s2:4")) << "this one is new";
}

TEST_F(PoolsTest, ConnectionsAreOpenedWhenTheFirstCheckHasSucceeded) {
  must(backend("health_check { tcp {} } connection_pool { warm: 4 }") + add("s1") + add("s2"));
  EXPECT_THAT(warmed(), IsEmpty());
  find("s1", true);
  EXPECT_THAT(warmed(), ElementsAre("s1:4"));
  find("s1", true);
  find("s2", false);
  EXPECT_THAT(warmed(), IsEmpty());
  find("s1", false);
  EXPECT_THAT(warmed(), IsEmpty());
  find("s1", true);
  EXPECT_THAT(warmed(), ElementsAre("s1:4"));
}

TEST_F(PoolsTest, NoMoreAreOpenedThanMayBeInFlight) {
  must(backend("connection_pool { warm: 4 } server_defaults { max_connections: 3 }") + add("s1") +
       add("s2", "max_connections: 2") + add("s3", "max_connections: 0") + add("s0", "max_connections: 9"));
  EXPECT_THAT(warmed(), UnorderedElementsAre("s0:4", "s1:3", "s2:2", "s3:4"));
}

TEST_F(PoolsTest, NothingIsOpenedWhereThatIsNotAskedForOrOfNoUse) {
  must(backend("") + add("s1"));
  must(backend("connection_pool { warm: 0 }") + add("s2"));
  must(backend("connection_pool { warm: 4 reuse: POOL_REUSE_NEVER }") + add("s3"));
  must(backend("connection_pool { warm: 4 }"));
  EXPECT_THAT(warmed(), IsEmpty()) << "a change holds for who begins after it";
  must(add("s3", "admin_state: ADMIN_STATE_DRAIN"));
  must(add("s3") + backend("connection_pool { warm: 9 }"));
  EXPECT_THAT(warmed(), ElementsAre("s3:9"));
}

TEST_F(PoolsTest, ATransactionThatIsRefusedOpensNothing) {
  must(backend("connection_pool { warm: 4 }") + add("s1"));
  warmed();
  EXPECT_TRUE(apply(add("s2") + kBad).refused());
  EXPECT_TRUE(apply(add("s1", "admin_state: ADMIN_STATE_DRAIN") + kBad).refused());
  must(add("s1", "labels { key: \"a\" value: \"b\" }"));
  EXPECT_THAT(warmed(), IsEmpty());
}

TEST_F(PoolsTest, ReturningFromAnEjectionIsABeginning) {
  must(backend("connection_pool { warm: 4 } health_check { tcp {} } outlier_detection { max_ejected_percent: 100 }") +
       add("s1"));
  find("s1", true);
  warmed();
  store::CheckResult of = half_.result_of(half_.order_of(uid("s1")), true, "");
  half_.eject(of, {.is_ejected = true, .number = 1, .time = std::chrono::seconds(30)}, "5 errors in a row");
  EXPECT_THAT(warmed(), IsEmpty());
  half_.eject(of, {.is_ejected = false, .number = 1, .time = {}}, "its time is over");
  EXPECT_THAT(warmed(), ElementsAre("s1:4"));
}

TEST_F(PoolsTest, AServerWithANameBeginsWhenItHasAnAddress) {
  must(backend("connection_pool { warm: 4 }") + add("s1", "", "app.internal:80"));
  EXPECT_THAT(warmed(), IsEmpty());
  half_.answer("app.internal", {"10.0.0.5"});
  EXPECT_THAT(warmed(), ElementsAre("s1:4"));
  half_.answer("app.internal", {"10.0.0.5", "10.0.0.6"});
  EXPECT_THAT(warmed(), IsEmpty());
  half_.answer("app.internal", {"10.0.0.6"});
  EXPECT_THAT(warmed(), ElementsAre("s1:4")) << "there";
}

// Whatever comes: who takes requests in a publication and did not in the one before has begun, and nobody else.
TEST_F(PoolsTest, RandomChangesOpenConnectionsToWhoBeganAndToNobodyElse) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  auto below = [&](int n) { return static_cast<int>(random() % static_cast<uint32_t>(n)); };
  must(backend("health_check { tcp {} } connection_pool { warm: 1 }"));
  const char* states[] = {
      "",          "admin_state: ADMIN_STATE_DRAIN", "admin_state: ADMIN_STATE_MAINTENANCE", "weight: 0",
      "weight: 3", "health_check { disabled: true }"};
  using Standing = std::map<config::Uid, config::Endpoint>;
  auto taking_requests = [&] {
    Standing result;
    read([&](Reader& reader) {
      for (const char* name : {"s0", "s1", "s2", "s3"}) {
        std::optional<ServerView> view = reader.find_server("web", name);
        if (view && view->effective_weight > 0) result[view->record->metadata.uid] = view->record->address;
      }
      return 0;
    });
    return result;
  };
  Standing before = taking_requests();
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (int i = below(3); i >= 0; --i) {
      std::string name = "s" + std::to_string(below(4));
      std::optional<ServerView> known = server("web", name);
      if (known && below(5) == 0) {
        text += remove(name);
        continue;
      }
      text += add(name, states[below(6)], below(4) == 0 ? "10.0.0.2:80" : "10.0.0.1:80");
    }
    if (below(3) > 0) {
      apply(text + (below(4) == 0 ? kBad : ""));
    } else {
      std::string name = "s" + std::to_string(below(4));
      std::optional<ServerView> known = server("web", name);
      if (known && half_.checked().contains(known->record->metadata.uid)) find(name, below(3) > 0);
    }
    settle();
    Standing after = taking_requests();
    std::multiset<config::Uid> expected;
    for (const auto& [server_uid, address] : after) {
      auto was = before.find(server_uid);
      if (was == before.end() || was->second != address) expected.insert(server_uid);
    }
    std::multiset<config::Uid> opened;
    for (auto [server_uid, connections] : half_.take_warmed()) opened.insert(server_uid);
    ASSERT_EQ(opened, expected) << "round " << round << ": " << text;
    before = std::move(after);
  }
}

// ---- backups

constexpr const char* kTakesBack = "health_check { tcp {} } on_marked_up: ON_MARKED_UP_CLOSE_BACKUPS ";

TEST_F(PoolsTest, BackupsAreClosedWhenAServerIsUpAgain) {
  must(backend(kTakesBack) + add("s1") + add("s2") + add("b1", "backup: true") + add("b2", "backup: true"));
  find("b1", true);
  find("b2", true);
  EXPECT_THAT(closed_since(), IsEmpty()) << "they are needed";
  find("s1", true);
  EXPECT_THAT(closed_since(), UnorderedElementsAre(uid("b1"), uid("b2")));
  find("s2", true);
  find("s2", false);
  find("s2", true);
  EXPECT_THAT(closed_since(), IsEmpty()) << "they were not in use";
  find("s1", false);
  find("s2", false);
  EXPECT_THAT(closed_since(), IsEmpty());
  find("s2", true);
  EXPECT_THAT(closed_since(), UnorderedElementsAre(uid("b1"), uid("b2")));
}

TEST_F(PoolsTest, BackupsAreClosedHoweverAServerComesBack) {
  must(backend(kTakesBack) + add("s1", "admin_state: ADMIN_STATE_MAINTENANCE") + add("b1", "backup: true"));
  find("b1", true);
  must(add("s1", "health_check { disabled: true }"));
  EXPECT_THAT(closed_since(), ElementsAre(uid("b1"))) << "from MAINTENANCE";
  must(remove("s1"));
  EXPECT_THAT(closed_since(), IsEmpty());
  must(add("s2", "health_check { disabled: true }"));
  EXPECT_THAT(closed_since(), ElementsAre(uid("b1"))) << "added";
  must(add("s2", "health_check { disabled: true } weight: 0"));
  must(add("s2", "health_check { disabled: true }"));
  EXPECT_THAT(closed_since(), ElementsAre(uid("b1"))) << "with a weight again";
}

TEST_F(PoolsTest, BackupsAreKeptWhereNothingElseIsSaid) {
  must(backend("health_check { tcp {} }") + add("s1") + add("b1", "backup: true"));
  find("b1", true);
  find("s1", true);
  EXPECT_THAT(closed_since(), IsEmpty());
  // Set in place, it holds from the next time on.
  must(backend(kTakesBack));
  EXPECT_THAT(closed_since(), IsEmpty());
  find("s1", false);
  find("s1", true);
  EXPECT_THAT(closed_since(), ElementsAre(uid("b1")));
  must(backend("health_check { tcp {} } on_marked_up: ON_MARKED_UP_KEEP"));
  find("s1", false);
  find("s1", true);
  EXPECT_THAT(closed_since(), IsEmpty());
}

// In a panic all servers but backups take requests; it is its end that makes backups superfluous.
TEST_F(PoolsTest, BackupsAreClosedWhenAPanicEndsThatCameAfterTheirUse) {
  must(backend(std::string(kTakesBack) + "failover { panic_threshold: 60 }") + add("s1") + add("s2") +
       add("b1", "backup: true"));
  for (const char* name : {"s1", "s2", "b1"}) find(name, true);
  find("s1", false);
  find("s2", false);
  find("b1", false);
  find("b1", true);
  EXPECT_THAT(closed_since(), IsEmpty());
  find("s1", true);
  EXPECT_THAT(closed_since(), IsEmpty()) << "one of two is a panic";
  find("s2", true);
  EXPECT_THAT(closed_since(), ElementsAre(uid("b1")));
}

// ---- idle connections

TEST_F(PoolsTest, WorkersLookAtTheirsWhereTheyAreKeptInAnotherWay) {
  must(backend("health_check { tcp {} }") + add("s1"));
  must(backend("health_check { tcp {} } labels { key: 'a' value: 'b' }"));
  EXPECT_THAT(half_.followed_pools(), IsEmpty());
  must(backend("health_check { tcp {} } connection_pool { idle_timeout { seconds: 1 } }"));
  EXPECT_EQ(half_.followed_pools().size(), 1u);
}

TEST_F(PoolsTest, IdleConnectionsToAServerThatIsDownAreClosed) {
  must(backend("health_check { tcp {} }") + add("s1"));
  find("s1", false);
  EXPECT_THAT(half_.closed_idle(), IsEmpty()) << "it had none";
  find("s1", true);
  find("s1", false);
  EXPECT_THAT(half_.closed_idle(), ElementsAre(uid("s1")));
  EXPECT_THAT(half_.closed(), IsEmpty()) << "what is in flight may finish";
}

}  // namespace
}  // namespace fairlead::store
