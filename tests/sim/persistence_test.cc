// Persistence with real sessions on two workers: where a cookie and a table lead, and what clients and servers see of
// it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "sim_world/raw_exchange.h"

namespace fairlead::sim {
namespace {

using config::AdminState;
using config::CookieMode;
using testing::HasSubstr;
using testing::Not;

class PersistenceTest : public testing::Test {
 protected:
  PersistenceTest() { w_.open(); }

  void set_cookie(CookieMode mode, bool indirect = false) {
    config::Persistence persistence;
    persistence.cookie.emplace();
    persistence.cookie->name = "SRV";
    persistence.cookie->mode = mode;
    persistence.cookie->indirect = indirect;
    persistence.cookie->prepare();
    set(persistence);
  }
  void set_dates(std::optional<int> max_idle, std::optional<int> max_life) {
    config::Persistence persistence;
    persistence.cookie.emplace();
    persistence.cookie->name = "SRV";
    if (max_idle) persistence.cookie->max_idle = std::chrono::seconds(*max_idle);
    if (max_life) persistence.cookie->max_life = std::chrono::seconds(*max_life);
    persistence.cookie->prepare();
    set(persistence);
  }
  void wait(int seconds) { w_.world.network().run_for(std::chrono::seconds(seconds)); }
  // What a client that sends this cookie has afterwards; whether it went to `owner` is told by persisted().
  std::string visit(const std::string& pair) {
    std::string set = set_by(ask(cookie(pair)));
    return set.empty() ? pair : set;
  }
  void set_table(const std::string& key, uint32_t entries = 1'000) {
    config::Persistence persistence;
    persistence.table.emplace();
    persistence.table->key = *config::parse_hash_key(key);
    persistence.table->max_entries = entries;
    persistence.table->expire = std::chrono::seconds(60);
    set(persistence);
  }
  void set(const std::optional<config::Persistence>& persistence) {
    config::Backend settings;
    settings.persistence = persistence;
    w_.set_backend(settings);
    w_.world.network().run_for(std::chrono::seconds(1));
  }
  // `fields`: whole lines. The whole response.
  std::string ask(const std::string& fields = "") {
    Plan plan{.id = ++last_id_};
    std::string request = plan.request_head("a.example");
    // Before the empty line.
    request.insert(request.size() - 2, fields + "Connection: close\r\n");
    RawExchange exchange(w_, request);
    exchange.finish();
    return exchange.received;
  }
  // The value that a response sets, as "SRV=value"; empty for none.
  static std::string set_by(const std::string& response) {
    size_t at = response.find("\r\nSet-Cookie: ");
    if (at == std::string::npos) return "";
    at += 14;
    return response.substr(at, response.find(';', at) - at);
  }
  // Who has served how much.
  std::map<std::string, uint64_t> served() {
    std::map<std::string, uint64_t> counts;
    for (const auto& server : w_.world.statistics("app").servers) counts[server.name] += server.counters.finished;
    return counts;
  }
  // Who serves a request with these lines.
  std::string server_of(const std::string& fields) {
    auto before = served();
    EXPECT_THAT(ask(fields), HasSubstr("HTTP/1.1 200 "));
    for (const auto& [name, count] : served()) {
      if (count > before[name]) return name;
    }
    return "";
  }
  static std::string cookie(const std::string& pair) { return "Cookie: " + pair + "\r\n"; }
  std::string last_seen(const std::string& name) {
    const std::string* value = w_.seen.heads.back().find(name);
    return value ? *value : "";
  }
  observe::Counters counters() { return w_.world.statistics("app").counters; }

