#include "routing/router.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/random.h"
#include "config/compile_routes.h"

namespace fairlead::routing {
namespace {

using config::Route;

// A backend "b7" has uid 7.
config::BackendHandle handle_of(std::string_view backend) {
  uint64_t number = std::stoull(std::string(backend.substr(1)));
  return {static_cast<uint32_t>(number), number};
}

struct Router {
  explicit Router(const std::vector<Route>& routes, const std::string& default_backend = "")
      : table(config::compile_routes(routes, default_backend, handle_of)) {}
  uint64_t operator()(std::string_view host, std::string_view path) const {
    return route(table, host, path).backend.uid;
  }
  config::RouteTable table;
};

TEST(Router, WithoutRoutesGivesTheDefault) {
  EXPECT_EQ(Router({}, "b9")("a", "/"), 9u);
  EXPECT_EQ(Router({})("a", "/"), 0u);
}

TEST(Router, TellsHowTheRoutesRequestsWait) {
  Router router({{{}, "/a", "b1", uint8_t{0}}, {{}, "/b", "b1"}}, "b9");
  EXPECT_EQ(route(router.table, "x", "/a/b").priority, 0);
  EXPECT_EQ(route(router.table, "x", "/b").priority, config::kPriorityDefault);
  EXPECT_EQ(route(router.table, "x", "/c").priority, config::kPriorityDefault);
}

TEST(Router, TakesTheMostSpecificHost) {
  Router router({{{"a.example.com"}, "", "b1"},
                 {{"*.example.com"}, "", "b2"},
                 {{"*.x.example.com"}, "", "b3"},
                 {{}, "", "b4"},
                 {{"[::1]", "10.0.0.1"}, "", "b5"}},
                "b9");
  struct Case {
    std::string_view host;
    uint64_t backend;
  };
  for (auto [host, backend] : {Case{"a.example.com", 1},
                               {"A.EXAMPLE.com", 1},
                               {"a.example.com:8080", 1},
                               {"a.example.com.", 1},
                               {"a.example.com.:80", 1},
                               {"a.example.com..", 4},
                               {"b.example.com", 2},
                               {"c.b.example.com", 2},
                               {"c.x.example.com", 3},
                               {"d.c.X.example.com:1", 3},
                               {"x.example.com", 2},
                               {"example.com", 4},
                               {".example.com", 4},
                               {"aexample.com", 4},
                               {"", 4},
                               {":80", 4},
                               {"[::1]", 5},
                               {"[::1]:80", 5},
                               {"[::1", 4},
                               {"[::2]", 4},
                               {"10.0.0.1:80", 5}}) {
    EXPECT_EQ(router(host, "/"), backend) << host;
  }
  std::string long_host = std::string(300, 'a') + ".example.com";
  EXPECT_EQ(router(long_host, "/"), 4u) << "longer than any name";
}

TEST(Router, TakesTheLongestPathOfWholeSegments) {
  Router router({{{}, "/v1", "b1"}, {{}, "/v1/users/", "b2"}, {{}, "/v1/users/me", "b3"}, {{}, "/v10", "b4"}}, "b9");
  struct Case {
    std::string_view path;
    uint64_t backend;
  };
  for (auto [path, backend] : {Case{"/v1", 1},
                               {"/v1/", 1},
                               {"/v1?q=/users", 1},
                               {"/v1/x", 1},
                               {"/v1/usersx", 1},
                               {"/v1/users", 2},
                               {"/v1/users/", 2},
                               {"/v1/users//", 2},
                               {"/v1//users", 1},
                               {"/v1/users/mean", 2},
                               {"/v1/users/me", 3},
                               {"/v1/users/me/", 3},
                               {"/v1/users/me?", 3},
                               {"/v1/users/me/and/more/than/the/longest", 3},
                               {"/v10", 4},
                               {"/v100", 9},
                               {"/V1", 9},
                               {"/", 9},
                               {"", 9},
                               {"*", 9}}) {
    EXPECT_EQ(router("h", path), backend) << path;
  }
}

TEST(Router, AsksTheNextHostWhereNoPathMatches) {
  Router router({{{"a.b.c"}, "/exact", "b1"}, {{"*.b.c"}, "/near", "b2"}, {{"*.c"}, "/far", "b3"}, {{}, "/any", "b4"}},
                "b9");
  EXPECT_EQ(router("a.b.c", "/exact/1"), 1u);
  EXPECT_EQ(router("a.b.c", "/near/1"), 2u);
  EXPECT_EQ(router("a.b.c", "/far/1"), 3u);
  EXPECT_EQ(router("a.b.c", "/any/1"), 4u);
  EXPECT_EQ(router("a.b.c", "/none"), 9u);
}

TEST(Router, AnEmptyPrefixMatchesWhateverThePathIs) {
  Router router({{{"h"}, "", "b1"}, {{}, "/", "b2"}});
  for (std::string_view path : {"", "*", "/", "/x", "x", "?q"}) {
    EXPECT_EQ(router("h", path), 1u) << path;
    EXPECT_EQ(router("i", path), 2u) << path;
  }
}

// The same rules, said in another way: all routes that match, the most specific of them.
class Reference {
 public:
  Reference(const std::vector<Route>& routes, uint64_t default_backend)
      : routes_(routes), default_backend_(default_backend) {}

