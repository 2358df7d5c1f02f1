// What changed, told to whoever watches. An event is made once and shared by all who read it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "fairlead/v1/observation.pb.h"
#include "store/transaction.h"

namespace fairlead::store {

// `before` is set for CHANGE_UPDATED; a deleted resource is told as it was.
struct ServerChange {
  v1::Change change;
  ServerView server;
  base::Ref<const config::Server> before{};
};
struct BackendChange {
  v1::Change change;
  BackendView backend;
  base::Ref<const config::Backend> before{};
};
struct ListenerChange {
  v1::Change change;
  ListenerView listener;
  base::Ref<const config::Listener> before{};
};
struct CertificateChange {
  v1::Change change;
  CertificateView certificate;
  base::Ref<const config::Certificate> before{};
};
// A step in a server's life.
struct ServerStep {
  std::string backend;
  std::string name;
  config::Uid uid = 0;
  v1::Lifecycle lifecycle = v1::LIFECYCLE_UNSPECIFIED;
  uint64_t cut_off = 0;
  // Where its checks or its agent have changed something, with what they found or said.
  v1::Health health = v1::HEALTH_UNSPECIFIED;
  std::string reason{};
  // Where it was ejected, or (`is_ejected` is false) has returned, with the reason of that.
  base::Ref<const Ejection> ejection{};
  bool is_ejected = false;
  // Where its name has changed it: the address that it has now, if any, and why.
  std::string resolved_address{};
  std::string resolution{};
  // Where its backend's discovery has found it, changed it, or finds it no more: the SRV name.
  std::string discovered_by{};
};

// Which servers a backend uses has changed, or what is known of its discovery.
struct BackendStep {
  std::string backend;
  Tiers::Use use;
  std::optional<DiscoveryView> discovery{};
};

// The process is short of something, or is not any more.
struct ProcessStep {
  v1::OverloadStep overload = v1::OVERLOAD_STEP_UNSPECIFIED;
  std::string reason;
};

struct Event {
  std::variant<ServerChange, BackendChange, ListenerChange, CertificateChange, ServerStep, BackendStep, ProcessStep>
      what;
  config::WallTime time{};
  config::Version version = 0;
  // Grows by one with each event, and in a later life goes on further up.
  uint64_t number = 0;
  // Of a step: who deleted the server or changed its admin state; who added one that is READY for the first time.
  std::shared_ptr<const Origin> origin{};
};

using EventBatch = std::shared_ptr<const std::vector<Event>>;

// One watcher's queue: the store pushes, the watcher takes. Shared by both; the store lets go of it when the watcher
// has.
class EventQueue {
 public:
  static constexpr size_t kWaitingMax = 100'000;

  // `ready` is called on the store's thread when something waits and nothing did, or when the queue overflowed.
  // `session`: only the steps that this session caused.
  EventQueue(std::optional<uint64_t> session, std::function<void()> ready)
      : session_(session), ready_(std::move(ready)) {}

  struct Taken {
    EventBatch batch;  // keeps `event` alive
    const Event* event = nullptr;
  };
  // Null event: nothing waits.
  Taken take();
  // More waited than a watcher may be behind: it has lost events, and what it has is worth nothing any more.
  bool overflowed() const;

  // By the store only: nothing up to this number is delivered, nor what a watcher has seen that knows this version
  // whole; it may not have seen all its steps.
  struct Start {
    config::Version version = 0;
    uint64_t number = 0;
  };
  void start_after(const Start& start) { start_ = start; }
  void push(const EventBatch& batch);

 private:
  bool concerns(const Event& event) const;

  const std::optional<uint64_t> session_;
  const std::function<void()> ready_;
  Start start_;
  mutable std::mutex mutex_;
  std::deque<Taken> waiting_;  // guarded by mutex_
  bool overflowed_ = false;    // guarded by mutex_
};

}  // namespace fairlead::store
