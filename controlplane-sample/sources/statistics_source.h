// The load as the data plane itself counts it, over StreamStatistics.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "session/tls_files.h"
#include "sources/load_source.h"

namespace fairlead::sources {

struct StatisticsOptions {
  // "unix:/path" or "host:port".
  std::string dataplane;
  session::TlsFiles tls = {};
  std::string backend;
  // 10 ms to 1 h.
  absl::Duration interval = absl::Milliseconds(500);
  absl::Duration first_wait = absl::Milliseconds(100);
  absl::Duration longest_wait = absl::Seconds(5);
  std::uint64_t seed = 0;
};

// Begins again by itself when the stream ends. It runs a thread of its own, and destroying it ends and joins it.
class StatisticsSource {
 public:
  // `listener` is called from the source's thread and must not block for long.
  StatisticsSource(StatisticsOptions options, LoadListener listener);
  ~StatisticsSource();
  StatisticsSource(const StatisticsSource&) = delete;
  StatisticsSource& operator=(const StatisticsSource&) = delete;

  // Drops the stream and begins anew: for when the data plane is known to be gone while the stream only hangs.
  void restart();

 private:
  class Reader;
  std::unique_ptr<Reader> reader_;
};

}  // namespace fairlead::sources
