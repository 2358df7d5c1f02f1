#include "management/streams.h"

#include <utility>

#include "config/text.h"
#include "management/status.h"

namespace fairlead::management {

void Stream::finish(const grpc::Status& status) {
  if (finished_) return;
  finished_ = true;
  finished_at_ = Executor::Clock::now();
  send_end(status);
}

void Stream::shut_down() { finish(shutting_down()); }

void Stream::end_if_silent(Executor::Clock::time_point now, std::chrono::nanoseconds silence) {
  if (!finished_) return check_silence(now, silence);
  if (now < finished_at_ + silence) return;
  std::lock_guard lock(mutex_);
  if (call_) call_->TryCancel();
}

void Stream::let_go() {
  std::lock_guard lock(mutex_);
  call_ = nullptr;
}

void Streams::add(std::shared_ptr<Call> call) {
  if (shutting_down_) call->shut_down();
  Call* key = call.get();
  open_.emplace(key, Open{std::move(call)});
}

// One that is refused stays until gRPC is done with it, as any other.
void Streams::begin(const std::shared_ptr<Stream>& stream) {
  bool fits = streams_ < streams_max_;
  open_.emplace(stream.get(), Open{stream, fits});
  streams_ += fits ? 1 : 0;
  if (shutting_down_) return stream->shut_down();
  if (fits) return stream->begin();
  stream->finish(busy(config::concat(streams_max_, " streams are open already; end one of them")));
}

void Streams::remove(Call* call) {
  auto at = open_.find(call);
  if (at == open_.end()) return;
  streams_ -= at->second.is_counted ? 1 : 0;
  // The last reference may go with it.
  std::shared_ptr<Call> last = std::move(at->second.call);
  open_.erase(at);
}

// What ends here is removed later, by way of the executor.
void Streams::end_silent(Executor::Clock::time_point now) {
  for (auto& [key, open] : open_) open.call->end_if_silent(now, silence_);
}

void Streams::shut_down() {
  shutting_down_ = true;
  for (auto& [key, open] : open_) open.call->shut_down();
}

}  // namespace fairlead::management
