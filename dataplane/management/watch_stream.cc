#include "management/watch_stream.h"

#include <utility>

#include "api/encode.h"
#include "config/text.h"
#include "management/messages.h"

namespace fairlead::management {
namespace {

struct PresentEncoder {
  v1::Resource& out;
  void operator()(std::monostate) const {}
  void operator()(const store::BackendView& view) const { encode(view, *out.mutable_backend()); }
  void operator()(const store::ServerView& view) const { encode(view, *out.mutable_server()); }
  void operator()(const store::CertificateView& view) const { encode(view, *out.mutable_certificate()); }
  void operator()(const store::ListenerView& view) const { encode(view, *out.mutable_listener()); }
};

}  // namespace

grpc::Status WatchStream::check() const {
  if (request_.has_epoch() != request_.has_version()) {
    return invalid(request_.has_epoch() ? "version: is not set beside epoch; resuming takes both"
                                        : "epoch: is not set beside version; resuming takes both");
  }
  if (request_.has_sequence() && !request_.has_epoch()) {
    return invalid("sequence: goes with epoch and version, which are not set");
  }
  return grpc::Status::OK;
}

void WatchStream::begin() {
  if (grpc::Status status = check(); !status.ok()) return finish(status);
  auto self = std::static_pointer_cast<WatchStream>(shared_from_this());
  // The queue is the stream's, and must not keep it.
  std::weak_ptr<WatchStream> weak = self;
  queue_ = std::make_shared<store::EventQueue>(std::nullopt, [weak, context = shared_context()] {
    context->executor.post([weak] {
      if (std::shared_ptr<WatchStream> stream = weak.lock()) stream->pump();
    });
  });
  store::Store::Posted posted = context().store.read([self](store::Reader& reader) {
    self->context().executor.post(
        [self, beginning = self->subscribe(reader)]() mutable { self->subscribed(std::move(beginning)); });
  });
  if (posted != store::Store::Posted::kYes) finish(to_status(posted));
}

// On the store's thread.
WatchStream::Beginning WatchStream::subscribe(store::Reader& reader) {
  Beginning beginning;
  if (resumes()) {
    store::WatchPosition position{.version = request_.version()};
    if (request_.has_sequence()) position.number = request_.sequence();
    if (request_.epoch() == context().store.epoch() && reader.resume(queue_, position)) return beginning;
    beginning.oldest_version = reader.oldest_resumable_version();
    if (!request_.snapshot()) return beginning;
  }
  // First the subscription, which makes what is in the model an event of the past.
  reader.subscribe(queue_);
  beginning.sequence = reader.last_event_number();
  if (request_.snapshot()) beginning.everything = reader.everything();
  return beginning;
}

void WatchStream::subscribed(Beginning beginning) {
  if (beginning.oldest_version && !beginning.everything) {
    uint64_t epoch = context().store.epoch();
    return finish({grpc::StatusCode::OUT_OF_RANGE,
                   config::concat("version: version ", request_.version(), " of epoch ", request_.epoch(),
                                  " cannot be resumed after: the oldest is version ", *beginning.oldest_version,
                                  " of epoch ", epoch, "; ask for a snapshot")});
  }
  too_old_ = beginning.oldest_version;
  snapshot_sequence_ = beginning.sequence;
  if (beginning.everything) snapshot_.emplace(*std::move(beginning.everything), true);
  subscribed_ = true;
  // So that a client knows that it watches before anything happens.
  if (!finished()) StartSendInitialMetadata();
  pump();
}

bool WatchStream::next(v1::WatchEventsResponse& response) {
  if (!subscribed_) return false;
  if (queue_->overflowed()) {
    finish({grpc::StatusCode::ABORTED,
            config::concat("reading is too slow: more than ", store::EventQueue::kWaitingMax,
                           " events waited after version ", told_version_, "; watch again with a snapshot")});
    return false;
  }
  if (too_old_) {
    tell_too_old(response);
    return true;
  }
  if (snapshot_) return next_present(response);
  store::EventQueue::Taken taken = queue_->take();
  if (!taken.event) return false;
  encode(*taken.event, response);
  told_version_ = taken.event->version;
  return true;
}

void WatchStream::tell_too_old(v1::WatchEventsResponse& response) {
  v1::TooOld& too_old = *response.mutable_too_old();
  too_old.set_epoch(context().store.epoch());
  too_old.set_oldest_version(*too_old_);
  response.set_version(snapshot_->version());
  response.set_actor("data-plane");
  api::encode(std::chrono::system_clock::now(), *response.mutable_time());
  too_old_.reset();
}

bool WatchStream::next_present(v1::WatchEventsResponse& response) {
  response.set_version(snapshot_->version());
  response.set_actor("data-plane");
  api::encode(std::chrono::system_clock::now(), *response.mutable_time());
  EverythingCursor::Item item = snapshot_->next();
  if (std::holds_alternative<std::monostate>(item)) {
    response.mutable_snapshot_complete()->set_epoch(context().store.epoch());
    response.set_sequence(snapshot_sequence_);
    told_version_ = snapshot_->version();
    snapshot_.reset();
    return true;
  }
  response.mutable_resource()->set_change(v1::CHANGE_PRESENT);
  std::visit(PresentEncoder{*response.mutable_resource()->mutable_resource()}, item);
  return true;
}

}  // namespace fairlead::management
