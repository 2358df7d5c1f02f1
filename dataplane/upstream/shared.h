// What the workers of a process know together of backends and servers: all that has to be one thing for all of them.
//
// Outlives the workers. A worker comes here when it first uses something, and keeps what it was given: this is no part
// of a request's path.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/ref.h"
#include "config/model.h"
#include "upstream/shared_queue.h"
#include "upstream/stick_table.h"

namespace fairlead::upstream {

class Shared;

// Of a server's, over all workers.
struct ErrorsInARow {
  config::BackendHandle backend;
  config::Slot slot = 0;
  config::Uid server = 0;
  uint32_t errors = 0;
  // They were counted as gateway errors.
  bool gateway = false;
};

// What is in flight on one server over all workers. Any thread.
class SharedLoad {
 public:
  SharedLoad(const SharedLoad&) = delete;
  SharedLoad& operator=(const SharedLoad&) = delete;

  uint32_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  // Counts one more, unless there are `limit` already; 0 is no limit. Whoever has entered leaves.
  bool try_enter(uint32_t limit) {
    if (limit == 0) return enter(), true;
    uint32_t now = in_flight_.load(std::memory_order_relaxed);
    do {
      if (now >= limit) return false;
    } while (!in_flight_.compare_exchange_weak(now, now + 1, std::memory_order_acquire, std::memory_order_relaxed));
    return true;
  }
  // Whatever the limit is: for what is in flight already.
  void enter() { in_flight_.fetch_add(1, std::memory_order_acquire); }
  // Before whoever leaves looks whether anybody waits.
  void leave() { in_flight_.fetch_sub(1, std::memory_order_seq_cst); }

  // Who waits for a place there and nowhere else: nobody else takes one meanwhile.
  uint32_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  void begin_to_wait() { waiting_.fetch_add(1, std::memory_order_relaxed); }
  void end_to_wait() { waiting_.fetch_sub(1, std::memory_order_relaxed); }

  // Errors in a row: what workers write rarely, and read while all is well. True: there are `limit` of them, and the
  // next one is the first again; 0 is no limit.
  bool add_error(uint32_t limit) { return add(errors_, limit); }
  bool add_gateway_error(uint32_t limit) { return add(gateway_errors_, limit); }
  void end_errors() { end(errors_); }
  void end_gateway_errors() { end(gateway_errors_); }

 private:
  friend class Shared;
  friend class SharedLoadRef;

  static bool add(std::atomic<uint32_t>& errors, uint32_t limit) {
    if (limit == 0) return false;
    if (errors.fetch_add(1, std::memory_order_relaxed) + 1 < limit) return false;
    errors.store(0, std::memory_order_relaxed);
    return true;
  }
  static void end(std::atomic<uint32_t>& errors) {
    if (errors.load(std::memory_order_relaxed) > 0) [[unlikely]]
      errors.store(0, std::memory_order_relaxed);
  }

  SharedLoad(Shared& owner, config::Uid backend, base::Ref<const config::Server> record)
      : owner_(owner), backend_(backend), record_(std::move(record)) {}

  std::atomic<uint32_t> in_flight_ = 0;
  std::atomic<uint32_t> waiting_ = 0;
  std::atomic<uint32_t> keepers_ = 0;
  std::atomic<uint32_t> errors_ = 0;
  std::atomic<uint32_t> gateway_errors_ = 0;
  Shared& owner_;
  const config::Uid backend_;
  // Its name and address are the key.
  const base::Ref<const config::Server> record_;
};

// What is in flight on all servers of one backend over all workers, where its load is bounded. Any thread.
class SharedTotal {
 public:
  uint64_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }
  void enter() { in_flight_.fetch_add(1, std::memory_order_relaxed); }
  void leave() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> in_flight_ = 0;
};

// What a backend's circuit limits count. Any thread.
class SharedCircuit {
 public:
  class Count {
   public:
    uint32_t now() const { return now_.load(std::memory_order_relaxed); }
    // Counts one more, unless there are `limit` already. Whoever has entered leaves.
    bool try_enter(uint32_t limit) {
      uint32_t now = now_.load(std::memory_order_relaxed);
      do {
        if (now >= limit) return false;
      } while (!now_.compare_exchange_weak(now, now + 1, std::memory_order_relaxed));
      return true;
    }
    void enter() { now_.fetch_add(1, std::memory_order_relaxed); }
    void leave() { now_.fetch_sub(1, std::memory_order_relaxed); }

   private:
    std::atomic<uint32_t> now_ = 0;
  };
  Count requests;
  Count retries;
  Count connections;
};

