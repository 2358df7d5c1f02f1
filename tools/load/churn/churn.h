// Adds servers to a backend and deletes them again, one unary call after the other, and measures the calls.
//
// Writes whichever control plane is primary. Blocks its thread. A call that fails ends the run: nothing here may be
// refused.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "fairlead/v1/management.grpc.pb.h"
#include "generator/latency_histogram.h"

namespace fairlead::churn {

struct Settings {
  // "unix:/path" or "host:port", without TLS.
  std::string management;
  std::string backend;
  // Ports of servers that listen on all of 127.0.0.0/8. Each added server gets an address of its own, and the ports in
  // turn.
  std::vector<uint16_t> ports;
  uint32_t servers = 10000;
  // Servers that are there at once; beyond it, one drawn at random is deleted for each that is added.
  uint32_t window = 200;
  // Adds and deletes together; 0 is as fast as answers come.
  double operations_per_second = 500;
  uint32_t seed = 1;
};

class Churn {
 public:
  explicit Churn(Settings settings);

  // Adds and deletes all, so that in the end the backend has what it had before.
  absl::Status run();
  // One object of JSON.
  std::string summary() const;

 private:
  absl::Status add(uint32_t number);
  absl::Status remove_one();
  void pace();

  Settings settings_;
  std::unique_ptr<v1::ManagementService::Stub> stub_;
  std::mt19937 random_;
  std::vector<std::string> present_;
  runtime::TimePoint started_;
  uint64_t operations_ = 0;
  uint64_t added_ = 0;
  uint64_t deleted_ = 0;
  generator::LatencyHistogram add_latency_;
  generator::LatencyHistogram delete_latency_;
  double seconds_ = 0;
};

}  // namespace fairlead::churn
