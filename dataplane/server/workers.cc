#include "server/workers.h"

#include <algorithm>
#include <functional>
#include <mutex>
#include <random>

#include "proxy/explain.h"

namespace fairlead::server {

Workers::Workers(int count, std::string via_name, observe::AccessLog* access_log, const names::Settings& resolver)
    : via_name_(std::move(via_name)),
      current_(base::make_ref<config::Snapshot>()),
      checker_([this](std::vector<health::Result> results) { take_check_results(std::move(results)); },
               [this](config::BackendHandle backend) { gather_outcomes(backend); }),
      resolver_(resolver, [this](std::vector<names::Fact> facts) { take_name_facts(std::move(facts)); }) {
  shared_.on_errors([this](const upstream::ErrorsInARow& errors) {
    checker_.post_to_outliers([errors](health::Outliers& outliers) {
      outliers.take(health::ErrorReport{.backend = errors.backend,
                                        .slot = errors.slot,
                                        .server = errors.server,
                                        .errors = errors.errors,
                                        .gateway = errors.gateway});
    });
  });
  std::random_device seeds;
  for (int number = 0; number < count; ++number) {
    uint64_t seed = uint64_t{seeds()} << 32 | seeds();
    workers_.push_back(std::make_unique<Worker>(WorkerOptions{.number = number,
                                                              .seed = seed,
                                                              .shared = shared_,
                                                              .via_name = via_name_,
                                                              .access_log = access_log,
                                                              .process = &process_},
                                                current_.get(), [this] { report_adopted(); }));
  }
}

Workers::~Workers() {
  for (auto& [uid, listener] : bound_) std::ranges::for_each(listener.waiting, close_sockets);
  for (Accepting& accepting : held_) std::ranges::for_each(accepting.addresses, close_sockets);
}

void Workers::start(WorkerClass worker_class) {
  for (auto& worker : workers_) worker->start(worker_class);
  checker_.start();
}

void Workers::shed() {
  for (auto& worker : workers_) worker->post([](Worker& self) { self.listeners().shed(); });
}

void Workers::stop(runtime::Duration timeout, runtime::Duration idle_grace) {
  for (auto& [uid, listener] : bound_) {
    for (Open& open : listener.open) {
      std::lock_guard lock(mutex_);
      if (std::ranges::find(left_, open.endpoint) != left_.end()) open.file.forget();
    }
    listener.open.clear();  // and with them the files of Unix sockets
  }
  for (auto& worker : workers_) worker->stop(timeout, idle_grace);
  checker_.stop();
  resolver_.stop();
  for (auto& worker : workers_) worker->join();
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    // Their threads have ended, so this one may look.
    for (auto& worker : workers_) last_.merge(worker->statistics(true));
  }
  for (auto& worker : workers_) worker->join();  // for what was asked for until now
  checker_.join();
}

// ---- snapshots

config::Revision Workers::adopted_by_all() const {
  config::Revision oldest = std::numeric_limits<config::Revision>::max();
  for (auto& worker : workers_) oldest = std::min(oldest, worker->adopted_revision());
  return oldest;
}

void Workers::publish(base::Ref<const config::Snapshot> snapshot, std::function<void()> visible) {
  {
    std::lock_guard lock(mutex_);
    unseen_.push_back({snapshot->revision, std::move(visible)});
  }
  former_.push_back(std::exchange(current_, std::move(snapshot)));
  for (auto& worker : workers_) worker->publish(current_.get());
  reclaim();
  // Where it was visible already: the same revision once more.
  report_adopted();
}

void Workers::report_adopted() {
  std::vector<std::function<void()>> visible;
  {
    std::lock_guard lock(mutex_);
    config::Revision adopted = adopted_by_all();
    while (!unseen_.empty() && unseen_.front().revision <= adopted) {
      visible.push_back(std::move(unseen_.front().visible));
      unseen_.pop_front();
    }
  }
  for (auto& report : visible) report();
}

// A worker that has adopted a revision looks at no older one any more. On the publishing thread, so that no worker ever
// has to take a large snapshot apart.
void Workers::reclaim() {
  config::Revision adopted = adopted_by_all();
  while (!former_.empty() && former_.front()->revision < adopted) former_.pop_front();
}

// ---- draining

namespace {
struct DrainOfAllWorkers {
  std::atomic<size_t> waiting;
  std::atomic<uint64_t> cut_off = 0;
  std::function<void(store::Drained)> drained;
};
}  // namespace

