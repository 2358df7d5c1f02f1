// The control loop as a pure state machine: events in, commands out, time is an argument. It decides how many servers
// there should be (scaling/) and leaves to the fleet how they come and go.
//
// It reads before it acts: nothing is started or sent out until the first data plane has told what it has, the others
// too or `startup_grace` is over, and it is known which servers of an earlier life still run.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "control/command.h"
#include "control/fleet.h"
#include "providers/provider.h"
#include "scaling/load_book.h"
#include "scaling/recommender.h"
#include "scaling/start_backoff.h"
#include "session/events.h"
#include "sources/load_source.h"

namespace fairlead::control {

struct ControllerOptions {
  scaling::ScalingPolicy policy;
  scaling::LoadBookOptions load;
  FleetOptions fleet;
  absl::Duration startup_grace = absl::Seconds(5);
  scaling::StartBackoffOptions start_backoff;
};

// How things stand, for metrics.
struct Standing {
  // That every connected data plane has.
  int servers = 0;
  int wanted = 0;
  int desired = 0;
  double in_flight = 0;
  int dataplanes_connected = 0;
};

class Controller {
 public:
  Controller(ControllerOptions options, std::vector<std::string> dataplanes, absl::Time now);

  // First of all.
  void recovered(absl::Time now, const providers::Recovery& recovery);

  void heard(absl::Time now, const providers::Event& event);
  void heard(absl::Time now, std::size_t dataplane, const session::Event& event);
  void heard(absl::Time now, std::size_t dataplane, const sources::LoadSample& sample);
  // Every interval: the moment of decision.
  void tick(absl::Time now);

  // All servers are deleted and stopped, none is started any more. Over when finished().
  void shut_down(absl::Time now);
  bool finished() const { return shutting_down_ && (fleet_.empty() || standing_by()); }
  // A newer control plane is primary on some data plane. Until that changes (with a data plane that lost its state)
  // this one only looks on.
  bool standing_by() const { return fleet_.standing_by(); }

  Commands take_commands();
  Standing standing() const;

 private:
  bool may_scale(absl::Time now) const;
  void scale(absl::Time now);
  void scale_out(absl::Time now, int count);
  void failed(absl::Time now, const std::string& server);
  void report_change(absl::Time now, int desired);
  void report(absl::Time now, const std::string& event, std::string why);

  ControllerOptions options_;
  std::size_t dataplanes_;
  absl::Time started_;
  std::vector<bool> heard_from_;
  scaling::LoadBook load_;
  scaling::Recommender recommender_;
  scaling::StartBackoff backoff_;
  Fleet fleet_;
  Commands commands_;

  double in_flight_ = 0;
  int desired_ = 0;
  // The highest number that a name was made of.
  int last_number_ = 0;
  bool shutting_down_ = false;
};

}  // namespace fairlead::control
