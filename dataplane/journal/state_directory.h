// The folder that a data plane keeps its state in, and the lock that keeps a second one out. The lock ends with the
// process, however it ends. Any thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace fairlead::journal {

class StateDirectory {
 public:
  // Makes the folder where only itself is missing. Refuses, saying why, where its parent is missing, it is no folder,
  // cannot be written, or another process has it: that one's id is named.
  static absl::StatusOr<StateDirectory> open(const std::string& path);

  StateDirectory(StateDirectory&& other) noexcept;
  StateDirectory& operator=(StateDirectory&& other) noexcept;
  ~StateDirectory();

  const std::string& path() const { return path_; }
  std::string file(const char* name) const { return path_ + "/" + name; }
  // What was created, renamed and removed in it is durable afterwards.
  absl::Status flush() const;

  // Whether this object's lock is the one that others find there.
  bool is_in_place() const;
  // Where the folder was removed or is another one, takes that as open() does.
  absl::Status take_place();

  // Whether a process has it now: 0 for none, else its id (or -1 where it does not say).
  static int holder(const std::string& path);

 private:
  StateDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_ = -1;
};

}  // namespace fairlead::journal
