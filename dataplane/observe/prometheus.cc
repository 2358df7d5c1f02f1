#include "observe/prometheus.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>

#include "observe/exposition.h"

namespace fairlead::observe {
namespace {

// A family with one sample for each backend or server.
struct PlainFamily {
  std::string_view name;
  MetricType type;
  std::string_view help;
  uint64_t (*value)(const Counters&);
};

uint64_t all_failed(const Counters& counters) {
  uint64_t sum = 0;
  for (uint64_t failed : counters.failed) sum += failed;
  return sum;
}

constexpr std::array<PlainFamily, 21> kBackendFamilies = {{
    {"fairlead_backend_requests_total", MetricType::kCounter, "Requests (HTTP) or connections (TCP) started.",
     [](const Counters& counters) { return counters.started; }},
    {"fairlead_backend_finished_total", MetricType::kCounter, "Those that ended with a whole response, of any status.",
     [](const Counters& counters) { return counters.finished; }},
    {"fairlead_backend_retried_total", MetricType::kCounter, "Further attempts on another server.",
     [](const Counters& counters) { return counters.retried; }},
    {"fairlead_backend_retries_refused_total", MetricType::kCounter, "Further attempts that the budget did not allow.",
     [](const Counters& counters) { return counters.retries_refused; }},
    {"fairlead_backend_hedged_total", MetricType::kCounter, "Attempts beside a server that was slow to answer.",
     [](const Counters& counters) { return counters.hedged; }},
    {"fairlead_backend_hedges_won_total", MetricType::kCounter, "Of these, those that answered first.",
     [](const Counters& counters) { return counters.hedges_won; }},
    {"fairlead_backend_persisted_total", MetricType::kCounter, "Went to the server that a cookie or a table led to.",
     [](const Counters& counters) { return counters.persisted; }},
    {"fairlead_backend_persistence_lost_total", MetricType::kCounter,
     "Went elsewhere, because that server took nothing.",
     [](const Counters& counters) { return counters.persistence_lost; }},
    {"fairlead_backend_persistence_expired_total", MetricType::kCounter,
     "Brought a cookie whose max_idle or max_life was over.",
     [](const Counters& counters) { return counters.persistence_expired; }},
    {"fairlead_backend_waited_total", MetricType::kCounter, "Those that found all servers full and waited for a place.",
     [](const Counters& counters) { return counters.waited; }},
    {"fairlead_backend_queue_timeouts_total", MetricType::kCounter, "Of these, those that waited too long.",
     [](const Counters& counters) { return counters.queue_timeouts; }},
    {"fairlead_backend_queue_refused_total", MetricType::kCounter, "Those that could not wait: too many did.",
     [](const Counters& counters) { return counters.queue_refused; }},
    {"fairlead_backend_circuit_refused_total", MetricType::kCounter,
     "Those that came when the backend had all that its circuit limits allow.",
     [](const Counters& counters) { return counters.circuit_refused; }},
    {"fairlead_backend_cut_off_total", MetricType::kCounter, "Closed by the deadline of a drain.",
     [](const Counters& counters) { return counters.cut_off; }},
    {"fairlead_backend_warmed_total", MetricType::kCounter, "Connections opened before a request asked for them.",
     [](const Counters& counters) { return counters.warmed; }},
    {"fairlead_backend_warming_failed_total", MetricType::kCounter, "Those that could not be opened.",
     [](const Counters& counters) { return counters.warming_failed; }},
    {"fairlead_backend_purged_total", MetricType::kCounter, "Idle connections closed because they were not needed.",
     [](const Counters& counters) { return counters.purged; }},
    {"fairlead_backend_bytes_from_clients_total", MetricType::kCounter,
     "Bytes of clients that were passed on to servers.",
     [](const Counters& counters) { return counters.bytes_from_clients; }},
    {"fairlead_backend_bytes_to_clients_total", MetricType::kCounter,
     "Bytes of servers that were passed on to clients.",
     [](const Counters& counters) { return counters.bytes_to_clients; }},
    {"fairlead_backend_in_flight", MetricType::kGauge, "Requests or connections under way.",
     [](const Counters& counters) { return counters.in_flight; }},
    {"fairlead_backend_queued", MetricType::kGauge, "Those that wait for a place on a server.",
     [](const Counters& counters) { return counters.queued; }},
}};

constexpr std::array<PlainFamily, 8> kServerFamilies = {{
    {"fairlead_server_requests_total", MetricType::kCounter, "Requests (HTTP) or connections (TCP) started.",
     [](const Counters& counters) { return counters.started; }},
    {"fairlead_server_failed_total", MetricType::kCounter, "Those that did not end well, whatever the cause.",
     all_failed},
    {"fairlead_server_bytes_from_clients_total", MetricType::kCounter,
     "Bytes of clients that were passed on to servers.",
     [](const Counters& counters) { return counters.bytes_from_clients; }},
    {"fairlead_server_bytes_to_clients_total", MetricType::kCounter, "Bytes of servers that were passed on to clients.",
     [](const Counters& counters) { return counters.bytes_to_clients; }},
    {"fairlead_server_latency_seconds_count", MetricType::kCounter, "Requests whose latency was measured.",
     [](const Counters& counters) { return counters.latency.count(); }},
    {"fairlead_server_in_flight", MetricType::kGauge, "Requests or connections under way.",
     [](const Counters& counters) { return counters.in_flight; }},
    {"fairlead_server_queued", MetricType::kGauge, "Those that wait for a place on it and on no other.",
     [](const Counters& counters) { return counters.queued; }},
    {"fairlead_server_idle_connections", MetricType::kGauge, "Connections in its pools.",
     [](const Counters& counters) { return counters.idle; }},
}};

// By the order of Failure.
constexpr std::array<std::string_view, kFailures> kCauses = {"connect",   "timeout", "response",
                                                             "no_server", "client",  "full"};
constexpr std::array<std::string_view, 5> kStatusClasses = {"1xx", "2xx", "3xx", "4xx", "5xx"};

// An upper bound of the page's buckets.
struct Bound {
  std::string_view seconds;
  uint64_t microseconds;
};
// From a fast answer of a neighbour to what only a time-out ends.
constexpr std::array<Bound, 16> kLatencyBounds = {{{"0.00025", 250},
                                                   {"0.0005", 500},
                                                   {"0.001", 1'000},
                                                   {"0.0025", 2'500},
                                                   {"0.005", 5'000},
                                                   {"0.01", 10'000},
                                                   {"0.025", 25'000},
                                                   {"0.05", 50'000},
                                                   {"0.1", 100'000},
                                                   {"0.25", 250'000},
                                                   {"0.5", 500'000},
                                                   {"1", 1'000'000},
                                                   {"2.5", 2'500'000},
                                                   {"5", 5'000'000},
                                                   {"10", 10'000'000},
                                                   {"60", 60'000'000}}};

// Close to each other where a change is among a million servers, as there is but one histogram of these.
constexpr std::array<Bound, 28> kChangeBounds = {
    {{"0.00025", 250},   {"0.0005", 500},   {"0.00075", 750},  {"0.001", 1'000},  {"0.00125", 1'250}, {"0.0015", 1'500},
     {"0.00175", 1'750}, {"0.002", 2'000},  {"0.0025", 2'500}, {"0.003", 3'000},  {"0.0035", 3'500},  {"0.004", 4'000},
     {"0.005", 5'000},   {"0.006", 6'000},  {"0.008", 8'000},  {"0.01", 10'000},  {"0.0125", 12'500}, {"0.015", 15'000},
     {"0.02", 20'000},   {"0.025", 25'000}, {"0.03", 30'000},  {"0.04", 40'000},  {"0.05", 50'000},   {"0.1", 100'000},
     {"0.25", 250'000},  {"1", 1'000'000},  {"5", 5'000'000},  {"60", 60'000'000}}};

double to_seconds(uint64_t microseconds) { return static_cast<double>(microseconds) / 1e6; }

// Calls sample(bound's text, count up to there). A fine bucket counts below a bound where all of it lies there, so what
// straddles one counts in the next: a bucket of the page is exact to within a fine bucket's width, and its count never
// shrinks from one bound to the next.
template <size_t N, typename F>
void write_buckets(const Histogram& histogram, const std::array<Bound, N>& bounds, F sample) {
  uint64_t below = 0;
  int fine = 0;
  for (const Bound& bound : bounds) {
    while (Histogram::upper_bound(fine) <= bound.microseconds) below += histogram.bucket_count(fine++);
    sample(bound.seconds, below);
  }
  sample("+Inf", histogram.count());
}

void write_changes(Exposition& page, const Histogram& durations) {
  page.family("fairlead_change_duration_seconds", MetricType::kHistogram,
              "Transactions that changed something: received until durable and used by all workers.");
  write_buckets(durations, kChangeBounds, [&](std::string_view bound, uint64_t below) {
    page.sample("fairlead_change_duration_seconds_bucket", {{"le", bound}}, below);
  });
  page.sample("fairlead_change_duration_seconds_sum", {}, to_seconds(durations.sum()));
  page.sample("fairlead_change_duration_seconds_count", {}, durations.count());
}

void write_management(Exposition& page, const ManagementFacts& facts) {
  page.family("fairlead_management_denied_total", MetricType::kCounter,
              "Calls and transactions that the client's role did not allow.");
  page.sample("fairlead_management_denied_total", {}, facts.denied);
  if (!facts.tls) return;
  const ManagementFacts::Tls& tls = *facts.tls;
  page.family("fairlead_management_tls_connections", MetricType::kGauge, "Open, handshakes included.");
  page.sample("fairlead_management_tls_connections", {}, tls.connections);
  page.family("fairlead_management_tls_connections_refused_total", MetricType::kCounter,
              "Closed as they came, because there were too many.");
  page.sample("fairlead_management_tls_connections_refused_total", {}, tls.connections_refused);
  page.family("fairlead_management_tls_handshakes_total", MetricType::kCounter, "Done, or failed.");
  page.sample("fairlead_management_tls_handshakes_total", {{"result", "done"}}, tls.handshakes_done);
  page.sample("fairlead_management_tls_handshakes_total", {{"result", "failed"}}, tls.handshakes_failed);
  page.family("fairlead_management_tls_reloads_total", MetricType::kCounter,
              "Changed certificate files: in service, or refused, so that what was there before stays.");
  page.sample("fairlead_management_tls_reloads_total", {{"result", "done"}}, tls.reloads_done);
  page.sample("fairlead_management_tls_reloads_total", {{"result", "refused"}}, tls.reloads_refused);
  page.family("fairlead_management_tls_not_after_seconds", MetricType::kGauge,
              "When the certificate in service expires, in seconds since 1970.");
  page.sample("fairlead_management_tls_not_after_seconds", {},
              static_cast<uint64_t>(std::max<int64_t>(tls.not_after.count(), 0)));
}

void write_process(Exposition& page, const ProcessFacts& process) {
  page.family("fairlead_build_info", MetricType::kGauge, "What is running; always 1.");
  page.sample("fairlead_build_info", {{"version", process.version}, {"build", process.build}}, uint64_t{1});
  page.family("fairlead_uptime_seconds", MetricType::kGauge, "Since the process started.");
  page.sample("fairlead_uptime_seconds", {}, process.uptime.count());
  page.family("fairlead_workers", MetricType::kGauge, "Threads that serve connections.");
  page.sample("fairlead_workers", {}, uint64_t{process.workers});
  page.family("fairlead_configuration_version", MetricType::kGauge, "Grows by one with each change.");
  page.sample("fairlead_configuration_version", {}, process.configuration_version);
  write_changes(page, process.change_durations);
  if (process.journal) {
    page.family(
        "fairlead_journal_writable", MetricType::kGauge,
        "1 where changes are taken, 0 where the journal cannot be written and they are refused, or wait for the disk.");
    page.sample("fairlead_journal_writable", {}, uint64_t{process.journal->writable});
    page.family("fairlead_journal_bytes", MetricType::kGauge, "Of the journal's file and its log.");
    page.sample("fairlead_journal_bytes", {}, process.journal->bytes);
  }
  page.family("fairlead_overload_step", MetricType::kGauge,
              "0: none; 1: responses end connections; 2: new connections are closed; 3: idle ones are closed.");
  page.sample("fairlead_overload_step", {}, uint64_t{process.overload_step});
  page.family("fairlead_certificate_not_after_seconds", MetricType::kGauge, "When it expires, in seconds since 1970.");
  for (const CertificateFacts& certificate : process.certificates) {
    page.sample("fairlead_certificate_not_after_seconds", {{"certificate", certificate.name}},
                static_cast<uint64_t>(std::max<int64_t>(certificate.not_after.count(), 0)));
  }
  page.family("process_resident_memory_bytes", MetricType::kGauge, "Resident memory.");
  page.sample("process_resident_memory_bytes", {}, process.usage.resident_bytes);
  page.family("process_open_fds", MetricType::kGauge, "Open file descriptors.");
  page.sample("process_open_fds", {}, process.usage.open_fds);
  write_management(page, process.management);
}

void write_bad_requests(Exposition& page, const std::vector<ListenerStatistics>& listeners) {
  constexpr std::string_view kName = "fairlead_listener_bad_requests_total";
  page.family(kName, MetricType::kCounter, "What came and was no request: malformed, too large, too slow.");
  for (const auto& listener : listeners) {
    for (size_t i = 0; i < codec::kRefusalKinds; ++i) {
      std::string_view cause = codec::name_of(static_cast<codec::RefusalKind>(i));
      page.sample(kName, {{"listener", listener.name}, {"cause", cause}}, listener.bad_requests.by_kind[i]);
    }
  }
}

void write_listeners(Exposition& page, const std::vector<ListenerStatistics>& listeners) {
  auto family = [&](std::string_view name, MetricType type, std::string_view help,
                    uint64_t ListenerStatistics::* value) {
    page.family(name, type, help);
    for (const auto& listener : listeners) page.sample(name, {{"listener", listener.name}}, listener.*value);
  };
  family("fairlead_listener_connections", MetricType::kGauge, "Open connections of clients.",
         &ListenerStatistics::connections);
  family("fairlead_listener_accepted_total", MetricType::kCounter, "Connections accepted.",
         &ListenerStatistics::accepted);
  family("fairlead_listener_refused_total", MetricType::kCounter,
         "Connections closed before anything of the client's was read.", &ListenerStatistics::refused);
  page.family("fairlead_listener_refusals_total", MetricType::kCounter, "The same, by cause.");
  for (const auto& listener : listeners) {
    for (size_t i = 0; i < kRefusals; ++i) {
      page.sample("fairlead_listener_refusals_total",
                  {{"listener", listener.name}, {"cause", name_of(static_cast<Refusal>(i))}}, listener.refusals[i]);
    }
  }
  family("fairlead_listener_too_slow_total", MetricType::kCounter,
         "Clients that were cut off because they sent or read too slowly.", &ListenerStatistics::too_slow);
  family("fairlead_listener_rate_limited_total", MetricType::kCounter,
         "Requests and TCP connections over a limit for those of a time.", &ListenerStatistics::rate_limited);
  write_bad_requests(page, listeners);
  family("fairlead_listener_unrouted_total", MetricType::kCounter,
         "Requests and connections that no backend served: no route, a loop, a backend that is gone.",
         &ListenerStatistics::unrouted);
  family("fairlead_listener_answered_total", MetricType::kCounter,
         "Requests that a route answered by itself: redirects and fixed responses.", &ListenerStatistics::answered);
  page.family("fairlead_listener_tls_handshakes_total", MetricType::kCounter,
              "Handshakes of TLS clients: full, resumed, or failed.");
  for (const auto& listener : listeners) {
    auto sample = [&](std::string_view result, uint64_t count) {
      page.sample("fairlead_listener_tls_handshakes_total", {{"listener", listener.name}, {"result", result}}, count);
    };
    sample("full", listener.tls_full);
    sample("resumed", listener.tls_resumed);
    sample("failed", listener.tls_failed);
  }
}

void write_latency(Exposition& page, const BackendStatistics& backend) {
  const Histogram& latency = backend.counters.latency;
  write_buckets(latency, kLatencyBounds, [&](std::string_view bound, uint64_t below) {
    page.sample("fairlead_backend_latency_seconds_bucket", {{"backend", backend.name}, {"le", bound}}, below);
  });
  page.sample("fairlead_backend_latency_seconds_sum", {{"backend", backend.name}}, to_seconds(latency.sum()));
  page.sample("fairlead_backend_latency_seconds_count", {{"backend", backend.name}}, latency.count());
}

void write_backends(Exposition& page, const std::vector<BackendStatistics>& backends) {
  for (const PlainFamily& family : kBackendFamilies) {
    page.family(family.name, family.type, family.help);
    for (const auto& backend : backends) {
      page.sample(family.name, {{"backend", backend.name}}, family.value(backend.counters));
    }
  }
  auto state = [&](std::string_view name, std::string_view help, auto value) {
    page.family(name, MetricType::kGauge, help);
    for (const auto& backend : backends) page.sample(name, {{"backend", backend.name}}, uint64_t{backend.*value});
  };
  state("fairlead_backend_panic", "1 where so few servers are healthy that all take requests.",
        &BackendStatistics::panic);
  state("fairlead_backend_on_backups", "1 where backups take requests.", &BackendStatistics::on_backups);
  state("fairlead_backend_discovered_servers", "Servers that DNS names.", &BackendStatistics::discovered);
  page.family("fairlead_backend_failed_total", MetricType::kCounter, "Those that did not end well, by cause.");
  for (const auto& backend : backends) {
    for (size_t i = 0; i < kCauses.size(); ++i) {
      page.sample("fairlead_backend_failed_total", {{"backend", backend.name}, {"cause", kCauses[i]}},
                  backend.counters.failed[i]);
    }
  }
  page.family("fairlead_backend_responses_total", MetricType::kCounter, "Responses by the status' first digit.");
  for (const auto& backend : backends) {
    for (size_t i = 0; i < kStatusClasses.size(); ++i) {
      page.sample("fairlead_backend_responses_total", {{"backend", backend.name}, {"status", kStatusClasses[i]}},
                  backend.counters.statuses[i]);
    }
  }
  page.family("fairlead_backend_latency_seconds", MetricType::kHistogram,
              "From a request's first byte until its response's last.");
  for (const auto& backend : backends) write_latency(page, backend);
}

// Calls f(backend, server).
template <typename F>
void for_each_server(const std::vector<BackendStatistics>& backends, F f) {
  for (const auto& backend : backends) {
    for (const auto& server : backend.servers) f(backend, server);
  }
}

void write_servers(Exposition& page, const std::vector<BackendStatistics>& backends) {
  for (const PlainFamily& family : kServerFamilies) {
    page.family(family.name, family.type, family.help);
    for_each_server(backends, [&](const BackendStatistics& backend, const ServerStatistics& server) {
      page.sample(family.name, {{"backend", backend.name}, {"server", server.name}}, family.value(server.counters));
    });
  }
  page.family("fairlead_server_latency_seconds_sum", MetricType::kCounter, "Sum of all measured latencies.");
  for_each_server(backends, [&](const BackendStatistics& backend, const ServerStatistics& server) {
    page.sample("fairlead_server_latency_seconds_sum", {{"backend", backend.name}, {"server", server.name}},
                to_seconds(server.counters.latency.sum()));
  });
}

void write_checks_by_backend(Exposition& page, const std::vector<CheckStatistics>& checks) {
  struct Sum {
    uint64_t checked = 0;
    uint64_t up = 0;
  };
  std::map<std::string_view, Sum> sums;
  for (const CheckStatistics& server : checks) {
    Sum& sum = sums[server.backend];
    ++sum.checked;
    sum.up += server.is_up;
  }
  auto family = [&](std::string_view name, std::string_view help, uint64_t Sum::* value) {
    page.family(name, MetricType::kGauge, help);
    for (const auto& [backend, sum] : sums) page.sample(name, {{"backend", backend}}, sum.*value);
  };
  family("fairlead_backend_checked_servers", "Servers whose health is checked.", &Sum::checked);
  family("fairlead_backend_up_servers", "Of these, those that may take requests.", &Sum::up);
}

void write_checks(Exposition& page, const std::vector<CheckStatistics>& checks) {
  auto family = [&](std::string_view name, MetricType type, std::string_view help, auto value) {
    page.family(name, type, help);
    for (const CheckStatistics& server : checks) {
      page.sample(name, {{"backend", server.backend}, {"server", server.server}}, value(server));
    }
  };
  family("fairlead_server_up", MetricType::kGauge,
         "1 where its checks let it take requests, 0 where it is down or waits for its first success.",
         [](const CheckStatistics& server) { return uint64_t{server.is_up}; });
  family("fairlead_server_checks_total", MetricType::kCounter, "Checks made.",
         [](const CheckStatistics& server) { return server.checks; });
  family("fairlead_server_check_failures_total", MetricType::kCounter, "Checks that failed.",
         [](const CheckStatistics& server) { return server.failures; });
}

void write_ejections(Exposition& page, const std::vector<EjectionStatistics>& ejections) {
  auto family = [&](std::string_view name, MetricType type, std::string_view help,
                    uint64_t EjectionStatistics::* value) {
    page.family(name, type, help);
    for (const EjectionStatistics& backend : ejections)
      page.sample(name, {{"backend", backend.backend}}, backend.*value);
  };
  family("fairlead_backend_ejected_servers", MetricType::kGauge, "Servers that are ejected as outliers.",
         &EjectionStatistics::ejected);
  family("fairlead_backend_ejections_total", MetricType::kCounter, "Ejections of servers.",
         &EjectionStatistics::ejections);
  family("fairlead_backend_ejections_refused_total", MetricType::kCounter,
         "Outliers that were not ejected, because as many were as may be.", &EjectionStatistics::refused);
}

void write_names(Exposition& page, const NameStatistics& names) {
  auto family = [&](std::string_view name, MetricType type, std::string_view help, uint64_t value) {
    page.family(name, type, help);
    page.sample(name, {}, value);
  };
  family("fairlead_names", MetricType::kGauge, "DNS names of servers and groups that are resolved.", names.watched);
  family("fairlead_name_lookups_total", MetricType::kCounter, "Lookups of names.", names.lookups);
  family("fairlead_name_lookup_failures_total", MetricType::kCounter, "Lookups that gave no address and no service.",
         names.failures);
}

}  // namespace

ProcessUsage read_process_usage() {
  ProcessUsage usage;
  uint64_t pages_of_all = 0;
  uint64_t pages_resident = 0;
  if (std::ifstream("/proc/self/statm") >> pages_of_all >> pages_resident) {
    usage.resident_bytes = pages_resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  }
  std::error_code error;
  std::filesystem::directory_iterator open_fds("/proc/self/fd", error);
  for (; !error && open_fds != std::filesystem::directory_iterator(); open_fds.increment(error)) ++usage.open_fds;
  return usage;
}

std::string format_prometheus(Statistics statistics, const ProcessFacts& process, uint64_t servers_max) {
  statistics.sum_by_name();
  uint64_t servers = 0;
  for (const auto& backend : statistics.backends) servers += backend.servers.size();
  // Those that are checked may not have been used, so that the two do not add up.
  servers = std::max<uint64_t>(servers, statistics.checks.size());
  bool leaves_servers_out = servers > servers_max;
  Exposition page;
  write_process(page, process);
  write_listeners(page, statistics.listeners);
  write_backends(page, statistics.backends);
  write_checks_by_backend(page, statistics.checks);
  write_ejections(page, statistics.ejections);
  write_names(page, statistics.names);
  if (!leaves_servers_out) {
    write_servers(page, statistics.backends);
    write_checks(page, statistics.checks);
  }
  page.family("fairlead_server_series_left_out", MetricType::kGauge, "Servers without series: there are too many.");
  page.sample("fairlead_server_series_left_out", {}, leaves_servers_out ? servers : 0);
  page.family("fairlead_access_log_lines_dropped_total", MetricType::kCounter,
              "Lines lost: the log's writer was behind.");
  page.sample("fairlead_access_log_lines_dropped_total", {}, statistics.log_lines_dropped);
  return page.take();
}

}  // namespace fairlead::observe
