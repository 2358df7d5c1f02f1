// The two ways of making load. Each is a coroutine that ends when all of its requests have ended.
#pragma once

#include <random>

#include "generator/client.h"
#include "generator/job_queue.h"
#include "generator/precise_timer.h"
#include "generator/results.h"
#include "generator/schedule.h"
#include "runtime/scope.h"

namespace fairlead::generator {

// What kinds of requests there are, as shares of all from 0 to 1.
struct Mix {
  double new_connections = 0;
  double slow = 0;
  double uploads = 0;
};

// Draws requests from a mix.
class Jobs {
 public:
  Jobs(const Mix& mix, uint32_t seed) : mix_(mix), random_(seed) {}
  Job draw(runtime::TimePoint due);

 private:
  Mix mix_;
  std::mt19937 random_;
};

// Requests are sent when they are due, whatever became of those before. Clients grow to `connections`; requests that
// find all of them busy wait, and the wait counts as latency.
class OpenLoad {
 public:
  struct Settings {
    Schedule schedule;
    Spacing spacing = Spacing::kPoisson;
    Mix mix;
    size_t connections = 1024;
    // More are not sent but failed: the generator's memory has a bound, too.
    size_t in_flight_max = 50000;
    uint32_t seed = 1;
  };
  OpenLoad(Clients& clients, Results& results, const Settings& settings);

  runtime::Task<void> run();
  // Nothing new becomes due.
  void stop();
  double rate_now() const;

 private:
  void dispatch(const Job& job);
  runtime::Task<void> serve_jobs();
  runtime::Task<void> serve_once(Job job);

  Clients& clients_;
  Results& results_;
  const Settings& settings_;
  runtime::TimePoint start_;
  Arrivals arrivals_;
  PreciseTimer timer_;
  JobQueue queue_;
  Jobs jobs_;
  size_t keep_alive_clients_ = 0;
  bool stopping_ = false;
  runtime::Scope scope_;
};

// Each of a fixed number of clients sends its next request when it has the answer to the last.
class ClosedLoad {
 public:
  struct Settings {
    size_t connections = 64;
    // Whatever comes first.
    uint64_t requests = UINT64_MAX;
    runtime::Duration duration{};
    Mix mix;
    uint32_t seed = 1;
  };
  ClosedLoad(Clients& clients, Results& results, const Settings& settings)
      : clients_(clients),
        results_(results),
        settings_(settings),
        jobs_(settings.mix, settings.seed),
        left_(settings.requests),
        scope_(clients.loop) {}

  runtime::Task<void> run();
  void stop() { left_ = 0; }

 private:
  runtime::Task<void> repeat();

  Clients& clients_;
  Results& results_;
  const Settings& settings_;
  Jobs jobs_;
  uint64_t left_;
  runtime::TimePoint end_;
  runtime::Scope scope_;
};

}  // namespace fairlead::generator
