#include "ctl/resource_options.h"

#include "ctl/values.h"
#include "fairlead/v1/resources.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fairlead::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

template <typename Resource>
struct Filled {
  Resource resource;
  std::vector<std::string> mask;
  Failure failure;
};

template <typename Resource>
Filled<Resource> fill(const std::vector<ResourceOption>& options, std::vector<std::string> words) {
  Filled<Resource> filled;
  const auto arguments = ArgumentParser(plain_options(options, *Resource::descriptor())).parse(words, false);
  EXPECT_TRUE(arguments.has_value()) << arguments.error().text;
  auto mask = fill_resource(options, *arguments, filled.resource);
  if (mask) {
    filled.mask.assign(mask->paths().begin(), mask->paths().end());
  } else {
    filled.failure = mask.error();
  }
  return filled;
}

TEST(ResourceOptions, FillAServerAndNameWhatWasGiven) {
  const auto filled = fill<v1::Server>(
      server_options(), {"--weight", "0", "--admin-state", "Maintenance", "--label", "z=1", "--label", "q=a\"b=c"});
  EXPECT_THAT(filled.mask, ElementsAre("weight", "admin_state", "labels"));
  EXPECT_TRUE(filled.resource.has_weight());
  EXPECT_EQ(filled.resource.weight(), 0u);
  EXPECT_EQ(filled.resource.admin_state(), v1::ADMIN_STATE_MAINTENANCE);
  EXPECT_EQ(filled.resource.labels().at("q"), "a\"b=c");
  EXPECT_EQ(filled.resource.labels().at("z"), "1");
}

TEST(ResourceOptions, FillNestedFieldsOfABackend) {
  const auto filled = fill<v1::Backend>(backend_options(),
                                        {"--balance", "round_robin", "--connect-timeout", "500ms", "--idle-timeout=1m",
                                         "--default-weight", "7", "--check", "http:/healthz", "--retries", "0"});
  EXPECT_THAT(filled.mask, ElementsAre("balance.algorithm", "server_defaults.weight", "timeouts.connect",
                                       "timeouts.idle", "retry.attempts", "health_check.http.path"));
  EXPECT_EQ(filled.resource.balance().algorithm(), v1::ALGORITHM_ROUND_ROBIN);
  EXPECT_EQ(filled.resource.timeouts().connect().nanos(), 500'000'000);
  EXPECT_EQ(filled.resource.timeouts().idle().seconds(), 60);
  EXPECT_EQ(filled.resource.health_check().http().path(), "/healthz");
  EXPECT_TRUE(filled.resource.retry().has_attempts());
}

TEST(ResourceOptions, FillListsAndTruths) {
  const auto filled =
      fill<v1::Backend>(backend_options(), {"--retry-on", "empty-response", "--retry-on=timeout", "--retry-status",
                                            "503", "--retry-status", "429", "--retry-non-idempotent", "true"});
  EXPECT_THAT(filled.resource.retry().conditions(),
              ElementsAre(v1::RETRY_CONDITION_EMPTY_RESPONSE, v1::RETRY_CONDITION_TIMEOUT));
  EXPECT_THAT(filled.resource.retry().statuses(), ElementsAre(503, 429));
  EXPECT_TRUE(filled.resource.retry().non_idempotent());
}

TEST(ResourceOptions, FillPersistence) {
  const auto filled =
      fill<v1::Backend>(backend_options(), {"--cookie", "SRV", "--cookie-mode", "prefix", "--cookie-max-age=2m",
                                            "--cookie-secure", "true", "--stick", "{source}", "--stick-entries", "9"});
  const v1::Persistence& persistence = filled.resource.persistence();
  EXPECT_EQ(persistence.cookie().name(), "SRV");
  EXPECT_EQ(persistence.cookie().mode(), v1::COOKIE_MODE_PREFIX);
  EXPECT_EQ(persistence.cookie().max_age().seconds(), 120);
  EXPECT_TRUE(persistence.cookie().secure());
  EXPECT_EQ(persistence.table().key(), "{source}");
  EXPECT_EQ(persistence.table().max_entries(), 9u);
}

