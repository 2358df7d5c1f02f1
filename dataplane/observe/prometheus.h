// Statistics as a page for Prometheus (text format 0.0.4).
//
// The page holds exactly what the statistics hold: a server's series end with the server. Counters count since the
// process started. Pure but for read_process_usage().
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/model.h"
#include "observe/histogram.h"
#include "observe/statistics.h"

namespace fairlead::observe {

inline constexpr std::string_view kPrometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

struct ProcessUsage {
  uint64_t resident_bytes = 0;
  uint64_t open_fds = 0;
};
// Of this process, from /proc; zeros where that cannot be read.
ProcessUsage read_process_usage();

struct JournalFacts {
  // It takes writes.
  bool writable = false;
  uint64_t bytes = 0;
};

struct CertificateFacts {
  std::string name;
  // Since 1970.
  std::chrono::seconds not_after{};
};

// Of the management API.
struct ManagementFacts {
  // Calls and transactions that the client's role does not allow.
  uint64_t denied = 0;
  struct Tls {
    uint64_t connections = 0;
    uint64_t connections_refused = 0;
    uint64_t handshakes_done = 0;
    uint64_t handshakes_failed = 0;
    uint64_t reloads_done = 0;
    uint64_t reloads_refused = 0;
    // Of the certificate in service; since 1970.
    std::chrono::seconds not_after{};
  };
  std::optional<Tls> tls{};
};

struct ProcessFacts {
  std::string version;
  // Compiler and kind of build, for people.
  std::string build;
  std::chrono::duration<double> uptime{};
  unsigned workers = 0;
  config::Version configuration_version = 0;
  ProcessUsage usage;
  // None: nothing is kept.
  std::optional<JournalFacts> journal{};
  // What is done while memory or descriptors are short: 0 nothing, 1 no keep-alive, 2 no new connections, 3 idle ones
  // are closed.
  unsigned overload_step = 0;
  std::vector<CertificateFacts> certificates{};
  // In microseconds: transactions, from when they were received until all workers used what they changed.
  Histogram change_durations{};
  ManagementFacts management{};
};

// A page costs about 700 bytes for each server. With more servers than this in all backends together there are no
// series of servers at all (a part of them would be a wrong sum), and a gauge says how many were left out.
inline constexpr uint64_t kServerSeriesMax = 20'000;

// Series have names and no uids: see Statistics::sum_by_name().
std::string format_prometheus(Statistics statistics, const ProcessFacts& process,
                              uint64_t servers_max = kServerSeriesMax);

}  // namespace fairlead::observe
