// A configuration that a test changes step by step, and the snapshots that come of it: what the store does, without its
// checks. Resources are named; slots and uids are given as the store gives them.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "config/snapshot.h"

namespace fairlead::sim {

class Configuration {
 public:
  // Adds, or replaces the settings of the same name.
  void set_backend(const std::string& name, const config::Backend& settings = config::Backend());
  void delete_backend(const std::string& name);
  void add_server(const std::string& backend, const std::string& name, const config::Endpoint& address);
  void set_weight(const std::string& backend, const std::string& name, std::optional<uint16_t> weight);
  void set_max_connections(const std::string& backend, const std::string& name, std::optional<uint32_t> limit);
  void set_min_connections(const std::string& backend, const std::string& name, uint32_t least);
  void set_admin_state(const std::string& backend, const std::string& name, config::AdminState state);
  // Since then it begins to take requests, as the backend's slow start says; by the clock of workers' loops.
  void begin_slowly(const std::string& backend, const std::string& name, config::Duration since);
  // What its checks say.
  void set_fit(const std::string& backend, const std::string& name, bool fit);
  // Gives its record as it was.
  base::Ref<const config::Server> delete_server(const std::string& backend, const std::string& name);
  // Adds, or replaces the record of the same name; routes to backends that exist.
  base::Ref<const config::Listener> set_listener(const std::string& name, const config::Listener& settings);
  void delete_listener(const std::string& name);

  config::BackendHandle backend(const std::string& name) const;
  base::Ref<const config::Server> server(const std::string& backend, const std::string& name) const;
  base::Ref<const config::Backend> backend_record(const std::string& name) const { return backends_.at(name).settings; }
  std::string name_of(const std::string& backend, config::Uid server) const;
  bool is_fit(const std::string& backend, const std::string& name) const {
    return !backends_.at(backend).unfit.contains(server(backend, name)->metadata.uid);
  }
  base::Ref<const config::Listener> listener(const std::string& name) const { return listeners_.at(name); }
  base::Ref<const config::Snapshot> snapshot();

 private:
  struct BackendState {
    base::Ref<const config::Backend> settings;
    config::EligibleServers eligible;
    std::map<std::string, base::Ref<const config::Server>> servers;
    std::set<config::Uid> unfit{};
    std::map<config::Slot, config::Duration> starting{};
    // In the last snapshot.
    bool counted = false;
    bool total_counted = false;
  };

  void replace_server(const std::string& backend, base::Ref<config::Server> after);
  base::Ref<config::Server> copy_server(const std::string& backend, const std::string& name) const;

  config::Uid last_uid_ = 0;
  std::map<std::string, BackendState> backends_;
  std::map<std::string, base::Ref<const config::Listener>> listeners_;
  config::Version last_version_ = 0;
  config::Revision counting_since_ = 0;
};

}  // namespace fairlead::sim
