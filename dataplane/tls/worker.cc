#include "tls/worker.h"

#include "tls/traffic.h"

namespace fairlead::tls {

Worker::Worker(runtime::Loop& loop) : loop_(loop), ciphers_(std::make_unique<RecordCiphers>()) {}
Worker::~Worker() = default;

// The loop looks at the time once in a turn.
bool Worker::has_time() {
  if (loop_.now() != turn_) {
    turn_ = loop_.now();
    spent_ = {};
  }
  return spent_ < kForHandshakes;
}

void Worker::spend(std::chrono::steady_clock::time_point began) { spent_ += std::chrono::steady_clock::now() - began; }

}  // namespace fairlead::tls
