// Data planes and processes around a real Controller, in virtual time. One seed decides every delay.
//
// It checks as it goes what must always hold: no process is stopped while a data plane that is connected still has it,
// nothing is deleted that was not drained (unless its process died), and a data plane never has two changes of one
// server under way.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "control/controller.h"

namespace fairlead::control {

struct WorldOptions {
  ControllerOptions controller;
  int dataplanes = 1;
  std::uint64_t seed = 1;
  absl::Duration interval = absl::Milliseconds(500);
  absl::Duration start_delay_most = absl::Seconds(2);
  absl::Duration drain_delay_most = absl::Seconds(3);
};

class World {
 public:
  explicit World(WorldOptions options);

  // Requests in flight over all data planes, by seconds since the start.
  std::function<double(double)> load = [](double) { return 0.0; };
  // Called after each tick.
  std::function<void()> each_tick = [] {};
  bool starts_fail = false;
  // How long a process serves before it ends by itself.
  absl::Duration lifetime = absl::InfiniteDuration();
  bool drains_end = true;

  void run_for(absl::Duration duration);
  // A new life of the controller; processes and data planes stay. With `forget` its memory of the processes is
  // gone, provided that the data planes know them all.
  void restart_controller(bool forget = false);
  void lose_session(int dataplane);
  // `empty`: with a new epoch and no servers.
  void connect_session(int dataplane, bool empty = false);
  // A newer control plane is (or is no longer) primary there; it shows with the next change or the next session.
  void supersede(int dataplane, bool superseded);
  void kill_process(std::string name);

  Controller& controller() { return *controller_; }
  double seconds() const;
  // Servers that take requests there.
  int ready_on(int dataplane) const;
  // Changes that it took.
  int applied_on(int dataplane) const { return dataplanes_[dataplane].applied; }
  bool has(int dataplane, const std::string& name) const { return dataplanes_[dataplane].servers.contains(name); }
  const std::map<std::string, bool>& processes() const { return processes_; }
  const std::vector<Report>& reports() const { return reports_; }
  int count(const std::string& event) const;
  // Names of the servers with this event, in order.
  std::vector<std::string> servers_of(const std::string& event) const;
  // Gives one server so much more in flight than others.
  std::map<std::string, std::uint64_t> extra_in_flight;

 private:
  struct There {
    std::string address;
    session::Labels labels;
    session::Presence presence = session::Presence::kReady;
  };
  struct Dataplane {
    bool connected = false;
    bool superseded = false;
    int applied = 0;
    std::uint64_t epoch = 1;
    std::uint64_t version = 1;
    // Changes with every session and every life of the controller: what was on its way then arrives nowhere.
    std::uint64_t session = 0;
    std::map<std::string, There> servers;
    std::map<std::string, int> under_way;
    // Changes are applied in the order in which they were sent.
    absl::Time last_applied = absl::InfinitePast();
  };
  struct Event {
    absl::Time time;
    std::uint64_t order;
    std::function<void()> happen;
    bool operator<(const Event& other) const { return time != other.time ? time > other.time : order > other.order; }
  };

  void after(absl::Duration delay, std::function<void()> happen);
  absl::Duration between(absl::Duration least, absl::Duration most);
  void tick();
  void tell(int dataplane, session::Event event);
  void tell(providers::Event event);
  void perform_all();
  void perform(const StartServer& command);
  void perform(const AdoptServer& command);
  void perform(const StopServer& command);
  void perform(const SubmitChange& command);
  void perform(const Report& report) { reports_.push_back(report); }
  void apply(int dataplane, const session::Change& change);
  void drained(int dataplane, const std::string& name);
  session::Listing list(int dataplane) const;
  sources::LoadSample sample(int dataplane) const;

  WorldOptions options_;
  std::mt19937_64 random_;
  absl::Time start_ = absl::FromUnixSeconds(1'700'000'000);
  absl::Time now_ = start_;
  std::uint64_t order_ = 0;
  // Of the controller; what was meant for an earlier one arrives nowhere.
  std::uint64_t life_ = 0;
  std::priority_queue<Event> events_;
  std::vector<Dataplane> dataplanes_;
  // True where it serves, false while it starts.
  std::map<std::string, bool> processes_;
  int highest_number_ = 0;
  std::vector<Report> reports_;
  std::unique_ptr<Controller> controller_;
};

}  // namespace fairlead::control
