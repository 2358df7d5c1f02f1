// What metrics and GetInfo say of the writing half: there for any thread, also while the store's own waits for the
// disk.
#pragma once

#include <chrono>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "observe/histogram.h"
#include "observe/prometheus.h"
#include "store/digest.h"
#include "store/election.h"
#include "store/reader.h"

namespace fairlead::store {

class Facts {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct View {
    std::vector<observe::CertificateFacts> certificates;
    // In microseconds, of each transaction that changed something: from when it was received until its changes were
    // durable and all workers used them.
    observe::Histogram change_durations;
  };
  // As of the last commit.
  struct Configuration {
    config::Version version = 0;
    Digest digest;
    ElectionId highest_election_id;
    Reader::Counts counts{};
  };
  Configuration configuration() const {
    std::lock_guard lock(mutex_);
    return configuration_;
  }
  View view() const {
    std::lock_guard lock(mutex_);
    return view_;
  }

  // On the store's thread. `received`: of changes that are durable and used `now`.
  void note_changes(std::span<const TimePoint> received, TimePoint now) {
    std::lock_guard lock(mutex_);
    for (TimePoint one : received) {
      auto duration = std::chrono::duration_cast<std::chrono::microseconds>(now - one);
      view_.change_durations.record(static_cast<uint64_t>(duration.count()));
    }
  }
  void set_configuration(const Configuration& configuration) {
    std::lock_guard lock(mutex_);
    configuration_ = configuration;
  }
  void set_certificates(std::vector<observe::CertificateFacts> certificates) {
    std::lock_guard lock(mutex_);
    view_.certificates = std::move(certificates);
  }

 private:
  mutable std::mutex mutex_;
  View view_;                    // guarded by mutex_
  Configuration configuration_;  // guarded by mutex_
};

}  // namespace fairlead::store