// Keeps a SharedLoad. One for each worker that has used the server, and not for each request.
class SharedLoadRef {
 public:
  SharedLoadRef() = default;
  SharedLoadRef(SharedLoadRef&& other) noexcept : load_(std::exchange(other.load_, nullptr)) {}
  SharedLoadRef& operator=(SharedLoadRef other) noexcept {
    std::swap(load_, other.load_);
    return *this;
  }
  ~SharedLoadRef();

  SharedLoad* get() const { return load_; }
  SharedLoad& operator*() const { return *load_; }
  SharedLoad* operator->() const { return load_; }
  explicit operator bool() const { return load_ != nullptr; }

 private:
  friend class Shared;
  // It was counted as a keeper.
  explicit SharedLoadRef(SharedLoad* load) : load_(load) {}

  SharedLoad* load_ = nullptr;
};

// Who takes all of a STICKY backend. Any thread.
class SharedHolder {
 public:
  // 0: nobody yet. For the path of a request: it changes rarely.
  config::Uid uid() const { return uid_.load(std::memory_order_acquire); }
  // As balancing::StickyHolder, by somebody who knows the backend as it is in `revision`. Whoever knows a former one
  // changes nothing: what is gone there may be back by now.
  config::Uid elect(config::Uid gone, config::Uid next, config::Revision revision);

 private:
  std::atomic<config::Uid> uid_ = 0;
  std::mutex mutex_;
  config::Revision elected_in_ = 0;  // guarded by mutex_
};

class Shared {
 public:
  Shared() = default;
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared();

  // By backend, name and address, not by uid: a server that is deleted and added again is the same machine, which may
  // still be busy with what it had before.
  SharedLoadRef load_of(config::Uid backend, const base::Ref<const config::Server>& record);
  std::shared_ptr<SharedHolder> holder_of(config::Uid backend) { return one_of(holders_, backend); }
  // Whoever has entered keeps it.
  std::shared_ptr<SharedTotal> total_of(config::Uid backend) { return one_of(totals_, backend); }
  std::shared_ptr<StickTable> table_of(config::Uid backend) { return one_of(tables_, backend); }
  std::shared_ptr<SharedCircuit> circuit_of(config::Uid backend) { return one_of(circuits_, backend); }
  std::shared_ptr<SharedQueue> queue_of(config::Uid backend) { return one_of(queues_, backend); }
  // Hears of errors in a row where they are as many as the backend's outlier detection allows, on the worker's thread.
  // Before there are workers.
  void on_errors(std::function<void(const ErrorsInARow&)> heard) { on_errors_ = std::move(heard); }
  void report(const ErrorsInARow& errors) const {
    if (on_errors_) on_errors_(errors);
  }
  // Servers that somebody keeps the load of.
  size_t loads() const;

 private:
  friend class SharedLoadRef;

  struct Key {
    config::Uid backend;
    const config::Server& record;
  };
  static Key key_of(const SharedLoad* load) { return {load->backend_, *load->record_}; }
  static Key key_of(const Key& key) { return key; }
  struct Hash {
    using is_transparent = void;
    size_t operator()(const auto& of) const { return hash(key_of(of)); }
    static size_t hash(const Key& key);
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const { return equal(key_of(a), key_of(b)); }
    static bool equal(const Key& a, const Key& b);
  };

  // An entry whose value nobody has any more is replaced, or goes when others are added.
  template <typename T>
  using ByBackend = absl::flat_hash_map<config::Uid, std::weak_ptr<T>>;

  void release(SharedLoad& load);
  template <typename T>
  std::shared_ptr<T> one_of(ByBackend<T>& all, config::Uid backend);

  std::function<void(const ErrorsInARow&)> on_errors_;
  mutable std::mutex mutex_;
  absl::flat_hash_set<SharedLoad*, Hash, Equal> loads_;  // guarded by mutex_
  ByBackend<SharedHolder> holders_;                      // guarded by mutex_
  ByBackend<SharedTotal> totals_;                        // guarded by mutex_
  ByBackend<StickTable> tables_;                         // guarded by mutex_
  ByBackend<SharedCircuit> circuits_;                    // guarded by mutex_
  ByBackend<SharedQueue> queues_;                        // guarded by mutex_
};

template <typename T>
std::shared_ptr<T> Shared::one_of(ByBackend<T>& all, config::Uid backend) {
  std::lock_guard lock(mutex_);
  if (auto known = all.find(backend); known != all.end()) {
    if (auto value = known->second.lock()) return value;
  }
  absl::erase_if(all, [](const auto& entry) { return entry.second.expired(); });
  auto value = std::make_shared<T>();
  all[backend] = value;
  return value;
}

}  // namespace fairlead::upstream
