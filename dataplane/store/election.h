// Who may write: the control plane with the highest election id, or a person who says so.
//
// Decided for each transaction in its turn, so that what an old primary sends after the new one's first is refused, and
// what it had finished stays. Belongs to the store's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/failure.h"
#include "journal/rows.h"

namespace fairlead::store {

using ElectionId = journal::ElectionId;
// "7", "1:7".
std::string to_text(const ElectionId& id);

// By what right a transaction writes.
struct Fence {
  enum class Kind : uint8_t {
    // The data plane's own: its configuration file.
    kOwn,
    // A session's; without an id it is an observer's.
    kSession,
    // A call's: with an id, with `override_primary`, or with neither.
    kCall,
  };
  Kind kind = Kind::kOwn;
  std::optional<ElectionId> election_id{};
  bool override_primary = false;
};

class Election {
 public:
  // The highest id that was ever used; {0, 0} for none. Must survive restarts.
  ElectionId value() const { return highest_; }
  // What value() was in an earlier life of this state.
  void restore(ElectionId highest) { highest_ = highest; }

  // A session opens. Of sessions with the highest id the newest is primary.
  void announce(uint64_t session, ElectionId id);
  bool is_primary(uint64_t session, ElectionId id) const { return id == highest_ && session == primary_; }
  // Why this may not be written; the failure's resource is left empty. A call's higher id becomes the highest. What
  // only validates is no write.
  std::optional<api::Failure> check(const Fence& fence, uint64_t session, bool validate_only);

 private:
  std::optional<std::string> check_session(const Fence& fence, uint64_t session) const;
  std::optional<std::string> check_call(const Fence& fence, bool validate_only);

  ElectionId highest_;
  // The session that used the highest id last; 0 where a call raised it, or an earlier life did.
  uint64_t primary_ = 0;
};

}  // namespace fairlead::store
