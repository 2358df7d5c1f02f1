// What happened, for people (the log) and for programs (a file of JSON lines):
//
//   {"time":1700000000.125,"event":"server_added","server":"app/s3","address":"127.0.0.1:4711",
//    "servers":3,"desired":4,"in_flight":17.5}
//
// | event             | meaning                                                                             |
// |-------------------|-------------------------------------------------------------------------------------|
// | recommendation    | another number of servers is desired                                                |
// | server_started    | its process answers                                                                 |
// | server_failed     | its process could not be started; "why"                                             |
// | server_adopted    | it ran already when this program started                                            |
// | server_added      | every connected data plane sends it requests                                        |
// | server_draining   | it is on its way out and takes nothing new                                          |
// | server_resumed    | it was draining and is wanted again                                                 |
// | server_drained    | it has nothing in flight on any data plane                                          |
// | server_deleted    | no data plane knows it any more; "cut_off" where requests were closed at a deadline |
// | server_stopped    | its process has ended, as asked                                                     |
// | server_exited     | its process ended by itself; "why"                                                  |
// | starts_delayed    | servers fail one after the other: the next start waits; "why" says how long         |
// | change_refused    | a data plane refused a change of the server; "why"; it is tried again               |
// | session_connected | "dataplane" is connected; "why" where it has lost its state                         |
// | session_lost      | "dataplane" is not; "why"                                                           |
// | standby           | a newer control plane is primary on "dataplane": this one only looks on             |
// | primary           | it is not any more: this one acts again                                             |
#pragma once

#include <string>

#include "absl/status/status.h"
#include "control/command.h"
#include "events/event_file.h"

namespace fairlead::control {

// One line, without its end.
std::string to_json(const Report& report, const std::string& backend);

class EventLog {
 public:
  // Without a file only the log for people.
  explicit EventLog(std::string backend) : backend_(std::move(backend)) {}

  // Appends to what is there.
  absl::Status open(const std::string& path) { return file_.open(path); }
  void write(const Report& report);

 private:
  std::string backend_;
  events::EventFile file_;
};

}  // namespace fairlead::control
