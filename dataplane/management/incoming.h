// A message that is read again and again, each time with all of its parts in one piece of memory: so a transaction of a
// thousand operations costs a few allocations, and none of them stands between records that live for long.
#pragma once

#include <google/protobuf/arena.h>

namespace fairlead::management {

template <typename Message>
class Incoming {
 public:
  // Empties it, and gives back what it used. For the next read.
  Message* renew() {
    arena_.Reset();
    message_ = google::protobuf::Arena::CreateMessage<Message>(&arena_);
    return message_;
  }
  const Message& operator*() const { return *message_; }
  const Message* operator->() const { return message_; }

 private:
  static google::protobuf::ArenaOptions options() {
    google::protobuf::ArenaOptions options;
    options.start_block_size = 1024;
    options.max_block_size = 64 * 1024;
    return options;
  }

  google::protobuf::Arena arena_{options()};
  Message* message_ = google::protobuf::Arena::CreateMessage<Message>(&arena_);
};

}  // namespace fairlead::management
