#include "management/update_session.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "config/text.h"
#include "config/validate.h"
#include "management/messages.h"

namespace fairlead::management {
namespace {

// Marks the events of what a session caused. Only has to differ between sessions.
uint64_t next_session_number() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

bool stands_alone(const store::Result& result) {
  return result.outcome == store::Outcome::kRefused || result.outcome == store::Outcome::kPartial;
}

}  // namespace

UpdateSession::UpdateSession(std::shared_ptr<Context> context, std::string peer)
    : context_(std::move(context)), peer_(std::move(peer)) {}

void UpdateSession::begin() { read_on(); }

template <typename F>
void UpdateSession::post(F f) {
  context_->executor.post([self = shared_from_this(), f = std::move(f)]() mutable { f(*self); });
}

void UpdateSession::OnReadDone(bool ok) {
  if (!ok) {
    return post([](UpdateSession& self) {
      self.reading_ = false;
      self.half_closed_ = true;
      self.pump();
    });
  }
  // Decoding is the larger part of the work and needs nobody else.
  std::optional<store::Transaction> decoded;
  if (request_.has_transaction() && origin_) {
    decoded = store::make_transaction(request_.transaction(), context_->store.limits(), origin_);
  }
  post([decoded = std::move(decoded)](UpdateSession& self) mutable {
    self.reading_ = false;
    self.on_read(std::move(decoded));
  });
}

void UpdateSession::OnWriteDone(bool ok) {
  post([ok](UpdateSession& self) {
    self.writing_ = false;
    self.unanswered_ -= self.outgoing_.front().operations;
    self.outgoing_.pop_front();
    if (!ok) return;
    self.read_on();
    self.pump();
  });
}

void UpdateSession::OnCancel() {
  post([](UpdateSession& self) { self.finish(grpc::Status::CANCELLED); });
}

// The last reaction: the registry's reference is the last that keeps the session.
void UpdateSession::OnDone() {
  post([](UpdateSession& self) { self.context_->streams.remove(&self); });
}

void UpdateSession::on_read(std::optional<store::Transaction> decoded) {
  if (finished_) return;
  switch (request_.message_case()) {
    case v1::StreamUpdatesRequest::kOpen:
      if (origin_) return finish(invalid("open: was sent already; it is the first message only"));
      return open(request_.open());
    case v1::StreamUpdatesRequest::kTransaction:
      if (!decoded) return finish(invalid("transaction: came before open, which is the first message"));
      submit(*std::move(decoded));
      return read_on();
    case v1::StreamUpdatesRequest::kHeartbeat:
      if (!origin_) return finish(invalid("heartbeat: came before open, which is the first message"));
      heartbeat();
      return read_on();
    case v1::StreamUpdatesRequest::kBeginResync:
    case v1::StreamUpdatesRequest::kEndResync:
      return finish(unimplemented("begin_resync, end_resync: are not implemented yet"));
    case v1::StreamUpdatesRequest::MESSAGE_NOT_SET:
      break;
  }
  finish(invalid("message: is not set; it is one of open, transaction, heartbeat"));
}

grpc::Status UpdateSession::check(const v1::Open& request) const {
  if (config::Problem problem = config::check_name(request.client_name())) {
    return invalid("open.client_name: " + *problem);
  }
  if (request.has_election_id()) return unimplemented("open.election_id: elections are not implemented yet");
  if (!v1::AcknowledgementLevel_IsValid(request.acknowledgement_level())) {
    return invalid("open.acknowledgement_level: is not known; it is one of ACCEPTED, ACTIVE");
  }
  return grpc::Status::OK;
}

void UpdateSession::open(const v1::Open& request) {
  grpc::Status status = check(request);
  if (!status.ok()) return finish(status);
  origin_ = std::make_shared<const store::Origin>(request.client_name(), peer_, next_session_number());
  if (request.acknowledgement_level() == v1::ACKNOWLEDGEMENT_LEVEL_ACCEPTED) {
    options_.level = store::AcknowledgementLevel::kAccepted;
  }
  if (!request.server_events()) return opened();
  std::weak_ptr<UpdateSession> weak = weak_from_this();
  events_ = std::make_shared<store::EventQueue>(origin_->session, [weak, context = context_] {
    context->executor.post([weak] {
      if (std::shared_ptr<UpdateSession> session = weak.lock()) session->on_events();
    });
  });
  store::Store::Posted posted = context_->store.read([self = shared_from_this()](store::Reader& reader) {
    reader.subscribe(self->events_);
    self->post([](UpdateSession& session) { session.opened(); });
  });
  if (posted != store::Store::Posted::kYes) finish(to_status(posted));
}

void UpdateSession::opened() {
  Outgoing outgoing;
  v1::Opened& message = *outgoing.response.mutable_opened();
  message.set_epoch(context_->store.epoch());
  message.set_version(context_->store.version());
  *message.mutable_limits() = limits_of(*context_);
  message.set_primary(true);
  push(std::move(outgoing));
  read_on();
}

void UpdateSession::submit(store::Transaction transaction) {
  // One without operations is one of work all the same.
  uint64_t operations = std::max<uint64_t>(1, transaction.operation_count);
  unanswered_ += operations;
  if (transaction.id <= last_id_) {
    transaction.operations.clear();
    transaction.each = false;
    transaction.malformed = {
        {std::nullopt,
         {v1::REASON_INVALID, config::concat("transaction ", transaction.id), "id",
          config::concat("is not greater than ", last_id_, ", the last one's; ids grow in a session")}}};
  }
  last_id_ = std::max(last_id_, transaction.id);
  context_->store.apply(std::move(transaction), options_,
                        [self = shared_from_this(), operations](store::Result result) {
                          self->post([result = std::move(result), operations](UpdateSession& session) {
                            session.on_result(result, operations);
                          });
                        });
}

void UpdateSession::on_result(const store::Result& result, uint64_t operations) {
  Outgoing outgoing{.response = {}, .operations = operations, .is_good_result = !stands_alone(result)};
  encode(result, *outgoing.response.mutable_result());
  // One that is not on its way yet, and said nothing but success, is covered by this one.
  bool last_waits = outgoing_.size() > (writing_ ? 1 : 0);
  if (last_waits && outgoing_.back().is_good_result) {
    outgoing.operations += outgoing_.back().operations;
    outgoing_.pop_back();
  }
  push(std::move(outgoing));
}

void UpdateSession::on_events() {
  if (finished_) return;
  if (events_->overflowed()) {
    return finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "events of this session are not read; the session ends"});
  }
  // Taken as they are written, so that what waits is counted by the queue.
  pump();
}

