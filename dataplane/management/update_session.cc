#include "management/update_session.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "config/text.h"
#include "config/validate.h"
#include "management/history_calls.h"
#include "management/messages.h"
#include "management/roles.h"

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

UpdateSession::UpdateSession(std::shared_ptr<Context> context, grpc::CallbackServerContext& call,
                             std::optional<grpc::Status> refusal)
    : Stream(call),
      context_(std::move(context)),
      peer_(context_->peers.find(call.peer())),
      refusal_(std::move(refusal)) {}

void UpdateSession::begin() {
  if (refusal_) return finish(*refusal_);
  read_on();
}

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
  if (request_->has_transaction() && origin_) submit(request_->transaction());
  post([](UpdateSession& self) {
    self.reading_ = false;
    self.on_read();
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
  let_go();
  post([](UpdateSession& self) {
    // Only who may write can have begun something.
    if (self.fence_.election_id) self.context_->store.close_session(self.origin_->session);
    self.context_->streams.remove(&self);
  });
}

void UpdateSession::on_read() {
  if (finished()) return;
  heard_ = Executor::Clock::now();
  if (!origin_ && !request_->has_open()) return finish(invalid("open: is missing; it is the first message"));
  switch (request_->message_case()) {
    case v1::StreamUpdatesRequest::kOpen:
      if (origin_) return finish(invalid("open: was sent already; it is the first message only"));
      return open(request_->open());
    case v1::StreamUpdatesRequest::kTransaction:
      return read_on();
    case v1::StreamUpdatesRequest::kHeartbeat:
      heartbeat();
      return read_on();
    case v1::StreamUpdatesRequest::kBeginResync:
      begin_resync(request_->begin_resync());
      return read_on();
    case v1::StreamUpdatesRequest::kEndResync:
      end_resync(request_->end_resync());
      return read_on();
    case v1::StreamUpdatesRequest::MESSAGE_NOT_SET:
      break;
  }
  finish(invalid("message: is not set; it is one of transaction, begin_resync, end_resync, heartbeat"));
}

grpc::Status UpdateSession::check(const v1::Open& request) {
  if (config::Problem problem = config::check_name(request.client_name())) {
    return invalid("open.client_name: " + *problem);
  }
  if (request.has_election_id() && decode(request.election_id()) == store::ElectionId{}) {
    return invalid("open.election_id: 0 is not an election id; ids begin at 1, and an observer sends none");
  }
  if (!v1::AcknowledgementLevel_IsValid(request.acknowledgement_level())) {
    return invalid("open.acknowledgement_level: is not known; it is one of ACCEPTED, ACTIVE");
  }
  if (!request.has_election_id()) return grpc::Status::OK;
  std::optional<api::Failure> denied = context_->guard.refusal(*peer_, kRoleForElection, "open.election_id");
  return denied ? to_status(*denied) : grpc::Status::OK;
}

void UpdateSession::open(const v1::Open& request) {
  grpc::Status status = check(request);
  if (!status.ok()) return finish(status);
  origin_ = std::make_shared<const store::Origin>(request.client_name(), peer_->text(), next_session_number());
  if (request.has_election_id()) fence_.election_id = decode(request.election_id());
  if (request.acknowledgement_level() == v1::ACKNOWLEDGEMENT_LEVEL_ACCEPTED) {
    options_.level = store::AcknowledgementLevel::kAccepted;
  }
  if (request.server_events()) {
    std::weak_ptr<UpdateSession> weak = weak_from_this();
    events_ = std::make_shared<store::EventQueue>(origin_->session, [weak, context = context_] {
      context->executor.post([weak] {
        if (std::shared_ptr<UpdateSession> session = weak.lock()) session->on_events();
      });
    });
  }
  auto look = [self = shared_from_this(), session = origin_->session, id = fence_.election_id,
               events = events_](store::Reader& reader) {
    if (events) reader.subscribe(events);
    v1::Opened message;
    message.set_version(reader.version());
    message.set_digest(reader.digest().bytes());
    const store::Election& election = reader.election();
    if (election.value() != store::ElectionId{}) encode(election.value(), *message.mutable_highest_election_id());
    message.set_primary(id && election.is_primary(session, *id));
    // From here on nobody else adds to what this client has in history.
    read_last_transaction(
        self->context_, self->origin_->actor, [self, message = std::move(message)](uint64_t last_id) mutable {
          message.set_last_transaction_id(last_id);
          self->post(
              [message = std::move(message)](UpdateSession& opening) mutable { opening.opened(std::move(message)); });
        });
  };
  store::Store::Posted posted = context_->store.open_session(origin_->session, fence_.election_id, std::move(look));
  if (posted != store::Store::Posted::kYes) finish(to_status(posted));
}

void UpdateSession::opened(v1::Opened message) {
  Outgoing outgoing;
  message.set_epoch(context_->store.epoch());
  *message.mutable_limits() = limits_of(*context_);
  *outgoing.response.mutable_opened() = std::move(message);
  push(std::move(outgoing));
  read_on();
}

// Decoding is the larger part of the work and needs nobody else. From here the store's thread goes on; ours only has to
// know that it may read the next message.
void UpdateSession::submit(const v1::Transaction& message) {
  store::Transaction transaction = store::make_transaction(message, context_->store.limits(), origin_);
  transaction.fence = fence_;
  context_->guard.restrict(*peer_, message, v1::Fence(), transaction);
  if (auto failure = take_id(transaction.id, config::concat("transaction ", transaction.id))) {
    transaction.each = false;
    transaction.malformed = {{std::nullopt, *std::move(failure)}};
  }
  context_->store.apply(std::move(transaction), options_, answer_for(share_of_window(message)));
}

void UpdateSession::begin_resync(const v1::BeginResync& request) {
  if (auto failure = take_resync_id(request.id(), config::concat("begin_resync ", request.id()))) {
    return refuse_in_turn(request.id(), *std::move(failure));
  }
  context_->store.begin_resync({.id = request.id(), .origin = origin_, .fence = fence_, .backend = request.backend()},
                               options_, answer_for(1));
}

void UpdateSession::end_resync(const v1::EndResync& request) {
  if (auto failure = take_resync_id(request.id(), config::concat("end_resync ", request.id()))) {
    return refuse_in_turn(request.id(), *std::move(failure));
  }
  store::EndResync end{.id = request.id(), .origin = origin_, .fence = fence_, .cancel = request.cancel()};
  if (request.max_removal_percent() != 0) end.max_removal_percent = request.max_removal_percent();
  context_->store.end_resync(std::move(end), options_, answer_for(1));
}

std::optional<api::Failure> UpdateSession::take_id(uint64_t id, std::string title) {
  // None could follow it.
  if (std::optional<api::Failure> failure = store::check_id(id, title)) return failure;
  if (id > last_id_) {
    last_id_ = id;
    return std::nullopt;
  }
  return api::Failure{v1::REASON_INVALID, std::move(title), "id",
                      config::concat("is not greater than ", last_id_, ", the last one's; ids grow in a session")};
}

std::optional<api::Failure> UpdateSession::take_resync_id(uint64_t id, std::string title) {
  if (auto failure = take_id(id, title)) return failure;
  return context_->guard.refusal(*peer_, kRoleForResync, std::move(title));
}

// The store answers in order.
void UpdateSession::refuse_in_turn(uint64_t id, api::Failure failure) {
  store::Transaction refused{.id = id, .origin = origin_, .fence = fence_};
  refused.malformed = {{std::nullopt, std::move(failure)}};
  context_->store.apply(std::move(refused), options_, answer_for(1));
}

std::function<void(store::Result)> UpdateSession::answer_for(uint64_t operations) {
  unanswered_ += operations;
  return [self = shared_from_this(), operations](store::Result result) {
    self->post(
        [result = std::move(result), operations](UpdateSession& session) { session.on_result(result, operations); });
  };
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
  if (finished()) return;
  if (events_->overflowed()) {
    return finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "events of this session are not read; the session ends"});
  }
  // Taken as they are written, so that what waits is counted by the queue.
  pump();
}

