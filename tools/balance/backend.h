// A backend of many servers in a model of its own, changed and published as the store does.
#pragma once

#include <cstdint>
#include <string>

#include "store/model.h"

namespace fairlead::balance {

class Backend {
 public:
  // With so many distinct weights, 1 to `weights`; with one, all have the backend's.
  Backend(const config::Backend& settings, uint32_t servers, uint32_t weights);

  const config::BackendSnapshot& snapshot() const { return *snapshot_->find(handle_); }
  uint32_t servers() const { return servers_; }

  // One server leaves, or the one that left last comes back, as a server of the same name. Each ends with the
  // publication, and with the end of the former snapshot.
  void remove(uint32_t number);
  void add(uint32_t number);
  // What the store does when the last worker has nothing in flight there any more.
  void forget_removed();

 private:
  base::Ref<config::Server> make_server(uint32_t number) const;
  static std::string name_of(uint32_t number);
  store::BackendState& state() { return *model_.find_backend("web"); }
  void publish();

  store::Model model_;
  config::BackendHandle handle_;
  uint32_t servers_;
  uint32_t weights_;
  config::Uid removed_ = 0;
  base::Ref<const config::Snapshot> snapshot_;
};

}  // namespace fairlead::balance
