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
  void operator()(const store::ListenerView& view) const { encode(view, *out.mutable_listener()); }
};

}  // namespace

void WatchStream::begin() {
  if (request_.has_epoch() || request_.has_version()) {
    return finish(unimplemented("epoch, version: resuming is not implemented yet; ask for a snapshot"));
  }
  auto self = std::static_pointer_cast<WatchStream>(shared_from_this());
  // The queue is the stream's, and must not keep it.
  std::weak_ptr<WatchStream> weak = self;
  queue_ = std::make_shared<store::EventQueue>(std::nullopt, [weak, context = shared_context()] {
    context->executor.post([weak] {
      if (std::shared_ptr<WatchStream> stream = weak.lock()) stream->pump();
    });
  });
  store::Store::Posted posted = context().store.read([self](store::Reader& reader) {
    // First the subscription, which makes what is in the model an event of the past.
    reader.subscribe(self->queue_);
    std::optional<store::Everything> everything;
    if (self->request_.snapshot()) everything = reader.everything();
    self->context().executor.post(
        [self, everything = std::move(everything)]() mutable { self->subscribed(std::move(everything)); });
  });
  if (posted != store::Store::Posted::kYes) finish(to_status(posted));
}

void WatchStream::subscribed(std::optional<store::Everything> everything) {
  if (everything) snapshot_.emplace(*std::move(everything), true);
  subscribed_ = true;
  // So that a client knows that it watches before anything happens.
  if (!finished()) StartSendInitialMetadata();
  pump();
}

bool WatchStream::next(v1::WatchEventsResponse& response) {
  if (!subscribed_) return false;
  if (queue_->overflowed()) {
    finish({grpc::StatusCode::ABORTED, config::concat("reading is too slow: more than ", store::EventQueue::kWaitingMax,
                                                      " events waited; watch again with a snapshot")});
    return false;
  }
  if (snapshot_) return next_present(response);
  store::EventQueue::Taken taken = queue_->take();
  if (!taken.event) return false;
  encode(*taken.event, response);
  return true;
}

bool WatchStream::next_present(v1::WatchEventsResponse& response) {
  response.set_version(snapshot_->version());
  response.set_actor("data-plane");
  api::encode(std::chrono::system_clock::now(), *response.mutable_time());
  EverythingCursor::Item item = snapshot_->next();
  if (std::holds_alternative<std::monostate>(item)) {
    response.mutable_snapshot_complete()->set_epoch(context().store.epoch());
    snapshot_.reset();
    return true;
  }
  response.mutable_resource()->set_change(v1::CHANGE_PRESENT);
  std::visit(PresentEncoder{*response.mutable_resource()->mutable_resource()}, item);
  return true;
}

}  // namespace fairlead::management
