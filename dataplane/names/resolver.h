// Resolves names again and again, on a thread that carries no traffic: orders in, facts out.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "names/lookup.h"
#include "names/name_table.h"

namespace fairlead::names {

class Resolver {
 public:
  using TakeFacts = std::function<void(std::vector<Fact>)>;

  // `take_facts` is called by run(), where what is known of a name has changed.
  Resolver(const Settings& settings, uint64_t seed, TakeFacts take_facts);

  // By any thread, in order. Each name is watched once before it is forgotten.
  void watch(std::vector<std::string> names);
  void forget(std::vector<std::string> names);
  // Ends run().
  void stop();

  // Until stop().
  void run();

  // By any thread: names that are watched now; questions that were asked of nameservers until now, one name at a time,
  // and those to which no address came.
  struct Counts {
    uint64_t watched = 0;
    uint64_t lookups = 0;
    uint64_t failures = 0;
  };
  Counts counts() const { return {watched_, lookups_made_, failures_}; }

 private:
  struct Order {
    std::string name;
    bool watch;
  };

  void post(std::vector<std::string> names, bool watch);
  // False: stop() was called.
  bool take_orders();
  void start_due();

  const TakeFacts take_facts_;
  NameTable table_;
  Lookups lookups_;
  std::vector<Fact> facts_;
  std::atomic<uint64_t> watched_ = 0;
  std::atomic<uint64_t> lookups_made_ = 0;
  std::atomic<uint64_t> failures_ = 0;

  std::mutex mutex_;
  std::vector<Order> orders_;  // guarded by mutex_
  bool stopped_ = false;       // guarded by mutex_
};

}  // namespace fairlead::names
