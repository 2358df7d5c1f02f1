// A connection of the simulated network: its two sides, and what is on its way between them.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>

#include "config/endpoint.h"
#include "runtime/time.h"

namespace fairlead::test_support {

class SimDriver;

struct SimPiece {
  enum class Kind : unsigned char { kBytes, kEnd, kReset };
  Kind kind = Kind::kBytes;
  std::string bytes;
};

struct SimSide {
  SimDriver* driver = nullptr;  // null while nobody accepted it, and after close()
  int fd = -1;
  config::Endpoint address;
  bool connecting = false;
  bool closed = false;
  bool sent_end = false;
  bool got_end = false;
  bool broken = false;
  bool reset_on_close = false;
  int error = 0;  // of the socket, until it is fetched

  // Towards this side.
  size_t capacity = 0;
  bool slow = false;
  std::deque<SimPiece> coming;
  size_t coming_bytes = 0;
  runtime::TimePoint last_arrival;
  std::string unread;
  size_t unread_start = 0;

  // This side had no room to write, and is to be told when there is.
  bool wants_room = false;
  runtime::TimePoint blocked_until;

  size_t unread_size() const { return unread.size() - unread_start; }
  size_t room() const {
    size_t held = coming_bytes + unread_size();
    return held < capacity ? capacity - held : 0;
  }
};

struct SimConnection {
  std::array<SimSide, 2> sides;  // who connects, who accepts
};

// One side of a connection, shared with what is on its way.
struct SimEnd {
  std::shared_ptr<SimConnection> connection;
  int side = 0;
  SimSide& own() const { return connection->sides[side]; }
  SimSide& peer() const { return connection->sides[1 - side]; }
  SimEnd other() const { return SimEnd{connection, 1 - side}; }
};

}  // namespace fairlead::test_support
