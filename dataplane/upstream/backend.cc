#include "upstream/backend.h"

#include <algorithm>

namespace fairlead::upstream {

Backend::Backend(runtime::Loop& loop, base::Random& random, base::Ref<const config::Backend> settings)
    : loop_(loop), random_(random), settings_(std::move(settings)) {}

Backend::~Backend() { FAIRLEAD_CHECK(uses_ == 0); }

Server* Backend::pick(const config::BackendSnapshot& snapshot, std::span<const config::Uid> tried) {
  auto load_of = [this](const config::Server& record) -> uint32_t {
    Server* server = find(record.slot, record.metadata.uid);
    return server ? server->in_flight() : 0;
  };
  const config::Server* record = balancer_.pick(snapshot, random_, load_of, tried);
  return record ? &server_of(*record) : nullptr;
}

Server* Backend::find(config::Slot slot, config::Uid server) {
  if (slot < servers_.size() && servers_[slot] && servers_[slot]->uid() == server) return servers_[slot].get();
  for (auto& leaving : leaving_) {
    if (leaving->uid() == server) return leaving.get();
  }
  return nullptr;
}

Server& Backend::server_of(const config::Server& record) {
  if (record.slot < servers_.size()) [[likely]] {
    Server* server = servers_[record.slot].get();
    if (server && server->uid() == record.metadata.uid) [[likely]] {
      server->refresh(&record);
      return *server;
    }
  } else {
    servers_.resize(std::max<size_t>(record.slot + 1, servers_.size() * 2));
  }
  auto& holder = servers_[record.slot];
  // The slot's former holder has left the configuration; its drain ends it.
  if (holder) leaving_.push_back(std::move(holder));
  holder = std::make_unique<Server>(*this, loop_, base::Ref<const config::Server>(&record));
  return *holder;
}

void Backend::drain(config::Slot slot, config::Uid uid, DrainRequest request) {
  Server* server = find(slot, uid);
  if (!server) return request.done(0);
  server->drain(std::move(request));
}

void Backend::cancel_drain(config::Slot slot, config::Uid uid) {
  if (Server* server = find(slot, uid)) server->cancel_drain();
}

void Backend::forget(Server& server) {
  config::Slot slot = server.record().slot;
  if (slot < servers_.size() && servers_[slot].get() == &server) {
    servers_[slot].reset();
    return;
  }
  std::erase_if(leaving_, [&](auto& leaving) { return leaving.get() == &server; });
}

bool Backend::is_unused() const {
  auto busy = [](const std::unique_ptr<Server>& server) { return server && server->in_flight() > 0; };
  return uses_ == 0 && std::ranges::none_of(servers_, busy) && std::ranges::none_of(leaving_, busy);
}

uint32_t Backend::in_flight(config::Slot slot, config::Uid uid) {
  Server* server = find(slot, uid);
  return server ? server->in_flight() : 0;
}

observe::BackendStatistics Backend::statistics(bool servers) {
  observe::BackendStatistics result{.uid = uid(), .name = settings_->name, .counters = counters_, .servers = {}};
  result.counters.in_flight = uses_;
  if (!servers) return result;
  // Pointers are sorted: statistics have kilobytes each.
  std::vector<Server*> present;
  auto note = [&](const std::unique_ptr<Server>& server) {
    if (server) present.push_back(server.get());
  };
  std::ranges::for_each(servers_, note);
  std::ranges::for_each(leaving_, note);
  std::ranges::sort(present, {}, &Server::uid);
  result.servers.reserve(present.size());
  for (Server* server : present) {
    result.servers.push_back({server->uid(), server->record().name, server->counters()});
    result.servers.back().counters.in_flight = server->in_flight();
  }
  return result;
}

}  // namespace fairlead::upstream
