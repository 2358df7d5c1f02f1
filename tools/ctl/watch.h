// `fairleadctl watch`: events as lines.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "ctl/command.h"
#include "fairlead/v1/observation.pb.h"

namespace fairlead::ctl {

Result<void> run_watch(Context& context);

// "weight 10 -> 20, labels": the fields of the input form that differ.
std::string changed_fields(const google::protobuf::Message& before, const google::protobuf::Message& after);

// Turns events into lines; remembers resources, so that it can say what an update changed.
class WatchLines {
 public:
  explicit WatchLines(bool colour) : colour_(colour) {}

  // Without a line break; empty for an event that says nothing of its own (part of the snapshot).
  std::string line(const v1::WatchEventsResponse& event);

 private:
  std::string resource_line(const v1::ResourceEvent& event);
  std::string process_line(const v1::ProcessEvent& event) const;
  std::string backend_line(const v1::BackendEvent& event) const;
  std::string server_line(const v1::ServerEvent& event) const;
  std::string snapshot_line() const;

  bool colour_;
  // By title: what the event streams last said.
  std::map<std::string, v1::Resource> known_;
};

}  // namespace fairlead::ctl
