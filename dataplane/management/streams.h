// The streams that are open: owns each until gRPC is done with it, and ends all at shutdown. On the executor's thread.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/container/flat_hash_map.h"

namespace fairlead::management {

class Stream {
 public:
  virtual ~Stream() = default;
  // With UNAVAILABLE, soon.
  virtual void shut_down() = 0;
};

class Streams {
 public:
  void add(std::shared_ptr<Stream> stream) {
    Stream* key = stream.get();
    if (shutting_down_) stream->shut_down();
    open_.emplace(key, std::move(stream));
  }
  void remove(Stream* stream) { open_.erase(stream); }
  size_t size() const { return open_.size(); }
  void shut_down() {
    shutting_down_ = true;
    for (auto& [key, stream] : open_) stream->shut_down();
  }

 private:
  bool shutting_down_ = false;
  absl::flat_hash_map<Stream*, std::shared_ptr<Stream>> open_;
};

}  // namespace fairlead::management
