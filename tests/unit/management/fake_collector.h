// What workers count, as a test says it.
#pragma once

#include <algorithm>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "observe/statistics.h"

namespace fairlead::management {

class FakeCollector : public observe::Collector {
 public:
  void set(observe::Statistics statistics) {
    std::lock_guard lock(mutex_);
    statistics_ = std::move(statistics);
  }
  // So often full statistics were asked for.
  int collections() {
    std::lock_guard lock(mutex_);
    return collections_;
  }
  void collect(bool, std::function<void(observe::Statistics)> done) override {
    observe::Statistics copy;
    {
      std::lock_guard lock(mutex_);
      ++collections_;
      copy = statistics_;
    }
    done(std::move(copy));
  }
  void count_traffic(std::vector<observe::Carrier> carriers,
                     std::function<void(std::vector<observe::Traffic>)> done) override {
    std::vector<observe::Traffic> counts;
    {
      std::lock_guard lock(mutex_);
      for (const observe::Carrier& carrier : carriers) counts.push_back(std::visit(TrafficOf{statistics_}, carrier));
    }
    done(std::move(counts));
  }
  // Tells what it was asked.
  void explain(observe::Question question, std::function<void(observe::Explanation)> done) override {
    observe::Explanation explanation;
    std::string tls = question.sni;
    for (const std::string& protocol : question.alpn) tls += " " + protocol;
    explanation.reasons = {question.source, question.head, tls};
    if (question.head.starts_with("CONNECT")) explanation.refusal = "connect";
    done(std::move(explanation));
  }

 private:
  struct TrafficOf {
    const observe::Statistics& statistics;
    observe::Traffic operator()(const observe::ServerHandle& handle) const {
      const observe::BackendStatistics* backend = find(statistics.backends, handle.backend.uid);
      const observe::ServerStatistics* server = backend ? find(backend->servers, handle.uid) : nullptr;
      return server ? of(server->counters) : observe::Traffic();
    }
    observe::Traffic operator()(const config::BackendHandle& handle) const {
      const observe::BackendStatistics* backend = find(statistics.backends, handle.uid);
      return backend ? of(backend->counters) : observe::Traffic();
    }
    observe::Traffic operator()(const observe::ListenerHandle& handle) const {
      const observe::ListenerStatistics* listener = find(statistics.listeners, handle.uid);
      return listener ? observe::Traffic{listener->connections, 0} : observe::Traffic();
    }
    static observe::Traffic of(const observe::Counters& counters) { return {counters.in_flight, counters.queued}; }
    template <typename Item>
    static const Item* find(const std::vector<Item>& items, config::Uid uid) {
      auto at = std::ranges::find(items, uid, &Item::uid);
      return at == items.end() ? nullptr : &*at;
    }
  };

  std::mutex mutex_;
  observe::Statistics statistics_;
  int collections_ = 0;
};

}  // namespace fairlead::management
