// Servers as processes of this machine.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "providers/launch.h"
#include "providers/provider.h"
#include "providers/state_directory.h"

namespace fairlead::providers {

// Each server has a thread that tells its process's life from start to end. Destroying the provider leaves the
// processes that serve running and ends the threads; a process that is only starting is ended, as nobody would know it.
class ProcessProvider final : public Provider {
 public:
  // `listener` is called from any thread, several at a time, and must not block for long.
  ProcessProvider(LaunchOptions options, StateDirectory state, std::function<void(Event)> listener);
  ~ProcessProvider() override;
  ProcessProvider(const ProcessProvider&) = delete;
  ProcessProvider& operator=(const ProcessProvider&) = delete;

  Recovery recover() override;
  void start(const std::string& name) override;
  void adopt(const Instance& instance) override;
  void stop(const std::string& name) override;

 private:
  class Keeper;

  void keep(const std::string& name, std::unique_ptr<Keeper> keeper);

  const LaunchOptions options_;
  const StateDirectory state_;
  const std::function<void(Event)> listener_;
  int highest_number_ = 0;
  std::map<std::string, std::unique_ptr<Keeper>> keepers_;
};

}  // namespace fairlead::providers
