// One StreamUpdates session as a control plane in a hurry holds it: sends while the window has room, and knows when
// each transaction was answered. Two threads: the caller's sends, one of its own reads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "fairlead/v1/management.grpc.pb.h"
#include "generator/latency_histogram.h"

namespace fairlead::updates {

class Session {
 public:
  using Clock = std::chrono::steady_clock;

  // "unix:/path" or "host:port", without TLS.
  explicit Session(const std::string& management);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Returns when `opened` is here.
  absl::Status open(const std::string& client_name, uint64_t election_id);

  // Waits until the window has room for `operations`, gives the message an id, and sends it. The message may be changed
  // and sent again at once.
  absl::Status send(v1::StreamUpdatesRequest& request, uint64_t operations);
  // Waits until everything that was sent is answered.
  absl::Status await_answers();

  // Of the newest answer.
  uint64_t version();
  // Operations that are answered.
  uint64_t answered();
  // From each send() to its answer.
  generator::LatencyHistogram latencies();

 private:
  struct Sent {
    uint64_t id;
    uint64_t operations;
    Clock::time_point time;
  };

  void read();
  void on_result(const v1::TransactionResult& result);
  absl::Status ended_status();

  std::unique_ptr<v1::ManagementService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StreamUpdatesRequest, v1::StreamUpdatesResponse>> stream_;
  std::thread reader_;
  uint64_t last_id_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  // All below guarded by mutex_.
  bool opened_ = false;
  bool ended_ = false;
  absl::Status failure_;
  uint64_t window_ = 0;
  uint64_t unanswered_ = 0;
  uint64_t answered_ = 0;
  uint64_t version_ = 0;
  std::deque<Sent> sent_;
  generator::LatencyHistogram latencies_;
};

}  // namespace fairlead::updates