  uint64_t operator()(const std::string& host, const std::string& path) const {
    uint64_t best = default_backend_;
    std::pair<int, int> best_rank = {-1, -1};
    for (const Route& route : routes_) {
      int path_rank = rank_of_path(route.path_prefix, path);
      int host_rank = route.hosts.empty() ? 0 : -1;
      for (const std::string& pattern : route.hosts) host_rank = std::max(host_rank, rank_of_host(pattern, host));
      if (path_rank < 0 || host_rank < 0 || std::pair(host_rank, path_rank) <= best_rank) continue;
      best_rank = {host_rank, path_rank};
      best = handle_of(route.backend).uid;
    }
    return best;
  }

 private:
  // Requires a host in lower case, without a port. -1: does not match.
  static int rank_of_host(const std::string& pattern, const std::string& host) {
    if (pattern == host) return 1'000;
    if (!pattern.starts_with("*.")) return -1;
    std::string suffix = pattern.substr(1);
    return host.ends_with(suffix) && host.size() > suffix.size() ? static_cast<int>(suffix.size()) : -1;
  }
  static int rank_of_path(std::string prefix, const std::string& path) {
    if (prefix.ends_with('/')) prefix.pop_back();
    bool matches = path == prefix || path.starts_with(prefix + "/") || prefix.empty();
    return matches ? static_cast<int>(prefix.size()) : -1;
  }

  std::vector<Route> routes_;
  uint64_t default_backend_;
};

std::string draw_host(base::Random& random) {
  constexpr std::array<std::string_view, 4> kLabels = {"a", "b", "ab", "com"};
  std::string host(kLabels[random.below(4)]);
  for (uint64_t i = random.below(4); i > 0; --i) host.append(".").append(kLabels[random.below(4)]);
  return host;
}

std::string draw_path(base::Random& random) {
  constexpr std::array<std::string_view, 4> kSegments = {"a", "b", "ab", ""};
  std::string path;
  for (uint64_t i = random.below(5); i > 0; --i) path.append("/").append(kSegments[random.below(4)]);
  return path;
}

std::vector<Route> draw_routes(base::Random& random) {
  std::vector<Route> routes;
  for (uint64_t i = random.below(2) == 0 ? random.below(5) : random.below(200); i > 0; --i) {
    Route route;
    for (uint64_t hosts = random.below(3); hosts > 0; --hosts) {
      route.hosts.push_back((random.below(2) == 0 ? "*." : "") + draw_host(random));
    }
    route.path_prefix = draw_path(random);
    // As validation refuses it: several slashes at the end, and what another route matches as well.
    if (route.path_prefix.ends_with("//")) continue;
    route.backend = "b" + std::to_string(i);
    routes.push_back(route);
    if (config::find_route_conflict(routes)) routes.pop_back();
  }
  return routes;
}

TEST(Router, AgreesWithTheNaiveMatcher) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Random random(seed);
    std::vector<Route> routes = draw_routes(random);
    Router router(routes, "b999");
    Reference reference(routes, 999);
    for (int i = 0; i < 300; ++i) {
      std::string host = draw_host(random);
      std::string path = draw_path(random);
      std::string spelled = host;
      if (random.below(4) == 0) std::ranges::transform(spelled, spelled.begin(), ::toupper);
      if (random.below(4) == 0) spelled += '.';
      if (random.below(4) == 0) spelled += ":8080";
      std::string target = path + (random.below(4) == 0 ? "?a=/b/c" : "");
      ASSERT_EQ(router(spelled, target), reference(host, path)) << spelled << " " << target;
    }
  }
}

TEST(Router, AHostilePathIsNoWork) {
  std::vector<Route> routes;
  for (int i = 0; i < 1'000; ++i) routes.push_back({{}, "/p" + std::to_string(i), "b1"});
  Router router(routes, "b9");
  std::string slashes(16'384, '/');
  for (int i = 0; i < 10'000; ++i) ASSERT_EQ(router("h", slashes), 9u);
}

}  // namespace
}  // namespace fairlead::routing