TEST(ResourceOptions, FillWhatAlgorithmsTake) {
  const auto filled = fill<v1::Backend>(backend_options(), {"--balance",
                                                            "prequal",
                                                            "--draws",
                                                            "3",
                                                            "--ewma-decay",
                                                            "2s",
                                                            "--prequal-pool-size",
                                                            "8",
                                                            "--prequal-probes",
                                                            "2",
                                                            "--prequal-hot-percent",
                                                            "90",
                                                            "--prequal-probe-age",
                                                            "500ms",
                                                            "--hash-key",
                                                            "{header:X-User}",
                                                            "--hash-type",
                                                            "maglev",
                                                            "--hash-table-size",
                                                            "1009",
                                                            "--hash-balance-factor",
                                                            "125"});
  EXPECT_THAT(filled.mask, ElementsAre("balance.algorithm", "balance.draws", "balance.peak_ewma.decay",
                                       "balance.prequal.pool_size", "balance.prequal.probes",
                                       "balance.prequal.hot_percent", "balance.prequal.probe_age", "balance.hash.key",
                                       "balance.hash.type", "balance.hash.table_size", "balance.hash.balance_factor"));
  const v1::Balance& balance = filled.resource.balance();
  EXPECT_EQ(balance.algorithm(), v1::ALGORITHM_PREQUAL);
  EXPECT_EQ(balance.draws(), 3u);
  EXPECT_EQ(balance.peak_ewma().decay().seconds(), 2);
  EXPECT_EQ(balance.prequal().pool_size(), 8u);
  EXPECT_EQ(balance.prequal().probes(), 2u);
  EXPECT_EQ(balance.prequal().hot_percent(), 90u);
  EXPECT_EQ(balance.prequal().probe_age().nanos(), 500'000'000);
  EXPECT_EQ(balance.hash().key(), "{header:X-User}");
  EXPECT_EQ(balance.hash().type(), v1::HASH_TYPE_MAGLEV);
  EXPECT_EQ(balance.hash().table_size(), 1009u);
  EXPECT_EQ(balance.hash().balance_factor(), 125u);
}

