#include "desired/yaml.h"

#include <gtest/gtest.h>

#include <string>

namespace fairlead::desired {
namespace {

std::string error_of(const std::string& text) {
  const auto parsed = parse_configuration(text, "f.yaml");
  return parsed.ok() ? "no error" : std::string(parsed.status().message());
}

TEST(Yaml, AMistakeIsToldWithItsLineAndField) {
  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {"", "f.yaml: is empty"},
      {"# nothing\n", "f.yaml: is empty"},
      {"\n- 1\n", "f.yaml:2: is not a map with listeners, backends, servers, certificates"},
      {"backends:\n- name: app\n  sevrers: []\n",
       "f.yaml:3: backends[0]: unknown field \"sevrers\"; Backend has name, balance, server_defaults, timeouts, retry, "
       "drain, health_check, connection_pool, labels, failover, slow_start, persistence, queue, circuit, "
       "on_marked_down, on_marked_up, outlier_detection, discovery, send_proxy_protocol, tcp, servers, tls, metadata, "
       "status"},
      {"backends:\n- name: app\n  servers:\n  - name: s1\n    weight: heavy\n",
       "f.yaml:5: backends[0].servers[0].weight: \"heavy\" is not a number from 0 to 4294967295"},
      {"backends:\n- name: app\n  servers:\n  - {name: s1, weight: 4294967296}\n",
       "f.yaml:4: backends[0].servers[0].weight: \"4294967296\" is not a number from 0 to 4294967295"},
      {"backends: {name: app}\n", "f.yaml:1: backends: is not a list"},
      {"backends: [app]\n", "f.yaml:1: backends[0]: is not a map with the fields of Backend"},
      {"backends:\n- name: [app]\n", "f.yaml:2: backends[0].name: is not a single value"},
      {"backends:\n- name: app\n  balance: {algorithm: BEST}\n",
       "f.yaml:3: backends[0].balance.algorithm: \"BEST\" is none of ROUND_ROBIN, RANDOM, LEAST_CONNECTIONS, "
       "STATIC_ROUND_ROBIN, FIRST, STICKY, PEAK_EWMA, PREQUAL, HASH"},
      {"backends:\n- name: app\n  drain: {timeout: 30}\n",
       "f.yaml:3: backends[0].drain.timeout: \"30\" is not a duration such as \"2s\", \"250ms\" or \"1m30s\""},
      {"backends:\n- name: app\n  drain: {timeout: inf}\n",
       "f.yaml:3: backends[0].drain.timeout: \"inf\" is not a duration such as \"2s\", \"250ms\" or \"1m30s\""},
      {"backends:\n- name: app\n  name: app\n", "f.yaml:3: backends[0].name: is there twice"},
      {"backends:\n- name: app\n  labels: {a: b, a: c}\n", "f.yaml:3: backends[0].labels.a: is there twice"},
      {"backends:\n- name: app\n  health_check:\n    http: {path: /}\n    tcp: {}\n",
       "f.yaml:5: backends[0].health_check.tcp: only one of check may be there"},
      {"backends:\n- name: app\n- name: app\n", "f.yaml:3: backends[1].name: backend app is there twice"},
      {"backends:\n- name: app\n  servers:\n  - {name: s1}\n  - {name: s2}\n  - {name: s1}\n",
       "f.yaml:6: backends[0].servers[2].name: server app/s1 is there twice"},
      {"backends:\n- name: app\n  servers:\n  - {backend: b, name: s1}\n",
       "f.yaml:4: backends[0].servers[0].backend: \"b\" is not the backend it stands in, \"app\"; leave it out"},
      {"servers:\n- name: s1\n  backend: app\n", "f.yaml:3: servers[0].backend: there is no backend \"app\""},
      {"resources:\n  servers:\n  - name: s1\n    backend: app\n",
       "f.yaml:4: resources.servers[0].backend: there is no backend \"app\""},
      {"servers:\n- address: x\n", "f.yaml:2: servers[0]: has no backend"},
      {"listeners:\n- protocol: HTTP\n", "f.yaml:2: listeners[0]: has no name"},
      {"resources: {}\nworkers: 2\n", "f.yaml:2: beside resources nothing can be set on a data plane that runs"},
      {"backends: []\n---\nbackends: []\n", "f.yaml:3: a second document; only one is read"},
  };
  for (const auto& known : cases) EXPECT_EQ(error_of(known.text), known.error) << known.text;
  EXPECT_EQ(error_of("backends:\n- name: [app\n").substr(0, 7), "f.yaml:");
  EXPECT_EQ(error_of("backends: [*nobody]").substr(0, 7), "f.yaml:");
}

TEST(Yaml, WhatIsOutputOnlyIsSkipped) {
  const auto plain = parse_configuration("backends: [{name: app}]", "f.yaml");
  const auto full = parse_configuration(
      "resources: {backends: [{name: app, metadata: {uid: 4, createTime: x}, status: {servers: 3}}]}", "f.yaml");
  ASSERT_TRUE(full.ok()) << full.status();
  EXPECT_EQ((*full)->digest(), (*plain)->digest());
}

TEST(Yaml, TheStatusOfAnAnswerIsInput) {
  const auto digest_of = [](const std::string& route) {
    const auto parsed = parse_configuration("listeners: [{name: web, routes: [" + route + "]}]", "f.yaml");
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return parsed.ok() ? (*parsed)->digest() : "";
  };
  EXPECT_NE(digest_of("{redirect: {path: /new, status: 308}}"), digest_of("{redirect: {path: /new, status: 301}}"));
  EXPECT_NE(digest_of("{respond: {status: 200}}"), digest_of("{respond: {status: 204}}"));
}

TEST(Yaml, NamesMayBeWrittenInBothWays) {
  const auto snake = parse_configuration("backends: [{name: app, server_defaults: {weight: 3}}]", "f.yaml");
  const auto camel = parse_configuration("backends: [{name: app, serverDefaults: {weight: 3}}]", "f.yaml");
  ASSERT_TRUE(snake.ok() && camel.ok());
  EXPECT_EQ((*snake)->digest(), (*camel)->digest());
}

TEST(Yaml, AnAliasCountsWithAllThatItStandsFor) {
  const std::string text =
      "backends:\n"
      "- {name: a, labels: &many {a: a, b: b, c: c, d: d, e: e}}\n"
      "- {name: b, labels: *many}\n"
      "- {name: c, labels: *many}\n";
  EXPECT_TRUE(parse_configuration(text, "f.yaml", 37).ok());
  const auto refused = parse_configuration(text, "f.yaml", 36);
  EXPECT_EQ(std::string(refused.status().message()), "f.yaml:2: backends[2].labels.e: more than 36 values");
}

}  // namespace
}  // namespace fairlead::desired
