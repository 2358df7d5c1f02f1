// A connection between two processes of this machine that carries messages with descriptors.
//
// Over a Unix socket of packets (SOCK_SEQPACKET), so that a message comes whole or not at all, and its descriptors with
// it. Every step has a deadline. One thread.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/descriptor.h"

namespace fairlead::takeover {

using Clock = std::chrono::steady_clock;

struct Message {
  std::string text;
  std::vector<base::Descriptor> descriptors;
};

class Connection {
 public:
  // The kernel takes 253 with one message.
  static constexpr size_t kDescriptorsMax = 128;
  static constexpr size_t kTextMax = 128 << 10;

  explicit Connection(base::Descriptor socket) : socket_(std::move(socket)) {}

  // NOT_FOUND: nobody listens there.
  static absl::StatusOr<Connection> open(const std::string& path);

  int fd() const { return socket_.get(); }
  // Who is, or was, at the other end: of a connection that was accepted, whoever opened it; of one that was opened,
  // whoever called listen() last.
  ucred peer() const;

  // UNAVAILABLE: the other end has closed, or its process is gone. DEADLINE_EXCEEDED: it did not take it, or say
  // anything, in time.
  absl::Status send(std::string_view text, std::span<const int> descriptors, Clock::time_point deadline);
  absl::StatusOr<Message> receive(Clock::time_point deadline);

 private:
  base::Descriptor socket_;
};

// Until something can be read from the descriptor, or its other end has closed. False at the deadline.
bool wait_readable(int fd, Clock::time_point deadline);

// Listens at `path` with mode 0600. What a process that is gone has left there makes way.
absl::StatusOr<base::Descriptor> listen_at(const std::string& path);

// By the process that has been handed such a socket: it is the one whom visitors are told of from now on.
void listen_again(int fd);

}  // namespace fairlead::takeover