  HttpWorld w_{1, 2, 4};
  uint64_t last_id_ = 0;
};

TEST_F(PersistenceTest, ACookieBringsAClientBack) {
  set_cookie(CookieMode::kInsert);
  std::map<std::string, std::string> cookies;
  while (cookies.size() < 4) {
    auto before = served();
    std::string response = ask();
    std::string value = set_by(response);
    EXPECT_THAT(value, testing::MatchesRegex("SRV=[0-9a-f]{16}"));
    EXPECT_THAT(response, HasSubstr(value + "; Path=/\r\n"));
    for (const auto& [name, count] : served()) {
      if (count > before[name]) cookies[name] = value;
    }
  }
  EXPECT_EQ(counters().persisted, 0u);
  for (int round = 0; round < 3; ++round) {
    for (const auto& [name, pair] : cookies) {
      EXPECT_EQ(server_of(cookie("a=1; " + pair)), name);
      EXPECT_EQ(last_seen("cookie"), "a=1; " + pair) << "servers see it";
    }
  }
  EXPECT_EQ(counters().persisted, 12u);
  EXPECT_EQ(counters().persistence_lost, 0u);
  EXPECT_EQ(set_by(ask(cookie(cookies["s1"]))), "") << "the client has it";
}

TEST_F(PersistenceTest, AClientThatIsSilentForTooLongIsBalancedAnew) {
  set_dates(60, std::nullopt);
  std::string pair = set_by(ask());
  EXPECT_THAT(pair, testing::MatchesRegex("SRV=[0-9a-f]{16}-[0-9a-f]{8}-[0-9a-f]{8}"));
  std::string owner = server_of(cookie(pair));
  uint64_t persisted = counters().persisted;
  // Each use is a new beginning.
  for (int i = 0; i < 5; ++i) {
    wait(50);
    std::string next = visit(pair);
    EXPECT_NE(next, pair) << "another date";
    EXPECT_EQ(next.substr(30), pair.substr(30)) << "and the same first one";
    pair = next;
  }
  EXPECT_EQ(counters().persisted, persisted + 5);
  EXPECT_EQ(server_of(cookie(pair)), owner);
  EXPECT_EQ(counters().persistence_expired, 0u);
  wait(62);
  std::string fresh = visit(pair);
  EXPECT_EQ(counters().persistence_expired, 1u);
  EXPECT_EQ(counters().persistence_lost, 0u);
  EXPECT_NE(fresh.substr(30), pair.substr(30)) << "it begins anew";
  owner = server_of(cookie(fresh));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(server_of(cookie(fresh)), owner);
}

TEST_F(PersistenceTest, AClientThatHasItsServerForTooLongIsBalancedAnew) {
  set_dates(std::nullopt, 100);
  std::string pair = set_by(ask());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(visit(pair), pair) << "only the first date counts";
    wait(30);
  }
  EXPECT_EQ(counters().persisted, 3u);
  wait(20);
  EXPECT_NE(visit(pair), pair);
  EXPECT_EQ(counters().persisted, 3u);
  EXPECT_EQ(counters().persistence_expired, 1u);
}

TEST_F(PersistenceTest, DatesAreSetAndUnsetInPlaceAndNoClientIsLost) {
  set_cookie(CookieMode::kInsert);
  std::string plain = set_by(ask());
  std::string owner = server_of(cookie(plain));
  set_dates(60, 100);
  uint64_t persisted = counters().persisted;
  std::string pair = visit(plain);
  EXPECT_THAT(pair, testing::MatchesRegex("SRV=[0-9a-f]{16}-[0-9a-f]{8}-[0-9a-f]{8}")) << "it gets dates";
  EXPECT_EQ(server_of(cookie(pair)), owner);
  set_dates(std::nullopt, std::nullopt);
  wait(1000);
  EXPECT_EQ(visit(pair), pair);
  EXPECT_EQ(counters().persisted, persisted + 3);
  EXPECT_EQ(counters().persistence_expired, 0u);
  EXPECT_EQ(counters().persistence_lost, 0u);
}

TEST_F(PersistenceTest, DatesThatAClientChangesLeadNowhere) {
  set_dates(10, 10);
  std::string pair = set_by(ask());
  wait(20);
  std::string forged = pair;
  forged[pair.size() - 1] = pair.back() == 'f' ? 'e' : 'f';
  forged[pair.size() - 10] = pair[pair.size() - 10] == 'f' ? 'e' : 'f';
  visit(forged);
  // As if it were that server's still, but for the date.
  visit(pair.substr(0, 20));
  EXPECT_EQ(counters().persisted, 0u);
}

TEST_F(PersistenceTest, ACookieHoldsUntilItsServerTakesNothing) {
  set_cookie(CookieMode::kInsert);
  std::string pair = set_by(ask());
  std::string owner = server_of(cookie(pair));
  auto& configuration = w_.world.configuration();
  auto holds = [&](const std::string& why) {
    w_.world.publish();
    w_.world.network().run_for(std::chrono::seconds(1));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(server_of(cookie(pair)), owner) << why;
  };
  configuration.set_weight("app", owner, 0);
  holds("weight 0");
  configuration.set_admin_state("app", owner, AdminState::kDrain);
  holds("drain");
  for (int i = 0; i < 8; ++i) EXPECT_NE(server_of(""), owner) << "it takes no others";
  w_.add_origin();
  holds("one more");

  configuration.set_admin_state("app", owner, AdminState::kMaintenance);
  w_.world.publish();
  w_.world.network().run_for(std::chrono::seconds(1));
  std::string response = ask(cookie(pair));
  EXPECT_THAT(response, HasSubstr("HTTP/1.1 200 "));
  std::string next = set_by(response);
  EXPECT_NE(next, "");
  EXPECT_NE(next, pair);
  EXPECT_EQ(counters().persistence_lost, 1u);
  configuration.set_admin_state("app", owner, AdminState::kReady);
  holds("back again");
  configuration.set_fit("app", owner, false);
  w_.world.publish();
  w_.world.network().run_for(std::chrono::seconds(1));
  EXPECT_NE(server_of(cookie(pair)), owner) << "down";
  configuration.set_fit("app", owner, true);
  holds("up again");
  w_.world.delete_server("app", owner, std::chrono::seconds(1), [](uint64_t) {});
  w_.world.publish();
  w_.world.network().run_for(std::chrono::seconds(2));
  EXPECT_NE(set_by(ask(cookie(pair))), "") << "deleted";
}

TEST_F(PersistenceTest, TheFirstCookieThatLeadsSomewhereCounts) {
  set_cookie(CookieMode::kInsert);
  std::string pair = set_by(ask());
  std::string owner = server_of(cookie(pair));
  std::string gone = "SRV=0123456789abcdef";
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(server_of(cookie("SRV=; SRV; =; " + gone + "; " + pair)), owner);
    EXPECT_EQ(server_of(cookie(gone) + cookie("x=\"" + pair + "; y") + cookie(pair)), owner);
  }
  // As much as a head may have, of anything.
  std::string many;
  while (many.size() < 12'000) many += gone + ";\"";
  EXPECT_THAT(ask(cookie(many)), HasSubstr("HTTP/1.1 200 "));
  EXPECT_THAT(ask(cookie("SRV=" + std::string(12'000, 'f'))), HasSubstr("HTTP/1.1 200 "));
  std::string upper = pair;
  for (char& c : upper) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
  if (upper != pair) EXPECT_EQ(set_by(ask(cookie(upper))).substr(0, 4), "SRV=") << "not as we write it";
}

TEST_F(PersistenceTest, AnIndirectCookieIsNotForServers) {
  set_cookie(CookieMode::kInsert, /*indirect=*/true);
  std::string pair = set_by(ask());
  std::string owner = server_of(cookie(pair));
  EXPECT_EQ(last_seen("cookie"), "") << "nothing is left";
  EXPECT_EQ(server_of(cookie("a=1; " + pair + "; b=2") + cookie(pair)), owner);
  EXPECT_EQ(last_seen("cookie"), "a=1; b=2");
}

TEST_F(PersistenceTest, AServersCookieIsRewritten) {
  set_cookie(CookieMode::kRewrite);
  EXPECT_EQ(set_by(ask()), "") << "there is none";
  const std::string kSets = "X-Set-Cookie: SRV=own; Secure\r\n";
  std::string response = ask(kSets);
  std::string pair = set_by(response);
  EXPECT_THAT(response, HasSubstr("Set-Cookie: " + pair + "; Secure\r\n"));
  std::string owner = server_of(cookie(pair));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(server_of(cookie(pair)), owner);
  EXPECT_EQ(last_seen("cookie"), pair);
  set_cookie(CookieMode::kInsert);
  response = ask(kSets);
  EXPECT_THAT(response, Not(HasSubstr("own"))) << "the name is the data plane's";
  EXPECT_EQ(set_by(ask(kSets + cookie(set_by(response)))), "");
}

TEST_F(PersistenceTest, AServersCookieHasAPrefix) {
  set_cookie(CookieMode::kPrefix);
  std::string response = ask("X-Set-Cookie: SRV=own~1; Secure\r\n");
  std::string pair = set_by(response);
  EXPECT_THAT(response, testing::ContainsRegex("Set-Cookie: SRV=[0-9a-f]{16}~own~1; Secure\r\n"));
  std::string owner = server_of(cookie(pair));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(server_of(cookie("a=1; " + pair)), owner);
  EXPECT_EQ(last_seen("cookie"), "a=1; SRV=own~1");
  server_of(cookie("SRV=own~1"));
  EXPECT_EQ(last_seen("cookie"), "SRV=own~1") << "as it came";
}

TEST_F(PersistenceTest, AFurtherTryGivesAnotherCookie) {
  set_cookie(CookieMode::kInsert);
  std::string pair = set_by(ask());
  std::string owner = server_of(cookie(pair));
  w_.origins[owner]->stop();
  w_.world.network().run_for(std::chrono::seconds(1));
  std::string response = ask(cookie(pair));
  EXPECT_THAT(response, HasSubstr("HTTP/1.1 200 "));
  EXPECT_NE(set_by(response), "");
  EXPECT_NE(set_by(response), pair);
}

TEST_F(PersistenceTest, AFullServerIsPassedOver) {
  set_cookie(CookieMode::kInsert);
  std::string pair = set_by(ask());
  std::string owner = server_of(cookie(pair));
  w_.world.configuration().set_max_connections("app", owner, 1);
  w_.world.publish();
  w_.world.network().run_for(std::chrono::seconds(1));
  Plan slow{.id = ++last_id_, .delay_ms = 60'000};
  std::string request = slow.request_head("a.example");
  request.insert(request.size() - 2, cookie(pair) + "Connection: close\r\n");
  RawExchange held(w_, request);
  w_.world.network().run_for(std::chrono::seconds(1));
  EXPECT_NE(set_by(ask(cookie(pair))), "") << "another one's";
  held.finish();
  EXPECT_EQ(server_of(cookie(pair)), owner);
}

TEST_F(PersistenceTest, ATableRemembers) {
  set_table("{header:X-User}");
  std::map<std::string, std::string> owners;
  std::map<std::string, int> counts;
  for (int user = 0; user < 40; ++user) {
    std::string line = "X-User: " + std::to_string(user) + "\r\n";
    owners[line] = server_of(line);
    ++counts[owners[line]];
  }
  EXPECT_EQ(counts.size(), 4u) << "in turn";
  for (int round = 0; round < 2; ++round) {
    for (const auto& [line, owner] : owners) EXPECT_EQ(server_of(line), owner);
  }
  EXPECT_EQ(counters().persisted, 80u);
  std::map<std::string, int> without;
  for (int i = 0; i < 16; ++i) ++without[server_of("")];
  EXPECT_EQ(without.size(), 4u) << "no key, nothing to remember";

  w_.world.configuration().set_admin_state("app", "s0", AdminState::kDrain);
  w_.world.configuration().set_admin_state("app", "s1", AdminState::kMaintenance);
  w_.world.publish();
  w_.world.network().run_for(std::chrono::seconds(1));
  for (auto& [line, owner] : owners) {
    std::string now = server_of(line);
    if (owner == "s1") {
      EXPECT_NE(now, "s1");
      EXPECT_NE(now, "s0");
      owner = now;
    } else {
      EXPECT_EQ(now, owner);
    }
  }
  w_.world.configuration().set_admin_state("app", "s1", AdminState::kReady);
  w_.world.publish();
  w_.world.network().run_for(std::chrono::seconds(1));
  for (const auto& [line, owner] : owners) EXPECT_EQ(server_of(line), owner) << "who had to move stays";
}

TEST_F(PersistenceTest, ATableForgets) {
  set_table("{header:X-User}");
  ask("X-User: 1\r\n");
  EXPECT_EQ(counters().persisted, 0u);
  w_.world.network().run_for(std::chrono::seconds(59));
  ask("X-User: 1\r\n");
  EXPECT_EQ(counters().persisted, 1u);
  w_.world.network().run_for(std::chrono::seconds(61));
  ask("X-User: 1\r\n");
  EXPECT_EQ(counters().persisted, 1u) << "expired";
  ask("X-User: 1\r\n");
  EXPECT_EQ(counters().persisted, 2u);
  set(std::nullopt);
  for (int i = 0; i < 8; ++i) ask("X-User: 1\r\n");
  set_table("{header:X-User}");
  ask("X-User: 1\r\n");
  EXPECT_EQ(counters().persisted, 2u) << "the table went with the field";
}

TEST_F(PersistenceTest, IsSetAndTakenAwayWhileRequestsFlow) {
  for (int client = 0; client < 40; ++client) {
    std::vector<Plan> plans;
    for (int i = 0; i < 20; ++i) plans.push_back({.id = ++last_id_, .response_size = 2'000, .delay_ms = 1'500});
    w_.clients->start(std::move(plans));
  }
  for (int i = 0; i < 60; ++i) {
    switch (i % 4) {
      case 0:
        set_cookie(CookieMode::kInsert, i % 8 == 0);
        break;
      case 1:
        set_table("{source}");
        break;
      case 2:
        set_cookie(CookieMode::kPrefix);
        break;
      default:
        set(std::nullopt);
    }
  }
  w_.run_clients();
  w_.expect_all_exact();
}

}  // namespace
}  // namespace fairlead::sim
