#include "config/compile_routes.h"

#include "gtest/gtest.h"

namespace fairlead::config {
namespace {

BackendHandle lookup(std::string_view name) { return {static_cast<uint32_t>(name.size()), 1}; }

TEST(CompileRoutesTest, OrdersByHowMuchAMatchSays) {
  std::vector<Route> routes = {{{}, "/", "a"},
                               {{"*.example.com"}, "", "bb"},
                               {{"*.Deep.example.com"}, "/x", "ccc"},
                               {{"API.example.com"}, "/v1", "dddd"},
                               {{"api.example.com"}, "/v1/long/", "eeeee"}};
  ASSERT_FALSE(find_route_conflict(routes));
  RouteTable table = compile_routes(routes, "ffffff", lookup);
  ASSERT_EQ(table.exact.size(), 1);
  EXPECT_EQ(table.exact[0].name, "api.example.com");
  EXPECT_EQ(table.exact[0].paths[0].prefix, "/v1/long");
  EXPECT_EQ(table.exact[0].paths[1].prefix, "/v1");
  ASSERT_EQ(table.wildcard.size(), 2);
  EXPECT_EQ(table.wildcard[0].name, ".deep.example.com");
  EXPECT_EQ(table.wildcard[1].name, ".example.com");
  ASSERT_EQ(table.any_host.size(), 1);
  EXPECT_EQ(table.any_host[0].prefix, "");
  EXPECT_EQ(table.default_backend, lookup("ffffff"));
}

TEST(CompileRoutesTest, TwoRoutesForTheSameAreFound) {
  std::vector<Route> routes = {{{"a.b"}, "/x", "a"}, {{"c.d", "A.B"}, "/x/", "b"}};
  std::optional<RouteConflict> conflict = find_route_conflict(routes);
  ASSERT_TRUE(conflict);
  EXPECT_EQ(conflict->first, 0);
  EXPECT_EQ(conflict->second, 1);
  routes[1].path_prefix = "/y";
  EXPECT_FALSE(find_route_conflict(routes));
}

TEST(CompileRoutesTest, ARouteThatAnswersByItselfNamesNobody) {
  std::vector<Route> routes = {{{}, "/x", ""}, {{}, "/y", "a"}};
  auto actions = base::make_ref<RouteActions>();
  actions->respond = FixedResponse{.status = 204, .content_type = "", .body = ""};
  routes[0].actions = actions;
  RouteTable table = compile_routes(routes, "", lookup);
  ASSERT_EQ(table.any_host.size(), 2);
  EXPECT_EQ(table.any_host[0].target.backend, BackendHandle{});
  EXPECT_TRUE(table.any_host[0].target.has_actions);
  EXPECT_FALSE(table.any_host[1].target.has_actions);
}

TEST(CompileRoutesTest, WithoutADefaultThereIsNone) {
  EXPECT_EQ(compile_routes({}, "", lookup).default_backend, BackendHandle{});
}

}  // namespace
}  // namespace fairlead::config
