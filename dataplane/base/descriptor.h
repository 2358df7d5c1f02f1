// Owns a file descriptor, and closes it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace fairlead::base {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Descriptor() { reset(); }

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  // The caller's to close from now on.
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    int before = std::exchange(fd_, fd);
    if (before >= 0) ::close(before);
  }
  // Another descriptor of the same file; none where there are too many.
  static Descriptor copy_of(int fd) { return Descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

 private:
  int fd_ = -1;
};

}  // namespace fairlead::base
