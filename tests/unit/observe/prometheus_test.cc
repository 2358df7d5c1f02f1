#include "observe/prometheus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "observe/exposition.h"

namespace fairlead::observe {
namespace {

using testing::HasSubstr;
using testing::Not;

Counters make_counters(uint64_t started) {
  Counters counters;
  counters.started = started;
  counters.finished = started - 1;
  counters.failed[static_cast<int>(Failure::kTimeout)] = 1;
  counters.statuses[1] = started - 1;
  counters.in_flight = 3;
  counters.bytes_to_clients = 34 * started;
  return counters;
}

Statistics make_statistics() {
  Statistics statistics;
  statistics.backends.push_back({1, "app", make_counters(10), {}});
  statistics.backends[0].servers.push_back({5, "s1", make_counters(7)});
  statistics.backends[0].servers.push_back({6, "s2", make_counters(3)});
  statistics.backends.push_back({2, "idle", {}, {}});
  statistics.listeners.push_back({3, "web", 4, 50, 6});
  statistics.log_lines_dropped = 2;
  statistics.names = {.watched = 3, .lookups = 20, .failures = 4};
  return statistics;
}

std::vector<std::string> lines_of(const std::string& page) {
  std::vector<std::string> lines;
  std::istringstream stream(page);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::map<std::string, double> samples_of(const std::string& page) {
  std::map<std::string, double> samples;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with('#')) continue;
    size_t space = line.rfind(' ');
    bool is_new = samples.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second;
    EXPECT_TRUE(is_new) << line;
  }
  return samples;
}

// A histogram's samples are named after its family.
std::string family_of(const std::string& sample, const std::set<std::string>& families) {
  std::string name = sample.substr(0, sample.find_first_of("{ "));
  if (families.contains(name)) return name;
  return std::regex_replace(name, std::regex("_(bucket|sum|count)$"), "");
}

TEST(Prometheus, KeepsToTheFormat) {
  std::string page = format_prometheus(make_statistics(), {"0.1.0", "clang", {}, 2, 7, {}});
  ASSERT_TRUE(page.ends_with('\n'));
  std::regex sample(R"re([a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-z]+="([^"\\]|\\.)*",?)*\})? [0-9.e+-]+)re");
  std::set<std::string> families;
  std::string current;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with("# HELP ")) {
      current = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(current).second) << line;
    } else if (line.starts_with("# TYPE ")) {
      EXPECT_TRUE(std::regex_match(line, std::regex("# TYPE " + current + " (counter|gauge|histogram)"))) << line;
    } else {
      EXPECT_TRUE(std::regex_match(line, sample)) << line;
      EXPECT_EQ(family_of(line, families), current) << line;
    }
  }
  samples_of(page);  // none twice
}