void UpdateSession::heartbeat() {
  // A client that only sends gets no pile of answers.
  if (!outgoing_.empty() && outgoing_.back().response.has_heartbeat()) return;
  Outgoing outgoing;
  outgoing.response.mutable_heartbeat()->set_version(context_->store.version());
  push(std::move(outgoing));
}

void UpdateSession::read_on() {
  if (reading_ || finished_ || half_closed_ || unanswered_ >= kUnansweredOperationsMax) return;
  reading_ = true;
  StartRead(&request_);
}

void UpdateSession::push(Outgoing outgoing) {
  outgoing_.push_back(std::move(outgoing));
  pump();
}

void UpdateSession::pump() {
  if (writing_ || finished_) return;
  if (outgoing_.empty()) take_event();
  if (!outgoing_.empty()) {
    writing_ = true;
    return StartWrite(&outgoing_.front().response);
  }
  if (half_closed_ && unanswered_ == 0 && !event_on_its_way_) finish(grpc::Status::OK);
}

// The store answers a transaction before it tells of its events. The answer may still stand behind us among the
// executor's tasks; an event that takes its turn there comes after it.
void UpdateSession::take_event() {
  if (!events_ || event_on_its_way_) return;
  store::EventQueue::Taken taken = events_->take();
  if (!taken.event) return;
  event_on_its_way_ = true;
  post([taken = std::move(taken)](UpdateSession& self) {
    self.event_on_its_way_ = false;
    Outgoing outgoing;
    v1::ServerEvent& event = *outgoing.response.mutable_server_event();
    encode(std::get<store::ServerStep>(taken.event->what), event);
    event.set_version(taken.event->version);
    self.push(std::move(outgoing));
  });
}

void UpdateSession::finish(const grpc::Status& status) {
  if (finished_) return;
  finished_ = true;
  Finish(status);
}

}  // namespace fairlead::management
