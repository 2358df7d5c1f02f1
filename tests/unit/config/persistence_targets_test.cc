#include "config/persistence_targets.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

#include "config/persistence.h"

namespace fairlead::config {
namespace {

base::Ref<const Server> make_server(Slot slot, Uid uid) {
  auto server = base::make_ref<Server>();
  server->slot = slot;
  server->metadata.uid = uid;
  return server;
}

std::string text_of(CookieValue value) {
  auto text = to_text(value);
  return {text.begin(), text.end()};
}

TEST(CookieValues, AreReadAsTheyAreWritten) {
  EXPECT_EQ(text_of(0x0123456789abcdef), "0123456789abcdef");
  EXPECT_EQ(text_of(0xf), "000000000000000f");
  EXPECT_EQ(parse_cookie_value("fedcba9876543210"), CookieValue{0xfedcba9876543210});
  for (const char* other : {"", "0", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcde ",
                            "\"123456789abcde\"", "0123456789abcdeg", "-123456789abcdef"}) {
    EXPECT_EQ(parse_cookie_value(other), std::nullopt) << other;
  }
}

// They stand in browsers while data planes are replaced by newer ones: these may not change.
TEST(CookieValues, AreOfBackendServerAndSecret) {
  CookiePersistence plain, secret;
  secret.secret = "s3cret";
  plain.prepare();
  secret.prepare();
  EXPECT_EQ(text_of(cookie_value(plain.key, "app", "s1")), "02e8af4ee8727864");
  EXPECT_EQ(text_of(cookie_value(secret.key, "app", "s1")), "8b6f98763dce8b0c");
  std::set<CookieValue> all;
  for (const auto& key : {plain.key, secret.key}) {
    for (const char* backend : {"a", "ab"}) {
      for (const char* server : {"b", "bb", ""}) all.insert(cookie_value(key, backend, server));
    }
  }
  EXPECT_EQ(all.size(), 12u);
}

TEST(CookieLines, SayWhatIsSet) {
  CookiePersistence cookie;
  cookie.name = "SRV";
  cookie.prepare();
  EXPECT_EQ(cookie.before_value, "Set-Cookie: SRV=");
  EXPECT_EQ(cookie.behind_value, "; Path=/\r\n");
  cookie.path = "/a";
  cookie.domain = "b.example";
  cookie.max_age = std::chrono::seconds(60);
  cookie.secure = cookie.http_only = cookie.nocache = true;
  cookie.same_site = SameSite::kLax;
  cookie.prepare();
  EXPECT_EQ(cookie.behind_value,
            "; Path=/a; Domain=b.example; Max-Age=60; Secure; HttpOnly; SameSite=Lax\r\nCache-Control: private\r\n");
}

TEST(PersistenceTargets, AreThoseThatOneMayComeBackTo) {
  PersistenceTargets targets;
  EXPECT_TRUE(targets.empty());
  targets.put_value(1, 5);
  EXPECT_TRUE(targets.knows(1));
  EXPECT_EQ(targets.with_value(1), nullptr) << "a member, and no more";
  auto server = make_server(5, 50);
  targets.put(server);
  EXPECT_EQ(targets.with_value(1), server.get());
  EXPECT_EQ(targets.at(5, 50), server.get());
  EXPECT_EQ(targets.at(5, 51), nullptr) << "a former one of the slot";
  PersistenceTargets before = targets;
  targets.drop(5);
  EXPECT_EQ(targets.with_value(1), nullptr);
  EXPECT_EQ(before.with_value(1), server.get()) << "a copy stays as it is";
  targets.drop_value(1, 5);
  EXPECT_FALSE(targets.knows(1));
  EXPECT_TRUE(targets.empty());
}

TEST(PersistenceTargets, OfOneValueMayBeSeveral) {
  PersistenceTargets targets;
  for (Slot slot : {0, 1, 2}) {
    targets.put_value(7, slot);
    targets.put(make_server(slot, slot + 1));
  }
  // In the same place, and of another value.
  targets.put_value(8, 3);
  targets.drop(2);
  ASSERT_NE(targets.with_value(7), nullptr);
  targets.drop_value(7, 1);
  targets.drop_value(7, 9);
  EXPECT_EQ(targets.with_value(7)->slot, 0u);
  EXPECT_TRUE(targets.knows(8));
  EXPECT_EQ(targets.with_value(8), nullptr);
}

TEST(PersistenceTargets, FollowAnyChanges) {
  unsigned seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  PersistenceTargets targets;
  std::map<CookieValue, Slot> plain;
  for (int step = 0; step < 20'000; ++step) {
    auto slot = static_cast<Slot>(random() % 300);
    // Places shared by several values.
    CookieValue value = static_cast<CookieValue>(slot % 64) << 50 | slot;
    if (plain.erase(value) > 0) {
      targets.drop_value(value, slot);
      targets.drop(slot);
    } else {
      plain[value] = slot;
      targets.put_value(value, slot);
      targets.put(make_server(slot, slot + 1));
    }
    CookieValue other = static_cast<CookieValue>(random() % 64) << 50 | random() % 300;
    const Server* found = targets.with_value(other);
    ASSERT_EQ(found != nullptr, plain.contains(other));
    if (found) ASSERT_EQ(found->slot, plain[other]);
  }
}

}  // namespace
}  // namespace fairlead::config