TEST(ResourceOptions, FillAChecksKindApartFromTheRest) {
  const auto tcp = fill<v1::Backend>(backend_options(), {"--check", "tcp", "--check-interval", "1s", "--check-rise=3"});
  EXPECT_THAT(tcp.mask, ElementsAre("health_check.tcp", "health_check.interval", "health_check.rise"));
  EXPECT_TRUE(tcp.resource.health_check().has_tcp());
  const auto grpc = fill<v1::Backend>(backend_options(), {"--check", "grpc:shop", "--check-proxy-header", "v2"});
  EXPECT_THAT(grpc.mask, ElementsAre("health_check.grpc.service", "health_check.proxy_header"));
  EXPECT_EQ(grpc.resource.health_check().grpc().service(), "shop");
  EXPECT_EQ(grpc.resource.health_check().proxy_header(), v1::PROXY_HEADER_V2);
  EXPECT_TRUE(fill<v1::Backend>(backend_options(), {"--check", "grpc"}).resource.health_check().has_grpc());
  const auto closing = fill<v1::Backend>(backend_options(), {"--on-marked-down", "close"});
  EXPECT_EQ(closing.resource.on_marked_down(), v1::ON_MARKED_DOWN_CLOSE);
  const auto pools = fill<v1::Backend>(backend_options(), {"--on-marked-up", "close-backups", "--pool-purge-delay",
                                                           "5s", "--pool-min-idle", "2", "--pool-warm", "8"});
  EXPECT_THAT(pools.mask, ElementsAre("on_marked_up", "connection_pool.purge_delay", "connection_pool.min_idle",
                                      "connection_pool.warm"));
  EXPECT_EQ(pools.resource.on_marked_up(), v1::ON_MARKED_UP_CLOSE_BACKUPS);
  EXPECT_EQ(pools.resource.connection_pool().purge_delay().seconds(), 5);
  EXPECT_EQ(pools.resource.connection_pool().warm(), 8u);
  const auto least = fill<v1::Server>(server_options(), {"--min-connections", "3"});
  EXPECT_THAT(least.mask, ElementsAre("min_connections"));
  EXPECT_EQ(least.resource.min_connections(), 3u);
  const auto dns = fill<v1::Backend>(backend_options(),
                                     {"--srv", "_http._tcp.app", "--srv-also", "_a._tcp.app", "--srv-also", "b",
                                      "--srv-max-servers", "7", "--cookie-max-idle", "30m", "--cookie-max-life=8h"});
  EXPECT_THAT(dns.mask, ElementsAre("discovery.srv", "discovery.also", "discovery.max_servers",
                                    "persistence.cookie.max_idle", "persistence.cookie.max_life"));
  EXPECT_EQ(dns.resource.discovery().max_servers(), 7u);
  EXPECT_THAT(dns.resource.discovery().also(), ElementsAre("_a._tcp.app", "b"));
  EXPECT_EQ(dns.resource.persistence().cookie().max_life().seconds(), 8 * 3600);
  const auto outliers = fill<v1::Backend>(backend_options(),
                                          {"--outlier-errors", "3", "--on-error", "fail-check", "--max-ejected", "30"});
  EXPECT_THAT(outliers.mask, ElementsAre("outlier_detection.consecutive_errors", "outlier_detection.on_error",
                                         "outlier_detection.max_ejected_percent"));
  EXPECT_EQ(outliers.resource.outlier_detection().on_error(), v1::ON_ERROR_FAIL_CHECK);
  const auto follower = fill<v1::Server>(server_options(), {"--track", "web/s1"});
  EXPECT_THAT(follower.mask, ElementsAre("health_check.track"));
  EXPECT_EQ(follower.resource.health_check().track(), "web/s1");
  const auto agent = fill<v1::Server>(server_options(), {"--agent-port", "9000"});
  EXPECT_THAT(agent.mask, ElementsAre("health_check.agent.port"));
  EXPECT_EQ(agent.resource.health_check().agent().port(), 9000u);
  const auto none = fill<v1::Backend>(backend_options(), {"--check", "none"});
  EXPECT_THAT(none.mask, ElementsAre("health_check"));
  EXPECT_FALSE(none.resource.has_health_check());
  const auto http = fill<v1::Backend>(backend_options(),
                                      {"--check-method", "head", "--check-header", "X-A=b", "--check-status", "200-204",
                                       "--check-status", "404", "--check-initial-state", "up", "--check-port", "81"});
  EXPECT_THAT(http.mask,
              ElementsAre("health_check.http.method", "health_check.http.headers",
                          "health_check.http.expected_statuses", "health_check.port", "health_check.initial_state"));
  const v1::HealthCheck& check = http.resource.health_check();
  EXPECT_EQ(check.http().method(), v1::HTTP_CHECK_METHOD_HEAD);
  EXPECT_EQ(check.http().headers().at("X-A"), "b");
  ASSERT_EQ(check.http().expected_statuses_size(), 2);
  EXPECT_EQ(check.http().expected_statuses(0).last(), 204u);
  EXPECT_EQ(check.http().expected_statuses(1).first(), 404u);
  EXPECT_EQ(check.http().expected_statuses(1).last(), 404u);
  EXPECT_EQ(check.initial_state(), v1::INITIAL_STATE_UP);
  EXPECT_EQ(fill<v1::Backend>(backend_options(), {"--check-status", "2xx"}).failure.text,
            "--check-status: \"2xx\" is not a status or a range as 200-299");
}

