#include "session/session.h"

#include <deque>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "fairlead/v1/management.grpc.pb.h"
#include "session/backoff.h"
#include "session/channel.h"
#include "session/messages.h"
#include "threads/monitor.h"

namespace fairlead::session {
namespace {

namespace api = fairlead::v1;
using Stream = grpc::ClientReaderWriterInterface<api::StreamUpdatesRequest, api::StreamUpdatesResponse>;

constexpr int kPageSize = 1000;

// One life of a session's stream: a thread that writes tells its story (open, list, then changes and listings in turn);
// the thread that made it reads.
class Connection {
 public:
  Connection(const SessionOptions& options, api::ManagementService::StubInterface& stub,
             const std::function<void(Event)>& listener)
      : options_(options), stub_(stub), listener_(listener) {}

  // Returns when the stream has ended; says why. Emits Connected once it is open.
  std::string run();
  void submit(Change change);
  // From any thread; without effect where the stream has ended by itself, whose status says why.
  void cancel(std::string why);
  bool was_open();

 private:
  void write(Stream& stream);
  bool open(Stream& stream);
  std::optional<api::Opened> await_opened();
  // Until there are changes (then it takes one), the connection is over, or `deadline`.
  std::optional<Change> next_change(absl::Time deadline);
  bool list(Listing& listing);
  void dispatch(const api::StreamUpdatesResponse& response);
  void emit(Event event);

  const SessionOptions& options_;
  api::ManagementService::StubInterface& stub_;
  const std::function<void(Event)>& listener_;
  grpc::ClientContext context_;

  threads::Monitor mutex_;
  bool over_ = false;                  // guarded by mutex_
  std::string why_;                    // guarded by mutex_
  std::optional<api::Opened> opened_;  // guarded by mutex_
  bool connected_ = false;             // guarded by mutex_
  std::deque<Change> changes_;         // guarded by mutex_

  // So that the listener is never called by both threads at a time.
  threads::Monitor emitting_;
};

std::string Connection::run() {
  const std::unique_ptr<Stream> stream = stub_.StreamUpdates(&context_);
  std::thread writer([&] { write(*stream); });
  api::StreamUpdatesResponse response;
  while (stream->Read(&response)) dispatch(response);
  {
    threads::Monitor::Lock lock(mutex_);
    over_ = true;
  }
  writer.join();
  const grpc::Status status = stream->Finish();
  threads::Monitor::Lock lock(mutex_);
  return why_.empty() ? describe(status) : why_;
}

void Connection::submit(Change change) {
  threads::Monitor::Lock lock(mutex_);
  if (connected_ && !over_) changes_.push_back(std::move(change));
}

void Connection::cancel(std::string why) {
  threads::Monitor::Lock lock(mutex_);
  if (over_) return;
  why_ = std::move(why);
  over_ = true;
  context_.TryCancel();
}

bool Connection::was_open() {
  threads::Monitor::Lock lock(mutex_);
  return connected_;
}

void Connection::write(Stream& stream) {
  if (!open(stream)) return;
  absl::Time refresh_at = absl::Now() + options_.refresh;
  api::StreamUpdatesRequest request;
  while (true) {
    std::optional<Change> change = next_change(refresh_at);
    {
      threads::Monitor::Lock lock(mutex_);
      if (over_) return;
    }
    if (change.has_value()) {
      change->labels[kManagedByLabel] = options_.managed_by;
      *request.mutable_transaction() = to_transaction(*change, options_.backend);
      if (!stream.Write(request)) return;
    }
    if (absl::Now() < refresh_at) continue;
    Listing listing;
    if (!list(listing)) return;
    emit(Listed{std::move(listing)});
    refresh_at = absl::Now() + options_.refresh;
  }
}

bool Connection::open(Stream& stream) {
  api::StreamUpdatesRequest request;
  request.mutable_open()->set_client_name(options_.client_name);
  request.mutable_open()->set_acknowledgement_level(api::ACKNOWLEDGEMENT_LEVEL_ACTIVE);
  request.mutable_open()->set_server_events(true);
  request.mutable_open()->mutable_election_id()->set_low(1);
  if (!stream.Write(request)) return false;
  const std::optional<api::Opened> opened = await_opened();
  if (!opened.has_value()) {
    cancel(absl::StrCat("no answer to the opening within ", absl::FormatDuration(options_.answer_timeout)));
    return false;
  }
  Connected connected{.epoch = opened->epoch(), .listing = {}};
  if (!list(connected.listing)) return false;
  {
    threads::Monitor::Lock lock(mutex_);
    if (over_) return false;
    connected_ = true;
  }
  emit(std::move(connected));
  return true;
}

std::optional<api::Opened> Connection::await_opened() {
  threads::Monitor::Lock lock(mutex_);
  const auto answered = [this] { return over_ || opened_.has_value(); };
  lock.wait_for(options_.answer_timeout, answered);
  return opened_;
}

std::optional<Change> Connection::next_change(absl::Time deadline) {
  threads::Monitor::Lock lock(mutex_);
  const auto ready = [this] { return over_ || !changes_.empty(); };
  lock.wait_until(deadline, ready);
  if (changes_.empty()) return std::nullopt;
  Change change = std::move(changes_.front());
  changes_.pop_front();
  return change;
}

bool Connection::list(Listing& listing) {
  api::ListServersRequest request;
  request.set_backend(options_.backend);
  (*request.mutable_labels())[kManagedByLabel] = options_.managed_by;
  request.set_page_size(kPageSize);
  bool first = true;
  do {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + options_.answer_timeout));
    api::ListServersResponse response;
    const grpc::Status status = stub_.ListServers(&context, request, &response);
    // No such backend: nothing of ours is there, and adding a server will say so.
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) return true;
    if (!status.ok()) {
      cancel(absl::StrCat("its servers cannot be listed: ", describe(status)));
      return false;
    }
    // Later pages may be of later versions; what all of it knows is the first.
    if (std::exchange(first, false)) listing.version = response.version();
    for (const api::Server& server : response.servers()) listing.servers.push_back(to_listed(server));
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return true;
}

