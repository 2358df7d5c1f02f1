// What is remembered of servers over a restart of this program: a small JSON file for each.
//
//   DIRECTORY/lock               held while a program uses the directory
//   DIRECTORY/highest            the highest number N of any server "sN"
//   DIRECTORY/servers/NAME.json  {"pid":..., "start":..., "address":...}; the address once it serves
//   DIRECTORY/servers/NAME.ready the ready file that the server writes
//   DIRECTORY/servers/NAME.log   its output; kept when it failed
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "providers/descriptor.h"
#include "providers/process.h"

namespace fairlead::providers {

struct Record {
  std::string name;
  ProcessId process;
  // Empty while it starts.
  std::string address;
};

class StateDirectory {
 public:
  // Makes it where it is missing. Fails where another program uses it.
  static absl::StatusOr<StateDirectory> open(const std::string& path);

  // Unreadable records are left out; the log says which.
  std::vector<Record> records() const;
  absl::Status write(const Record& record) const;
  // The record and the ready file, and with `log` that too.
  void remove(const std::string& name, bool log) const;

  int highest_number() const;
  absl::Status write_highest_number(int number) const;

  // Where records, ready files and logs are.
  const std::string& servers() const { return servers_; }
  std::string ready_file(const std::string& name) const;
  std::string log_file(const std::string& name) const;

 private:
  StateDirectory(std::string path, Descriptor lock);

  std::string path_;
  std::string servers_;
  Descriptor lock_;
};

// The address in a ready file: a JSON object whose "listen" is "ip:port" or a list that begins with it.
absl::StatusOr<std::string> parse_ready_file(absl::string_view text);

// Nothing where it cannot be read.
std::string read_file(const std::string& path);

}  // namespace fairlead::providers
