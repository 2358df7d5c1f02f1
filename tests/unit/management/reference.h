// What the schema says that operations do, done in the simplest way: maps of messages that are copied for each
// transaction. Knows nothing of the data plane's code.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fairlead/v1/management.pb.h"

namespace fairlead::management {

// Any of these may be given where several things are wrong with one operation. Empty: it succeeds.
using Reasons = std::set<v1::Reason>;

template <typename Message>
struct Held {
  Message message;
  // Of the resource's life: another one for each that is created.
  uint64_t life = 0;
  // In which it last changed.
  uint64_t version = 0;
};

struct ExpectedFailure {
  // Absent where the transaction as a whole is refused.
  std::optional<uint32_t> index;
  Reasons reasons;
};

struct Expected {
  v1::Outcome outcome = v1::OUTCOME_UNCHANGED;
  uint64_t version = 0;
  std::vector<ExpectedFailure> failures{};
};

class Reference {
 public:
  using ServerKey = std::pair<std::string, std::string>;

  explicit Reference(uint64_t version = 0) { state_.version = version; }

  Expected apply(const v1::Transaction& transaction);

  // A resync of everything, of one session. What it names from here on is marked, whatever becomes of it.
  struct Resync {
    std::set<std::string> marked;
    // Lives at its beginning.
    std::set<uint64_t> there;
  };
  Resync begin_resync() const;
  static void mark(Resync& resync, const v1::Transaction& transaction);
  // Without a guard against removing much.
  Expected end_resync(const Resync& resync);

  uint64_t version() const { return state_.version; }
  // Without metadata and status.
  v1::Resources resources() const;
  std::string digest() const;
  const std::map<std::string, Held<v1::Listener>>& listeners() const { return state_.listeners; }
  const std::map<std::string, Held<v1::Backend>>& backends() const { return state_.backends; }
  const std::map<ServerKey, Held<v1::Server>>& servers() const { return state_.servers; }
  // What a balancer may pick.
  uint64_t eligible(const std::string& backend) const;

 private:
  struct State {
    uint64_t version = 0;
    std::map<std::string, Held<v1::Listener>> listeners;
    std::map<std::string, Held<v1::Backend>> backends;
    std::map<ServerKey, Held<v1::Server>> servers;
  };
  enum class Mode { kUpsert, kCreate, kReplace };

  Reasons apply(const v1::Operation& operation);
  // Of a listener that stays and its backend that does not: none.
  bool remove_unnamed(const Resync& resync);
  Reasons write(const v1::Resource& resource, Mode mode);
  Reasons write(const v1::Backend& backend, Mode mode);
  Reasons patch(const v1::Patch& patch);
  Reasons remove(const v1::Delete& request);
  Reasons faults(const v1::Listener& listener) const;
  Reasons faults(const v1::Backend& backend) const;
  Reasons faults(const v1::Server& server) const;
  template <typename Key, typename Message>
  Reasons put(std::map<Key, Held<Message>>& map, const Key& key, const Message& message, Mode mode);
  template <typename Key, typename Message>
  Reasons patch(std::map<Key, Held<Message>>& map, const Key& key, const Message& message,
                const google::protobuf::FieldMask& mask);
  template <typename Key, typename Message>
  void erase(std::map<Key, Held<Message>>& map, const Key& key) {
    changed_ |= map.erase(key) > 0;
  }

  State state_;
  uint64_t last_life_ = 0;
  // The transaction at work.
  bool changed_ = false;
  // Listeners as it leaves them, where it holds as a whole; empty: deleted.
  std::map<std::string, v1::Listener> at_end_;
};

}  // namespace fairlead::management