void Connection::dispatch(const api::StreamUpdatesResponse& response) {
  switch (response.message_case()) {
    case api::StreamUpdatesResponse::kOpened: {
      threads::Monitor::Lock lock(mutex_);
      opened_ = response.opened();
      return;
    }
    case api::StreamUpdatesResponse::kResult:
      emit(to_event(response.result()));
      return;
    case api::StreamUpdatesResponse::kServerEvent:
      if (response.server_event().server().backend() == options_.backend) emit(to_moved(response.server_event()));
      return;
    case api::StreamUpdatesResponse::kHeartbeat:
    case api::StreamUpdatesResponse::MESSAGE_NOT_SET:
      return;
  }
}

void Connection::emit(Event event) {
  threads::Monitor::Lock lock(emitting_);
  listener_(std::move(event));
}

}  // namespace

class Session::Connector {
 public:
  Connector(SessionOptions options, std::function<void(Event)> listener)
      : options_(std::move(options)), listener_(std::move(listener)), thread_([this] { run(); }) {}

  ~Connector() {
    {
      threads::Monitor::Lock lock(mutex_);
      stopping_ = true;
      if (connection_ != nullptr) connection_->cancel("this program ends");
    }
    thread_.join();
  }

  void submit(Change change) {
    threads::Monitor::Lock lock(mutex_);
    if (connection_ != nullptr) connection_->submit(std::move(change));
  }

 private:
  void run();
  // False when it is time to end.
  bool wait(absl::Duration duration);
  bool begin(Connection& connection);
  void end();

  const SessionOptions options_;
  const std::function<void(Event)> listener_;
  threads::Monitor mutex_;
  bool stopping_ = false;             // guarded by mutex_
  Connection* connection_ = nullptr;  // guarded by mutex_
  std::thread thread_;                // Last: it uses all the others.
};

void Session::Connector::run() {
  const auto stub = api::ManagementService::NewStub(make_channel(options_.dataplane));
  Backoff backoff(options_.first_wait, options_.longest_wait, options_.seed);
  std::string told;
  do {
    const absl::Time began = absl::Now();
    Connection connection(options_, *stub, listener_);
    if (!begin(connection)) return;
    const std::string why = connection.run();
    end();
    // One that lasted was a good one; one that breaks off again and again is not worth a quick try.
    const bool lasted = connection.was_open() && absl::Now() - began > options_.longest_wait;
    if (lasted) backoff.reset();
    const bool news = connection.was_open() || told != why;
    if (news) listener_(Lost{why});
    told = why;
  } while (wait(backoff.next()));
}

bool Session::Connector::wait(absl::Duration duration) {
  threads::Monitor::Lock lock(mutex_);
  lock.wait_for(duration, [this] { return stopping_; });
  return !stopping_;
}

bool Session::Connector::begin(Connection& connection) {
  threads::Monitor::Lock lock(mutex_);
  if (stopping_) return false;
  connection_ = &connection;
  return true;
}

void Session::Connector::end() {
  threads::Monitor::Lock lock(mutex_);
  connection_ = nullptr;
}

Session::Session(SessionOptions options, std::function<void(Event)> listener)
    : connector_(std::make_unique<Connector>(std::move(options), std::move(listener))) {}

Session::~Session() = default;

void Session::submit(Change change) { connector_->submit(std::move(change)); }

}  // namespace fairlead::session