void Workers::drain(const store::DrainOrder& order, std::function<void(store::Drained)> drained) {
  auto all = std::make_shared<DrainOfAllWorkers>();
  all->waiting = workers_.size();
  all->drained = std::move(drained);
  for (auto& worker : workers_) {
    worker->post([order, all](Worker& self) {
      auto done = [order, all](uint64_t cut_off) {
        all->cut_off += cut_off;
        if (--all->waiting == 0) all->drained({.server = order.server, .cut_off = all->cut_off});
      };
      upstream::DrainRequest request{
          .timeout = order.timeout, .jitter = order.jitter, .leaves = order.leaves, .done = std::move(done)};
      self.context().upstreams.drain(order.backend, order.slot, order.server, std::move(request));
    });
  }
}

void Workers::cancel_drain(config::BackendHandle backend, config::Slot slot, config::Uid server) {
  for (auto& worker : workers_) {
    worker->post([=](Worker& self) { self.context().upstreams.cancel_drain(backend, slot, server); });
  }
}

void Workers::close_connections(config::BackendHandle backend, config::Slot slot, config::Uid server) {
  for (auto& worker : workers_) {
    worker->post([=](Worker& self) { self.context().upstreams.close_connections(backend, slot, server); });
  }
}

void Workers::follow_pool(config::BackendHandle backend) {
  for (auto& worker : workers_) {
    worker->post([=](Worker& self) { self.context().upstreams.follow_settings(backend); });
  }
}

void Workers::close_idle_connections(config::BackendHandle backend, config::Slot slot, config::Uid server) {
  for (auto& worker : workers_) {
    worker->post([=](Worker& self) { self.context().upstreams.close_idle_connections(backend, slot, server); });
  }
}

// Each opens its share; who has one more than others goes by the server, so that few for each are spread as well.
void Workers::warm(std::vector<store::WarmOrder> orders) {
  auto all = std::make_shared<const std::vector<store::WarmOrder>>(std::move(orders));
  size_t workers = workers_.size();
  for (size_t i = 0; i < workers; ++i) {
    workers_[i]->post([all, i, workers](Worker& self) {
      for (const store::WarmOrder& order : *all) {
        size_t further = (i + order.slot) % workers < order.connections % workers ? 1 : 0;
        auto share = static_cast<uint32_t>(order.connections / workers + further);
        self.context().upstreams.warming().begin(order.backend, order.slot, order.server, share);
      }
    });
  }
}

// ---- checks

void Workers::on_check_results(std::function<void(std::vector<store::CheckResult>)> take) {
  on_check_results_ = std::move(take);
}

void Workers::take_check_results(std::vector<health::Result> results) {
  std::vector<store::CheckResult> told;
  told.reserve(results.size());
  for (health::Result& result : results) {
    told.push_back({.backend = result.backend,
                    .slot = result.slot,
                    .server = result.server,
                    .check = result.check,
                    .is_up = result.is_up,
                    .reason = std::move(result.reason),
                    .agent = std::move(result.agent),
                    .ejection = result.ejection});
  }
  std::vector<config::Uid> heard;
  for (const store::CheckResult& result : told) {
    if (settling_.is_on() && !result.ejection) heard.push_back(result.server);
  }
  on_check_results_(std::move(told));
  settling_.settle(heard);
}

void Workers::check(std::vector<store::CheckOrder> orders) {
  if (settling_.is_on()) {
    std::vector<config::Uid> servers;
    for (const store::CheckOrder& order : orders) servers.push_back(order.server->metadata.uid);
    settling_.expect(servers);
  }
  checker_.post([orders = std::move(orders)](health::Checker& checker) {
    for (const store::CheckOrder& order : orders) {
      checker.check(
          {.backend = order.backend, .server = order.server, .check = order.check, .in_service = order.in_service});
    }
  });
}

void Workers::change_checks(base::Ref<const config::Backend> backend) {
  checker_.post([backend = std::move(backend)](health::Checker& checker) { checker.change(backend); });
}

void Workers::stop_checks(std::vector<config::Uid> servers) {
  settling_.settle(servers);
  checker_.post([servers = std::move(servers)](health::Checker& checker) {
    for (config::Uid server : servers) checker.stop(server);
  });
}

// ---- outliers

void Workers::observe(base::Ref<const config::Backend> backend, uint64_t servers) {
  checker_.post_to_outliers(
      [backend = std::move(backend), servers](health::Outliers& outliers) { outliers.observe(backend, servers); });
}

void Workers::stop_observing(config::Uid backend) {
  checker_.post_to_outliers([backend](health::Outliers& outliers) { outliers.stop(backend); });
}

void Workers::forget_ejections(config::Uid backend, config::Uid server) {
  checker_.post_to_outliers([=](health::Outliers& outliers) { outliers.forget(backend, server); });
}

// ---- names

void Workers::on_name_facts(std::function<void(std::vector<store::NameFact>)> take) {
  on_name_facts_ = std::move(take);
}

