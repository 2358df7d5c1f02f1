// What `top` shows, from the samples of a statistics stream. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "fairlead/v1/observation.pb.h"
#include "fairlead/v1/resources.pb.h"

namespace fairlead::ctl {

// Of one interval, counts for each second.
struct TopNumbers {
  double rate = 0;
  double failures = 0;
  double server_errors = 0;
  double bytes = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t queued = 0;
  // Zero where nothing finished.
  std::uint64_t p50_us = 0;
  std::uint64_t p99_us = 0;
};

struct TopServer {
  std::string name;
  std::string address;
  v1::Lifecycle lifecycle = v1::LIFECYCLE_UNSPECIFIED;
  v1::Health health = v1::HEALTH_UNSPECIFIED;
  bool ejected = false;
  std::uint32_t weight = 0;
  TopNumbers numbers;
  // Statistics have only servers that had something to do; this one is known from the list.
  bool unused = false;
};

struct TopBackend {
  std::string name;
  std::uint64_t eligible = 0;
  TopNumbers numbers;
  std::vector<TopServer> servers;
  // Rates of the last samples, the newest last.
  std::deque<double> history;
};

struct TopListener {
  std::string name;
  std::uint64_t connections = 0;
  double accepted = 0;
  double refused = 0;
};

// Upper bound of the bucket in which `share` (0 to 1) of the values is reached; 0 without values.
std::uint64_t quantile_us(const v1::Histogram& histogram, double share);
TopNumbers numbers_of(const v1::Counters& counters, double seconds);

enum class TopSort { kName, kRate, kInFlight, kLatency, kErrors };

class TopModel {
 public:
  static constexpr std::size_t kHistory = 60;

  void update(const v1::StreamStatisticsResponse& sample);
  // Addresses, weights and unused servers, which statistics do not carry.
  void update_servers(const v1::ListServersResponse& servers);

  const std::vector<TopBackend>& backends() const { return backends_; }
  const std::vector<TopListener>& listeners() const { return listeners_; }
  const TopNumbers& total() const { return total_; }
  const std::deque<double>& history() const { return history_; }
  std::uint64_t version() const { return version_; }
  std::uint64_t samples() const { return samples_; }

 private:
  TopBackend backend_of(const v1::BackendStatistics& statistics, double seconds);
  // With what the list of servers knows.
  void complete(TopBackend& backend) const;

  std::vector<TopBackend> backends_;
  std::vector<TopListener> listeners_;
  TopNumbers total_;
  std::deque<double> history_;
  std::map<std::string, std::deque<double>> histories_;
  // By backend and name.
  std::map<std::string, std::map<std::string, v1::Server>> details_;
  std::uint64_t version_ = 0;
  std::uint64_t samples_ = 0;
};

// By the key, the greatest first, names rising; equal ones by name.
void sort_servers(std::vector<TopServer>& servers, TopSort sort);

}  // namespace fairlead::ctl