TEST(ResourceOptions, FillAListenerWithItsLists) {
  const auto filled = fill<v1::Listener>(
      listener_options(), {"--bind", "127.0.0.1:0", "--bind", "[::1]:0", "--protocol", "http", "--route",
                           "api.example.com,*.example.org/v1=api", "--route", "/static=files", "--route", "a.b=c@0"});
  EXPECT_THAT(filled.mask, ElementsAre("bind", "protocol", "routes"));
  EXPECT_THAT(filled.resource.bind(), ElementsAre("127.0.0.1:0", "[::1]:0"));
  ASSERT_EQ(filled.resource.routes_size(), 3);
  EXPECT_THAT(filled.resource.routes(0).hosts(), ElementsAre("api.example.com", "*.example.org"));
  EXPECT_EQ(filled.resource.routes(0).path_prefix(), "/v1");
  EXPECT_EQ(filled.resource.routes(0).backend(), "api");
  EXPECT_EQ(filled.resource.routes(1).hosts_size(), 0);
  EXPECT_EQ(filled.resource.routes(2).path_prefix(), "");
  EXPECT_EQ(filled.resource.routes(2).backend(), "c");
  EXPECT_TRUE(filled.resource.routes(2).has_priority());
  EXPECT_FALSE(filled.resource.routes(1).has_priority());
}

TEST(ResourceOptions, ARouteHasItsLimit) {
  const auto filled = fill<v1::Listener>(listener_options(), {"--route", "/v1=api@2,rate:100/1m,burst:20", "--route",
                                                              "=a,rate:5", "--route", "/c=c,rate:7/1500ms"});
  // A route needs a host or a path.
  EXPECT_FALSE(filled.failure.text.empty());
  const auto good = fill<v1::Listener>(listener_options(), {"--route", "/v1=api@2,rate:100/1m,burst:20", "--route",
                                                            "a.b=a,rate:5", "--route", "/c=c,rate:7/1500ms"});
  ASSERT_EQ(good.resource.routes_size(), 3) << good.failure.text;
  EXPECT_EQ(good.resource.routes(0).backend(), "api");
  EXPECT_EQ(good.resource.routes(0).priority(), 2u);
  EXPECT_EQ(good.resource.routes(0).rate_limit().requests(), 100u);
  EXPECT_EQ(good.resource.routes(0).rate_limit().per().seconds(), 60);
  EXPECT_EQ(good.resource.routes(0).rate_limit().burst(), 20u);
  EXPECT_EQ(good.resource.routes(1).rate_limit().requests(), 5u);
  EXPECT_FALSE(good.resource.routes(1).rate_limit().has_per());
  EXPECT_EQ(good.resource.routes(2).rate_limit().per().nanos(), 500'000'000);
  for (const char* bad : {"rate:", "rate:x", "burst:1/1s", "speed:1", "rate:1/fast"}) {
    EXPECT_THAT(fill<v1::Listener>(listener_options(), {"--route", std::string("/a=app,") + bad}).failure.text,
                testing::HasSubstr(bad == std::string("rate:1/fast") ? "fast" : bad));
  }
}

TEST(ResourceOptions, RulesForAddresses) {
  const auto filled =
      fill<v1::Listener>(listener_options(),
                         {"--access", "allow:10.1.2.3,::1", "--access", "deny:10.0.0.0/8", "--access-otherwise", "deny",
                          "--proxy-from", "10.0.0.0/8", "--proxy-from", "unix", "--proxy-allow-others", "true"});
  ASSERT_EQ(filled.resource.access().rules_size(), 2) << filled.failure.text;
  EXPECT_EQ(filled.resource.access().rules(0).action(), v1::ACCESS_ACTION_ALLOW);
  EXPECT_THAT(filled.resource.access().rules(0).networks(), ElementsAre("10.1.2.3", "::1"));
  EXPECT_EQ(filled.resource.access().rules(1).action(), v1::ACCESS_ACTION_DENY);
  EXPECT_EQ(filled.resource.access().otherwise(), v1::ACCESS_ACTION_DENY);
  EXPECT_THAT(filled.resource.proxy_protocol().trusted(), ElementsAre("10.0.0.0/8", "unix"));
  EXPECT_TRUE(filled.resource.proxy_protocol().allow_others());
  EXPECT_EQ(fill<v1::Listener>(listener_options(), {"--access", "10.0.0.0/8"}).failure.text,
            "--access: \"10.0.0.0/8\" is not allow:NETWORK,... or deny:NETWORK,...");
  EXPECT_THAT(fill<v1::Listener>(listener_options(), {"--access", "block:10.0.0.0/8"}).failure.text,
              testing::HasSubstr("\"BLOCK\" is not one of ALLOW, DENY"));
}

