// The servers of the backend and where each stands in its life, on every data plane. Pure: facts come in, commands go
// out, time is an argument.
//
//   start ─▶ STARTING ─▶ SERVING ─▶ DRAINING ─▶ DELETING ─▶ STOPPING ─▶ (gone)
//                           ▲           │           ▲
//                           └─ resume ──┘           └── from any of them, when its process ends by itself
//
// Nothing is sent as a sequence of commands that could break in the middle: `settle` compares what each data plane is
// known to have with what the phase asks for and sends the difference. So a lost session, a data plane that restarts
// empty and a restart of this program need no code of their own: whatever is listed is compared again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "control/command.h"
#include "providers/provider.h"
#include "session/events.h"

namespace fairlead::control {

struct FleetOptions {
  // How long a draining server may finish what it has; then it is deleted and the rest is cut off.
  absl::Duration drain_timeout = absl::Seconds(30);
  // A data plane out of reach may go on sending requests to a server, so a server waits for it this long on its way
  // out.
  absl::Duration lost_grace = absl::Minutes(1);
  // Before a refused change is tried again.
  absl::Duration refused_wait = absl::Seconds(2);
};

class Fleet {
 public:
  Fleet(FleetOptions options, std::vector<std::string> dataplanes, absl::Time now);

  // Wishes.
  void start(absl::Time now, const std::string& name);
  // Takes back up to `count` servers that are on their way out but not yet deleted; returns how many it found.
  int resume(absl::Time now, int count);
  // Sends up to `count` serving servers out, those with the least of `load` first, the newest of equals; returns how
  // many.
  int retire(absl::Time now, int count, const std::function<std::uint64_t(const std::string&)>& load);
  // All servers leave at once, without a drain.
  void abandon_all();

  // Facts.
  void recovered(absl::Time now, const providers::Instance& instance);
  void heard(absl::Time now, const providers::Event& event);
  void heard(absl::Time now, std::size_t dataplane, const session::Event& event);

  // Moves every server on as far as it can go and sends what is missing. After each turn of facts and wishes.
  void settle(absl::Time now);
  Commands take_commands();

  // Servers that are wanted: starting or serving.
  int wanted() const;
  // Servers that every connected data plane has.
  int added() const;
  // An earlier life's servers of which it is not known yet whether they live.
  bool adopting() const;
  bool empty() const { return servers_.empty(); }
  bool connected(std::size_t dataplane) const { return dataplanes_[dataplane].connected; }
  bool any_connected() const;
  // A newer control plane is primary on some data plane: whatever is decided here is for it to decide.
  bool standing_by() const;
  // The highest number N of any server "sN" ever seen.
  int highest_number() const { return highest_number_; }

 private:
  enum class Phase { kAdopting, kStarting, kServing, kDraining, kDeleting, kStopping };

  // A server on one data plane.
  struct Membership {
    session::Presence presence = session::Presence::kUnknown;
    // A change is under way.
    bool unanswered = false;
    // Of the configuration, when this was learnt; older listings do not count.
    std::uint64_t version = 0;
    absl::Time retry_at = absl::InfinitePast();
  };

  struct Server {
    providers::Instance instance;
    int number = 0;
    Phase phase = Phase::kStarting;
    // Its process lives, as far as is known.
    bool running = false;
    // Every connected data plane has it, and that was reported.
    bool added = false;
    absl::Time drain_deadline = absl::InfiniteFuture();
    std::uint64_t cut_off = 0;
    std::vector<Membership> memberships;
  };

  struct Unanswered {
    std::string server;
    session::ChangeKind kind;
  };

  struct Dataplane {
    std::string address;
    bool connected = false;
    absl::Time lost_since;
    std::uint64_t epoch = 0;
    // As of when it was last connected.
    bool superseded = false;
    std::map<std::uint64_t, Unanswered> unanswered;
  };

  Server& insert(providers::Instance instance, Phase phase);
  Server* find(const std::string& name);
  void report(absl::Time now, absl::string_view event, const Server& server, std::string why = "");
  void report(absl::Time now, absl::string_view event, const Dataplane& dataplane, std::string why = "");

  void superseded(absl::Time now, Dataplane& by, std::string why);

  void on(absl::Time now, const providers::Started& event);
  void on(absl::Time now, const providers::StartFailed& event);
  void on(absl::Time now, const providers::Adopted& event);
  void on(absl::Time now, const providers::NotAdopted& event);
  void on(absl::Time now, const providers::Exited& event);
  void on(absl::Time now, const providers::Stopped& event);

  void on(absl::Time now, std::size_t dataplane, const session::Connected& event);
  void on(absl::Time now, std::size_t dataplane, const session::Listed& event);
  void on(absl::Time now, std::size_t dataplane, const session::Lost& event);
  void on(absl::Time now, std::size_t dataplane, const session::Done& event);
  void on(absl::Time now, std::size_t dataplane, const session::Refused& event);
  void on(absl::Time now, std::size_t dataplane, const session::Moved& event);
  void learn(std::size_t dataplane, const session::Listing& listing);
  void done(std::size_t dataplane, const Unanswered& change, std::uint64_t version, bool unchanged);

  void advance(absl::Time now, Server& server);
  void submit_missing(absl::Time now, const Server& server, std::size_t dataplane, Membership& membership);
  // Every data plane has it in one of these, or is out of reach for so long that it does not count any more.
  bool everywhere(absl::Time now, const Server& server, std::initializer_list<session::Presence> presences) const;
  bool where_connected(const Server& server, session::Presence presence) const;

  FleetOptions options_;
  std::vector<Dataplane> dataplanes_;
  std::map<std::string, Server> servers_;
  Commands commands_;
  std::uint64_t last_change_ = 0;
  int highest_number_ = 0;
};

// N of "sN"; 0 for other names.
int number_of(absl::string_view name);

}  // namespace fairlead::control
