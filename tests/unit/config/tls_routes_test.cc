#include "config/tls_routes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fairlead::config {
namespace {

// Backends are called by their slots.
TlsRouteTable compile(const std::vector<TlsRoute>& routes) {
  return compile_tls_routes(
      routes, [](std::string_view name) { return BackendHandle{static_cast<uint32_t>(name.front() - '0'), 1}; });
}

// 99: none.
uint32_t route(const TlsRouteTable& table, std::string_view host, std::vector<std::string> offered = {}) {
  const TlsRouteTable::Entry* found =
      find_tls_route(table, host, [&](std::string_view one) { return std::ranges::count(offered, one) > 0; });
  return found ? found->backend.slot : 99;
}

TEST(TlsRoutesTest, TheMostSpecificMatches) {
  std::vector<TlsRoute> routes = {{{}, {}, "0"},
                                  {{"*.example.com"}, {}, "1"},
                                  {{"*.b.Example.com"}, {}, "2"},
                                  {{"a.example.com"}, {}, "3"},
                                  {{"a.example.com"}, {"h2", "h3"}, "4"},
                                  {{}, {"acme-tls/1"}, "5"}};
  for (int turn = 0; turn < 6; ++turn) {
    std::ranges::rotate(routes, routes.begin() + 1);
    TlsRouteTable table = compile(routes);
    EXPECT_EQ(route(table, "a.example.com"), 3u);
    EXPECT_EQ(route(table, "a.example.com", {"http/1.1"}), 3u);
    EXPECT_EQ(route(table, "a.example.com", {"http/1.1", "h2"}), 4u);
    EXPECT_EQ(route(table, "x.example.com", {"h2"}), 1u);
    EXPECT_EQ(route(table, "x.y.example.com"), 1u);
    EXPECT_EQ(route(table, "x.b.example.com"), 2u);
    EXPECT_EQ(route(table, "b.example.com"), 1u);
    EXPECT_EQ(route(table, "example.com"), 0u);
    EXPECT_EQ(route(table, ".example.com"), 0u);
    EXPECT_EQ(route(table, "", {"acme-tls/1"}), 5u);
    EXPECT_EQ(route(table, ""), 0u);
  }
}

TEST(TlsRoutesTest, WhoMatchesNothingIsNotSent) {
  TlsRouteTable table = compile({{{"a.example"}, {"h2"}, "1"}});
  EXPECT_EQ(route(table, "a.example"), 99u);
  EXPECT_EQ(route(table, "b.example", {"h2"}), 99u);
  EXPECT_EQ(route(compile({}), "a.example"), 99u);
}

TEST(TlsRoutesTest, ConflictsAreFound) {
  auto conflict =
      find_tls_route_conflict({{{"a.example"}, {"h2"}, "1"}, {{"b.example", "A.example"}, {"x", "h2"}, "2"}});
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->first, 0u);
  EXPECT_EQ(conflict->second, 1u);
  EXPECT_TRUE(find_tls_route_conflict({{{}, {}, "1"}, {{}, {}, "2"}}));
  EXPECT_FALSE(
      find_tls_route_conflict({{{"a.example"}, {}, "1"}, {{"a.example"}, {"h2"}, "2"}, {{"*.example"}, {}, "3"}}));
}

}  // namespace
}  // namespace fairlead::config