TEST(ResourceOptions, ServersAreToldOfClients) {
  const auto filled = fill<v1::Backend>(
      backend_options(), {"--send-proxy", "v2", "--send-proxy-crc32c", "true", "--tcp-keep-alive-time", "60s"});
  EXPECT_EQ(filled.resource.send_proxy_protocol().version(), v1::PROXY_HEADER_V2) << filled.failure.text;
  EXPECT_TRUE(filled.resource.send_proxy_protocol().crc32c());
  EXPECT_EQ(filled.resource.tcp().keep_alive().time().seconds(), 60);
}

TEST(ResourceOptions, PutAFieldBackToItsDefault) {
  const auto filled = fill<v1::Listener>(listener_options(), {"--route", "default", "--max-connections", "default"});
  EXPECT_THAT(filled.mask, ElementsAre("routes", "max_connections"));
  EXPECT_EQ(filled.resource.ByteSizeLong(), 0u);
}

TEST(ResourceOptions, PutBackWithAFieldWhatCannotBeWithoutIt) {
  const auto mask_of = [](const std::vector<std::string>& words) {
    const auto filled = fill<v1::Backend>(backend_options(), words);
    EXPECT_EQ(filled.failure.text, "");
    return filled.mask;
  };
  EXPECT_THAT(mask_of({"--cookie", "default", "--stick", "default"}),
              ElementsAre("persistence.cookie", "persistence.table"));
  EXPECT_THAT(mask_of({"--srv=default", "--slow-start=default", "--send-proxy=default"}),
              ElementsAre("slow_start", "discovery", "send_proxy_protocol"));
  EXPECT_THAT(mask_of({"--agent-port", "default"}), ElementsAre("health_check.agent"));
  EXPECT_THAT(mask_of({"--agent-port", "default", "--agent-interval", "default"}),
              ElementsAre("health_check.agent", "health_check.agent.interval"));
  // From a port to an address: there still is an agent.
  EXPECT_THAT(mask_of({"--agent-port", "default", "--agent-address", "10.0.0.9:80"}),
              ElementsAre("health_check.agent.port", "health_check.agent.address"));
  EXPECT_THAT(mask_of({"--balance", "default", "--hash-key", "default"}),
              ElementsAre("balance.algorithm", "balance.hash.key"));
  EXPECT_THAT(fill<v1::Server>(server_options(), {"--agent-address", "default"}).mask,
              ElementsAre("health_check.agent"));
  EXPECT_THAT(
      fill<v1::Listener>(listener_options(), {"--proxy-from=default", "--tls-client-certificates=default"}).mask,
      ElementsAre("proxy_protocol", "tls.client_certificates"));
}

TEST(ResourceOptions, WhatIsOfHttpChecksGoesWithNoOtherKind) {
  const auto error_of = [](const std::vector<std::string>& words) {
    return fill<v1::Backend>(backend_options(), words).failure.text;
  };
  EXPECT_EQ(error_of({"--check", "tcp", "--check-host", "x"}),
            "--check-host: is for HTTP checks, and --check says \"tcp\"; leave one of them out, or --check http:/path");
  for (const char* kind : {"grpc", "grpc:shop", "none", "default"}) {
    EXPECT_THAT(error_of({"--check", kind, "--check-status", "200"}), HasSubstr("--check-status: is for HTTP checks"));
  }
  EXPECT_EQ(error_of({"--check", "http:/x", "--check-host", "x"}), "");
  EXPECT_EQ(error_of({"--check", "tcp", "--check-host", "default", "--check-interval", "1s"}), "");
}