TEST(Prometheus, SaysWhatTheStatisticsHold) {
  ProcessFacts process{"0.1.0", "clang",     std::chrono::milliseconds(1'500), 2,
                       7,       {4'096, 12}, JournalFacts{true, 8'192}};
  for (uint64_t microseconds : {1'200, 1'800, 3'297'000}) process.change_durations.record(microseconds);
  auto samples = samples_of(format_prometheus(make_statistics(), process));
  for (const auto& [name, value] :
       std::map<std::string, double>{{R"(fairlead_backend_requests_total{backend="app"})", 10},
                                     {R"(fairlead_backend_requests_total{backend="idle"})", 0},
                                     {R"(fairlead_backend_finished_total{backend="app"})", 9},
                                     {R"(fairlead_backend_failed_total{backend="app",cause="timeout"})", 1},
                                     {R"(fairlead_backend_failed_total{backend="app",cause="no_server"})", 0},
                                     {R"(fairlead_backend_responses_total{backend="app",status="2xx"})", 9},
                                     {R"(fairlead_backend_in_flight{backend="app"})", 3},
                                     {R"(fairlead_server_requests_total{backend="app",server="s1"})", 7},
                                     {R"(fairlead_server_failed_total{backend="app",server="s2"})", 1},
                                     {R"(fairlead_server_bytes_to_clients_total{backend="app",server="s2"})", 102},
                                     {R"(fairlead_listener_connections{listener="web"})", 4},
                                     {R"(fairlead_listener_accepted_total{listener="web"})", 50},
                                     {R"(fairlead_listener_refused_total{listener="web"})", 6},
                                     {"fairlead_access_log_lines_dropped_total", 2},
                                     {"fairlead_names", 3},
                                     {"fairlead_name_lookups_total", 20},
                                     {"fairlead_name_lookup_failures_total", 4},
                                     {"fairlead_server_series_left_out", 0},
                                     {R"(fairlead_build_info{version="0.1.0",build="clang"})", 1},
                                     {"fairlead_uptime_seconds", 1.5},
                                     {"fairlead_workers", 2},
                                     {"fairlead_configuration_version", 7},
                                     {R"(fairlead_change_duration_seconds_bucket{le="0.0015"})", 1},
                                     {R"(fairlead_change_duration_seconds_bucket{le="0.002"})", 2},
                                     {R"(fairlead_change_duration_seconds_bucket{le="+Inf"})", 3},
                                     {"fairlead_change_duration_seconds_sum", 3.3},
                                     {"fairlead_change_duration_seconds_count", 3},
                                     {"fairlead_journal_writable", 1},
                                     {"fairlead_journal_bytes", 8'192},
                                     {"process_resident_memory_bytes", 4'096},
                                     {"process_open_fds", 12}}) {
    ASSERT_TRUE(samples.contains(name)) << name;
    EXPECT_EQ(samples[name], value) << name;
  }
}

TEST(Prometheus, AServersSeriesEndWithIt) {
  Statistics statistics = make_statistics();
  EXPECT_THAT(format_prometheus(statistics, {}), HasSubstr(R"(server="s1")"));
  statistics.backends[0].servers.erase(statistics.backends[0].servers.begin());
  EXPECT_THAT(format_prometheus(statistics, {}), Not(HasSubstr(R"(server="s1")")));
  EXPECT_THAT(format_prometheus(statistics, {}), HasSubstr(R"(server="s2")"));
}

TEST(Prometheus, LeavesServersOutWhereThereAreTooMany) {
  auto within = samples_of(format_prometheus(make_statistics(), {}, 2));
  EXPECT_EQ(within["fairlead_server_series_left_out"], 0);
  std::string beyond = format_prometheus(make_statistics(), {}, 1);
  EXPECT_THAT(beyond, Not(HasSubstr("server=\"")));
  EXPECT_EQ(samples_of(beyond)["fairlead_server_series_left_out"], 2);
  EXPECT_EQ(samples_of(beyond)[R"(fairlead_backend_requests_total{backend="app"})"], 10);
}

// A former holder of the name finishes what it has.
TEST(Prometheus, ANameInUseAgainIsOneSeries) {
  Statistics statistics = make_statistics();
  statistics.backends.push_back({7, "app", make_counters(100), {}});
  statistics.backends.back().counters.latency.record(900);
  statistics.backends.back().servers.push_back({9, "s1", make_counters(5)});
  statistics.backends[0].servers.push_back({8, "s1", make_counters(20)});
  statistics.listeners.push_back({10, "web", 1, 2, 3});
  auto samples = samples_of(format_prometheus(statistics, {}, 2));
  for (const auto& [name, value] :
       std::map<std::string, double>{{R"(fairlead_backend_requests_total{backend="app"})", 110},
                                     {R"(fairlead_backend_failed_total{backend="app",cause="timeout"})", 2},
                                     {R"(fairlead_backend_latency_seconds_count{backend="app"})", 1},
                                     {R"(fairlead_server_requests_total{backend="app",server="s1"})", 32},
                                     {R"(fairlead_server_requests_total{backend="app",server="s2"})", 3},
                                     {R"(fairlead_listener_accepted_total{listener="web"})", 52},
                                     {"fairlead_server_series_left_out", 0}}) {
    ASSERT_TRUE(samples.contains(name)) << name;
    EXPECT_EQ(samples[name], value) << name;
  }
}

TEST(Prometheus, LatencyBucketsAddUp) {
  Statistics statistics;
  statistics.backends.push_back({1, "app", {}, {}});
  Histogram& latency = statistics.backends[0].counters.latency;
  for (uint64_t microseconds : {10ull, 400ull, 900ull, 900ull, 30'000ull, 3'000'000ull, 100'000'000ull, 1ull << 40}) {
    latency.record(microseconds);
  }
  std::string page = format_prometheus(statistics, {});
  auto samples = samples_of(page);
  auto bucket = [&](const std::string& bound) {
    return samples[R"(fairlead_backend_latency_seconds_bucket{backend="app",le=")" + bound + R"("})"];
  };
  EXPECT_EQ(bucket("0.00025"), 1);
  EXPECT_EQ(bucket("0.0005"), 2);
  EXPECT_EQ(bucket("0.001"), 4);
  EXPECT_EQ(bucket("0.025"), 4);
  EXPECT_EQ(bucket("0.05"), 5);
  EXPECT_EQ(bucket("2.5"), 5);
  EXPECT_EQ(bucket("5"), 6);
  EXPECT_EQ(bucket("60"), 6);
  EXPECT_EQ(bucket("+Inf"), 8);
  EXPECT_EQ(samples[R"(fairlead_backend_latency_seconds_count{backend="app"})"], 8);
  EXPECT_NEAR(samples[R"(fairlead_backend_latency_seconds_sum{backend="app"})"], 1'099'614.66, 0.01);
  EXPECT_THAT(page, HasSubstr("# TYPE fairlead_backend_latency_seconds histogram\n"));
}

TEST(Exposition, EscapesLabels) {
  Exposition page;
  page.sample("m", {{"a", "x\"y\\z\nw"}, {"b", ""}}, uint64_t{1});
  EXPECT_EQ(page.take(), "m{a=\"x\\\"y\\\\z\\nw\",b=\"\"} 1\n");
}

TEST(Prometheus, ReadsTheUsageOfThisProcess) {
  ProcessUsage usage = read_process_usage();
  EXPECT_GT(usage.resident_bytes, 100'000u);
  EXPECT_GE(usage.open_fds, 1u);
}

}  // namespace
}  // namespace fairlead::observe
