#include "sim_world/proxy_world.h"

#include <string>

namespace fairlead::sim {

Worker::Worker(SimNetwork& network, int number, uint64_t seed, upstream::Shared& shared)
    : host(network, "worker " + std::to_string(number), "10.0.0.1"),
      context(host.loop, seed, shared, "fairlead-test"),
      listeners(context) {
  // The year 2023, and then as the loop says.
  context.wall_clock = [this] {
    auto since = std::chrono::duration_cast<std::chrono::system_clock::duration>(host.loop.now().time_since_epoch());
    return std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000) + since);
  };
}

void Worker::look_at(const base::Ref<const config::Snapshot>& published) {
  if (held == published) return;
  context.upstreams.adopt(published.get());
  held = published;
}

ProxyWorld::ProxyWorld(uint64_t seed, int workers) : network_(seed) {
  publish();
  for (int i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(network_, i, seed + static_cast<uint64_t>(i), shared_));
    Worker* worker = workers_.back().get();
    worker->look_at(published_);
    worker->host.loop.set_turn_hook([this, worker] { worker->look_at(published_); });
  }
}

ProxyWorld::~ProxyWorld() {
  if (!workers_.empty()) shut_down();
  EXPECT_EQ(network_.open_sockets(), std::vector<std::string>());
}

config::Endpoint ProxyWorld::open_listener(const std::string& name, const config::Listener& settings) {
  auto record = configuration_.set_listener(name, settings);
  publish();
  config::Endpoint bound;
  auto open = std::make_shared<proxy::SharedListener>();
  for (auto& worker : workers_) {
    // All workers listen at one address.
    int fd =
        worker->host.driver.listen(worker == workers_.front() ? config::Endpoint::parse("10.0.0.1:0").value() : bound);
    bound = worker->host.driver.local_address(fd);
    worker->look_at(published_);
    worker->listeners.accept(record, {{.endpoint = bound, .fd = fd}}, open);
  }
  return bound;
}

void ProxyWorld::close_listener(const std::string& name) {
  config::Uid uid = configuration_.listener(name)->metadata.uid;
  configuration_.delete_listener(name);
  publish();
  for (auto& worker : workers_) {
    worker->host.loop.post_message([target = worker.get(), uid] { target->listeners.finish(uid, kIdleGrace); });
  }
}

void ProxyWorld::drain(config::BackendHandle backend, const config::Server& record, bool leaves,
                       std::optional<Duration> timeout, std::function<void(uint64_t)> drained, Duration jitter) {
  struct All {
    size_t waiting;
    uint64_t cut_off = 0;
    std::function<void(uint64_t)> drained;
  };
  auto all = std::make_shared<All>(All{.waiting = workers_.size(), .drained = std::move(drained)});
  for (auto& worker : workers_) {
    Worker* target = worker.get();
    target->host.loop.post_message([=, slot = record.slot, uid = record.metadata.uid] {
      upstream::DrainRequest request{
          .timeout = timeout, .jitter = jitter, .leaves = leaves, .done = [all](uint64_t cut_off) {
            all->cut_off += cut_off;
            if (--all->waiting == 0) all->drained(all->cut_off);
          }};
      target->context.upstreams.drain(backend, slot, uid, std::move(request));
    });
  }
}

void ProxyWorld::delete_server(const std::string& backend, const std::string& name, std::optional<Duration> timeout,
                               std::function<void(uint64_t)> drained, Duration jitter) {
  auto record = configuration_.delete_server(backend, name);
  publish();
  drain(configuration_.backend(backend), *record, true, timeout, std::move(drained), jitter);
}

observe::BackendStatistics ProxyWorld::statistics(const std::string& backend) {
  observe::Statistics sum;
  for (auto& worker : workers_) {
    observe::Statistics one;
    one.backends = worker->context.upstreams.statistics(true);
    sum.merge(one);
  }
  for (auto& entry : sum.backends) {
    if (entry.uid == configuration_.backend(backend).uid) return entry;
  }
  return {};
}

void ProxyWorld::shut_down() {
  for (auto& worker : workers_) {
    worker->listeners.finish_all(kIdleGrace);
    worker->context.upstreams.warming().stop();
  }
  auto joined = [this] {
    for (auto& worker : workers_) {
      if (worker->context.upstreams.warming().under_way() > 0) return false;
      for (auto& entry : worker->listeners.statistics()) return (void)entry, false;
    }
    return true;
  };
  if (!network_.run_until(joined, std::chrono::hours(1))) {
    ADD_FAILURE() << "sessions are left after the end of all clients";
    for (auto& worker : workers_) worker->listeners.cut_off_all();
    network_.run_until(joined, std::chrono::hours(1));
  }
  for (auto& worker : workers_) EXPECT_EQ(worker->context.buffers.in_use(), 0u);
  workers_.clear();
}

}  // namespace fairlead::sim