TEST(ResourceOptions, SayWhatIsWrongInTheCommandLinesWords) {
  EXPECT_EQ(fill<v1::Server>(server_options(), {"--weight", "heavy"}).failure.text,
            "--weight: \"heavy\" is not a number from 0 to 4294967295");
  EXPECT_EQ(fill<v1::Server>(server_options(), {"--admin-state", "off"}).failure.text,
            "--admin-state: \"off\" is not one of ready, drain, maintenance");
  EXPECT_EQ(
      fill<v1::Backend>(backend_options(), {"--retry-on", "reset", "--retry-on", "luck"}).failure.text,
      "--retry-on: \"luck\" is not one of connect_failure, refused, reset, empty_response, timeout, bad_response");
  EXPECT_EQ(fill<v1::Listener>(listener_options(), {"--route", "/a=app@high"}).failure.text,
            "--route: \"high\" is not a priority from 0 to 7");
  EXPECT_EQ(fill<v1::Server>(server_options(), {"--check-disabled", "maybe"}).failure.text,
            "--check-disabled: \"maybe\" is not true or false");
  EXPECT_EQ(fill<v1::Server>(server_options(), {"--label", "zone"}).failure.text,
            "--label: \"zone\" is not of the form key=value");
  EXPECT_EQ(fill<v1::Server>(server_options(), {"--label", "a=1", "--label", "a=2"}).failure.text,
            "--label: the key \"a\" is given twice");
  EXPECT_THAT(fill<v1::Backend>(backend_options(), {"--connect-timeout", "5"}).failure.text,
              HasSubstr("--connect-timeout: \"5\" is not a duration such as"));
  EXPECT_EQ(fill<v1::Backend>(backend_options(), {"--check", "ping"}).failure.exit_status, kExitUsage);
  EXPECT_THAT(fill<v1::Listener>(listener_options(), {"--route", "nothing"}).failure.text,
              HasSubstr("HOST/PATH=BACKEND"));
}

// Each path must be a field of the schema, or the data plane would refuse the mask.
TEST(ResourceOptions, NameFieldsThatExist) {
  const auto check = [](const std::vector<ResourceOption>& options, const google::protobuf::Descriptor* root) {
    for (const ResourceOption& option : options) {
      const google::protobuf::Descriptor* type = root;
      std::string rest = option.path;
      EXPECT_TRUE(option.path.starts_with(option.default_path)) << option.path;
      while (!rest.empty()) {
        const std::string step = rest.substr(0, rest.find('.'));
        rest = step.size() == rest.size() ? "" : rest.substr(step.size() + 1);
        ASSERT_NE(type, nullptr) << option.path;
        const auto* field = type->FindFieldByName(step);
        ASSERT_NE(field, nullptr) << option.path;
        type = field->message_type();
      }
    }
  };
  check(server_options(), v1::Server::descriptor());
  check(backend_options(), v1::Backend::descriptor());
  check(listener_options(), v1::Listener::descriptor());
}

TEST(Values, ReadServerNames) {
  EXPECT_EQ(parse_server_name("web/s1")->backend(), "web");
  EXPECT_EQ(parse_server_name("web/s1")->name(), "s1");
  for (const char* text : {"", "web", "/s1", "web/"}) EXPECT_FALSE(parse_server_name(text).has_value()) << text;
}

TEST(Values, ReadLifecycles) {
  EXPECT_THAT(*parse_lifecycles("ready,Draining"), ElementsAre(v1::LIFECYCLE_READY, v1::LIFECYCLE_DRAINING));
  EXPECT_FALSE(parse_lifecycles("up").has_value());
}

TEST(Values, ReadDurations) {
  EXPECT_EQ(to_chrono(*parse_duration_value("--drain", "1.5s")), std::chrono::milliseconds(1500));
  for (const char* text : {"", "5", "-1s", "inf"}) {
    EXPECT_FALSE(parse_duration_value("--drain", text).has_value()) << text;
  }
}

}  // namespace
}  // namespace fairlead::ctl
