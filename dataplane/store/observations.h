// Which backends' traffic is observed for outliers: follows the model with orders to the reading half. Belongs to the
// store's thread.
#pragma once

#include "absl/container/flat_hash_map.h"
#include "store/model.h"
#include "store/reading_half.h"

namespace fairlead::store {

class Observations {
 public:
  explicit Observations(ReadingHalf& reading_half) : reading_half_(reading_half) {}

  // As the backend is now.
  void follow(const BackendState& backend) {
    config::Uid uid = backend.settings->metadata.uid;
    if (!backend.settings->outlier_detection) return stop(uid);
    Told now{backend.settings, backend.would_take_requests()};
    Told& before = told_[uid];
    if (before.settings == now.settings && before.servers == now.servers) return;
    before = now;
    reading_half_.observe(now.settings, now.servers);
  }
  // It is deleted, or not observed any more.
  void stop(config::Uid backend) {
    if (told_.erase(backend) > 0) reading_half_.stop_observing(backend);
  }
  void forget(config::Uid backend, config::Uid server) {
    if (told_.contains(backend)) reading_half_.forget_ejections(backend, server);
  }

 private:
  struct Told {
    base::Ref<const config::Backend> settings;
    uint64_t servers = 0;
  };

  ReadingHalf& reading_half_;
  absl::flat_hash_map<config::Uid, Told> told_;
};

}  // namespace fairlead::store
