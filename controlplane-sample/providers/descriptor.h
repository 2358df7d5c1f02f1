// A file descriptor with an owner, and waiting for several of them.
#pragma once

#include <unistd.h>

#include <initializer_list>
#include <utility>

#include "absl/time/time.h"

namespace fairlead::providers {

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

// An event that happens once and stays.
Descriptor make_event();
void set_event(const Descriptor& event);

// Waits until one of these can be read, and returns its place among them, or -1 at the deadline. Those that are not
// valid are never readable.
int wait_readable(std::initializer_list<int> fds, absl::Time deadline);
// The same for writing, with one.
bool wait_writable(int fd, absl::Time deadline);

}  // namespace fairlead::providers