void UpdateSession::heartbeat() {
  // A client that only sends gets no pile of answers: one that is not on its way yet stands for this one too.
  bool last_waits = outgoing_.size() > (writing_ ? 1 : 0);
  if (last_waits && outgoing_.back().response.has_heartbeat()) return;
  Outgoing outgoing;
  outgoing.response.mutable_heartbeat()->set_version(context_->store.visible_version());
  push(std::move(outgoing));
}

// Where the window is full it is not the client that is still, and after its last word it may be.
void UpdateSession::check_silence(Executor::Clock::time_point now, std::chrono::nanoseconds silence) {
  std::string time = config::to_text(silence);
  if (writing_ && now >= write_began_ + silence) {
    return finish({grpc::StatusCode::RESOURCE_EXHAUSTED,
                   config::concat("results of this session were not read for ", time, "; the session ends")});
  }
  if (reading_ && now >= heard_ + silence) {
    finish({grpc::StatusCode::DEADLINE_EXCEEDED,
            config::concat("nothing came for ", time, "; send heartbeats at a third of that")});
  }
}

void UpdateSession::read_on() {
  if (reading_ || finished() || half_closed_ || unanswered_ >= kUnansweredOperationsMax) return;
  reading_ = true;
  heard_ = Executor::Clock::now();
  StartRead(request_.renew());
}

void UpdateSession::push(Outgoing outgoing) {
  outgoing_.push_back(std::move(outgoing));
  pump();
}

void UpdateSession::pump() {
  if (writing_ || finished()) return;
  if (outgoing_.empty()) take_event();
  if (!outgoing_.empty()) {
    writing_ = true;
    write_began_ = Executor::Clock::now();
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

void UpdateSession::send_end(const grpc::Status& status) {
  // What is on its way keeps its place until gRPC has let go of it.
  if (outgoing_.size() > 1) outgoing_.erase(outgoing_.begin() + (writing_ ? 1 : 0), outgoing_.end());
  Finish(status);
}

}  // namespace fairlead::management
