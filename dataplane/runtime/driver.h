// What a loop needs of the world: sockets, readiness, time. Two implementations: epoll_driver.h over the kernel, and
// the simulated one of the tests, which runs the same sessions over a network of its own with virtual time.
//
// Every call is made from the loop's thread, but for wake(). Calls never block, except wait(). Where a call can fail it
// returns a negative errno.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/time.h"

namespace fairlead::runtime {

class Channel;

// What has become possible on a socket since it was last reported (edge-triggered).
struct Readiness {
  bool readable = false;
  bool writable = false;
  // The peer will send nothing more, or the connection broke: reading reaches its end without another event.
  bool end_of_input = false;
  // The connection is gone in both directions.
  bool hung_up = false;
  // It broke: what was read of it may not be all that was sent.
  bool broken = false;
};

// An address to connect from: one of this host, or anybody's, which takes CAP_NET_ADMIN (EPERM without it).
enum class Source { kOwn, kForeign };

class Driver {
 public:
  virtual ~Driver() = default;

  virtual TimePoint now() = 0;
  // Waits until something has become possible on a watched socket, until `deadline`, or until wake().
  virtual void wait(TimePoint deadline) = 0;
  // Reports to each channel what the last wait() saw.
  virtual void deliver() = 0;
  // Ends the present or the next wait(). From any thread.
  virtual void wake() = 0;

  // From now on readiness of the socket is reported to `channel`, until close() or unwatch().
  virtual int watch(int fd, Channel& channel) = 0;
  // For a socket that lives on after close(), because it has other descriptors: nothing more is seen of it.
  virtual void unwatch(int fd) = 0;
  virtual void close(int fd) = 0;

  // 0 is the end of the stream.
  virtual ssize_t read(int fd, std::span<char> into) = 0;
  // The same, and the bytes stay unread.
  virtual ssize_t peek(int fd, std::span<char> into) = 0;
  virtual ssize_t write(int fd, std::span<const char> data) = 0;
  virtual ssize_t write(int fd, std::span<const iovec> data) = 0;
  // The same where shutdown_write() or close() follows at once: what is written may wait for it, and go out in one
  // packet with the end.
  virtual ssize_t write_before_end(int fd, std::span<const char> data) { return write(fd, data); }
  virtual int shutdown_write(int fd) = 0;
  // Its close() breaks the connection: the peer reads an error, not the end of the stream.
  virtual void reset_on_close(int fd) = 0;

  // A new socket that is connecting, or connected; writable when it is done, and then connect_result() is 0.
  virtual int connect(const sockaddr* address, socklen_t size) = 0;
  // The same from an IP address of the same family; its port is 0.
  virtual int connect_from(const sockaddr* source, socklen_t source_size, Source whose, const sockaddr* address,
                           socklen_t size) = 0;
  virtual int connect_result(int fd) = 0;
  // A new socket, with the options of the one that listens, and where it came from.
  virtual int accept(int fd, sockaddr_storage& from, socklen_t& size) = 0;
  // An option of a socket, as setsockopt().
  virtual int set_option(int fd, int level, int name, int value) = 0;
  // A socket that listens lets so many wait from now on.
  virtual int set_backlog(int fd, int backlog) = 0;
  // The address that the socket has on this side.
  virtual int local_address(int fd, sockaddr_storage& address, socklen_t& size) = 0;
};

}  // namespace fairlead::runtime