void Workers::take_name_facts(std::vector<names::Fact> facts) {
  std::vector<store::NameFact> told;
  for (names::Fact& fact : facts) {
    told.push_back({.name = std::move(fact.name),
                    .addresses = std::move(fact.addresses),
                    .services = std::move(fact.services),
                    .present = fact.present,
                    .reason = std::move(fact.reason)});
  }
  std::vector<std::string> heard;
  for (const store::NameFact& fact : told) {
    if (settling_.is_on()) heard.push_back(fact.name);
  }
  on_name_facts_(std::move(told));
  settling_.settle(heard);
}

void Workers::resolve(std::vector<std::string> names) {
  settling_.expect(names);
  resolver_.watch(std::move(names));
}

void Workers::stop_resolving(std::vector<std::string> names) {
  settling_.settle(names);
  resolver_.forget(std::move(names));
}

// ---- statistics

namespace {
// What all workers tell, added up.
template <typename Sum>
struct Gathering {
  std::mutex mutex;
  size_t waiting;  // guarded by mutex
  Sum sum;         // guarded by mutex
  std::function<void(Sum)> done;

  Gathering(size_t workers, Sum none, std::function<void(Sum)> when_done)
      : waiting(workers), sum(std::move(none)), done(std::move(when_done)) {}

  // By each worker once; the last one's thread calls done().
  template <typename Add>
  void add(Add add) {
    std::lock_guard lock(mutex);
    add(sum);
    if (--waiting == 0) done(std::move(sum));
  }
};
}  // namespace

void Workers::gather_outcomes(config::BackendHandle backend) {
  using Sums = std::map<config::Uid, health::Outcomes>;
  auto done = [this, backend](Sums sums) {
    std::vector<health::Outcomes> counts;
    for (const auto& [uid, count] : sums) counts.push_back(count);
    checker_.post_to_outliers(
        [backend, counts = std::move(counts)](health::Outliers& outliers) { outliers.take(backend, counts); });
  };
  auto gathering = std::make_shared<Gathering<Sums>>(workers_.size(), Sums(), done);
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  for (auto& worker : workers_) {
    worker->post([gathering, backend](Worker& self) {
      std::vector<upstream::OutcomeCounts> part = self.context().upstreams.take_outcomes(backend);
      gathering->add([&](Sums& sums) {
        for (const upstream::OutcomeCounts& counts : part) {
          health::Outcomes& sum = sums[counts.server];
          sum.slot = counts.slot;
          sum.server = counts.server;
          sum.requests += counts.requests;
          sum.failures += counts.failures;
        }
      });
    });
  }
}

void Workers::collect(bool servers, std::function<void(observe::Statistics)> done) {
  // The checker's as well, and of ejections.
  auto gathering = std::make_shared<Gathering<observe::Statistics>>(workers_.size() + 2, observe::Statistics(), done);
  std::lock_guard lock(mutex_);
  if (stopped_) return done(last_);
  for (auto& worker : workers_) {
    worker->post([gathering, servers](Worker& self) {
      observe::Statistics part = self.statistics(servers);
      gathering->add([&](observe::Statistics& sum) { sum.merge(std::move(part)); });
    });
  }
  checker_.post([this, gathering, servers](health::Checker& checker) {
    auto checks = servers ? checker.statistics() : std::vector<observe::CheckStatistics>();
    const names::Resolver::Counts names = resolver_.counts();
    gathering->add([&](observe::Statistics& sum) {
      sum.checks = std::move(checks);
      sum.names = {names.watched, names.lookups, names.failures};
    });
  });
  checker_.post_to_outliers([gathering](health::Outliers& outliers) {
    auto ejections = outliers.statistics();
    gathering->add([&](observe::Statistics& sum) { sum.ejections = std::move(ejections); });
  });
}

void Workers::count_traffic(std::vector<observe::Carrier> carriers,
                            std::function<void(std::vector<observe::Traffic>)> done) {
  std::vector<observe::Traffic> none(carriers.size());
  auto gathering = std::make_shared<Gathering<std::vector<observe::Traffic>>>(workers_.size(), none, done);
  auto asked = std::make_shared<const std::vector<observe::Carrier>>(std::move(carriers));
  std::lock_guard lock(mutex_);
  if (stopped_) return done(std::move(none));
  for (auto& worker : workers_) {
    worker->post([gathering, asked](Worker& self) {
      std::vector<observe::Traffic> part = self.traffic(*asked);
      gathering->add(
          [&](std::vector<observe::Traffic>& sum) { std::ranges::transform(sum, part, sum.begin(), std::plus()); });
    });
  }
}

void Workers::explain(observe::Question question, std::function<void(observe::Explanation)> done) {
  std::lock_guard lock(mutex_);
  if (stopped_) return done({});
  workers_.front()->post([question = std::move(question), done = std::move(done)](Worker& self) {
    done(proxy::explain(self.context(), question));
  });
}

}  // namespace fairlead::server
