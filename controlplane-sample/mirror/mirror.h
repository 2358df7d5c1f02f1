// One data plane that is kept equal to a configuration. Pure: what is heard comes in, what is to be said goes out, time
// is an argument.
//
//   LOST ─▶ PUSHING ─▶ PROVING ─▶ EQUAL          (a digest that is equal when the session opens leads there at once)
//             ▲           │         │
//             ├─────── LOOKING ◀────┘  another digest: somebody else changed something
//             │         │   ▲
//             └──────▶ WAITING         something was refused, or a second try led nowhere
//
//   STANDBY: a newer control plane is primary. Looks on and says nothing, until the session is opened anew.
//
// What is there is only ever known from a digest that was equal: then the difference is said. In all other cases (the
// first session, lost state, somebody else's changes) everything is said within a resync, in which what is there
// already changes nothing; one in which something was refused is cancelled, so that nothing is removed for a mistake.
// After a failure all that is there is read, and the difference to that is said: so an address can pass from a listener
// that nobody knew of to one that is wanted.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "desired/configuration.h"
#include "desired/difference.h"
#include "fairlead/v1/management.pb.h"
#include "session/election.h"

namespace fairlead::mirror {

struct MirrorOptions {
  session::ElectionId election_id;
  // More is not removed at once: EndResync.max_removal_percent.
  unsigned max_removal_percent = 50;
  // After a failure; doubles with each that follows.
  absl::Duration retry_first = absl::Seconds(1);
  absl::Duration retry_most = absl::Seconds(30);
};

// What a data plane says of itself (GetInfo), with all that it has (ExportConfig, at the same version) where that was
// asked for.
struct Observed {
  std::uint64_t version = 0;
  // Empty where it is not that of what was found.
  std::string digest;
  session::ElectionId highest_election_id;
  std::shared_ptr<const desired::Configuration> found;
};

// For the data plane, over its stream.
struct Send {
  fairlead::v1::StreamUpdatesRequest request;
};
// An Observed is wanted.
struct Ask {
  bool with_export = false;
};
// For people and programs; the events are in report.h.
struct Told {
  std::string event;
  std::string why;
  std::string digest;
  std::uint64_t version = 0;
};
using Command = std::variant<Send, Ask, Told>;

enum class Standing { kLost, kStandby, kWorking, kFailed, kInSync };

class Mirror {
 public:
  Mirror(MirrorOptions options, std::shared_ptr<const desired::Configuration> want);

  // From now on it should be this.
  void want(absl::Time now, std::shared_ptr<const desired::Configuration> want);
  void opened(absl::Time now, const fairlead::v1::Opened& opened);
  void lost(const std::string& why);
  void heard(absl::Time now, const fairlead::v1::TransactionResult& result);
  void heard(absl::Time now, const Observed& observed);
  // When it is time for what retry_at() says.
  void tick(absl::Time now);
  absl::Time retry_at() const { return state_ == State::kWaiting ? retry_at_ : absl::InfiniteFuture(); }

  std::vector<Command> take_commands();
  Standing standing() const;
  // Why it is not in sync, for people.
  const std::string& problem() const { return problem_; }
  std::uint64_t version() const { return version_; }

 private:
  enum class State { kLost, kStandby, kPushing, kProving, kLooking, kEqual, kWaiting };

  void push(absl::Time now);
  void push_difference(absl::Time now);
  void resync();
  // With a result's id: whether the resync had to be ended, which now is under way.
  bool end_resync(const fairlead::v1::TransactionResult& result);
  void send(fairlead::v1::Transaction transaction);
  void note_failure(const fairlead::v1::TransactionResult& result);
  void pushed(absl::Time now);
  void prove(absl::Time now, const Observed& observed);
  void look(absl::Time now, const Observed& observed);
  void equal(absl::Time now);
  void stand_by(const std::string& primary);
  void fail(absl::Time now, const std::string& event, std::string why);
  void tell(std::string event, std::string why = "");

  const MirrorOptions options_;
  desired::BatchLimits limits_;
  std::shared_ptr<const desired::Configuration> want_;
  // What is being pushed or was last.
  std::shared_ptr<const desired::Configuration> pushed_;
  // What a digest has shown to be there; null where nobody knows.
  std::shared_ptr<const desired::Configuration> held_;
  State state_ = State::kLost;
  std::uint64_t version_ = 0;
  // Ids grow over all sessions.
  std::uint64_t last_id_ = 0;
  bool resync_open_ = false;
  // 0: not sent yet.
  std::uint64_t end_resync_id_ = 0;
  bool cancelled_ = false;
  // Of the push that is under way.
  std::string failure_;
  std::size_t failures_ = 0;
  // Pushes in a row that did not lead to an equal digest.
  int attempts_ = 0;
  // What is looked at is for another try.
  bool retrying_ = false;
  absl::Time retry_at_ = absl::InfiniteFuture();
  std::string problem_ = "not connected yet";
  std::vector<Command> commands_;
};

}  // namespace fairlead::mirror
