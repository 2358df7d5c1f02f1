// Of the model: servers that DNS names, which are facts and no configuration.
#include <chrono>
#include <utility>

#include "base/check.h"
#include "store/model.h"

namespace fairlead::store {

// So that the next life of the process does not use them again.
config::Uid Model::first_discovered_uid() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  return config::kDiscoveredUids + static_cast<config::Uid>(microseconds);
}

config::Metadata Model::discovered_metadata(config::WallTime now) {
  return {++last_discovered_uid_, version_, now, now};
}

const config::Server& Model::add_discovered(BackendState& backend, base::Ref<config::Server> server, bool in_service) {
  FAIRLEAD_CHECK(undo_.empty() && server->is_discovered());
  base::Ref<const config::Server> added = server;
  add_server(backend, std::move(server));
  undo_.clear();
  base::Ref<const Health> health = backend.health_of(added->slot);
  if (in_service && health && health->is_pending()) {
    set_health(backend, added->slot, begin_check(Health::State::kPresumed));
  }
  unpublished_health_ = true;
  return *added;
}

void Model::change_discovered(BackendState& backend, const base::Ref<const config::Server>& before,
                              base::Ref<config::Server> after) {
  FAIRLEAD_CHECK(undo_.empty() && before->is_discovered());
  after->slot = before->slot;
  after->metadata = {before->metadata.uid, version_, before->metadata.create_time, after->metadata.update_time};
  replace_server(backend, before, base::Ref<const config::Server>(std::move(after)));
  undo_.clear();
  unpublished_health_ = true;
}

void Model::remove_discovered(BackendState& backend, const base::Ref<const config::Server>& server,
                              DepartingServer departing) {
  FAIRLEAD_CHECK(undo_.empty() && server->is_discovered());
  remove_server(backend, server, std::move(departing));
  undo_.clear();
  unpublished_health_ = true;
}

}  // namespace fairlead::store
