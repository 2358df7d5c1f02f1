#include "session/link.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "session/backoff.h"
#include "session/channel.h"
#include "session/window.h"
#include "threads/monitor.h"

namespace fairlead::session {
namespace {

namespace api = fairlead::v1;
using Stream = grpc::ClientReaderWriterInterface<api::StreamUpdatesRequest, api::StreamUpdatesResponse>;

std::uint64_t id_of(const api::StreamUpdatesRequest& request) {
  if (request.has_begin_resync()) return request.begin_resync().id();
  if (request.has_end_resync()) return request.end_resync().id();
  return request.transaction().id();
}

void set_id(api::StreamUpdatesRequest& request, std::uint64_t id) {
  if (request.has_transaction()) request.mutable_transaction()->set_id(id);
  if (request.has_begin_resync()) request.mutable_begin_resync()->set_id(id);
  if (request.has_end_resync()) request.mutable_end_resync()->set_id(id);
}

// One life of a link's stream. A thread that writes tells its story (open, read, then requests, heartbeats and reads in
// turn), one watches over the silence, and the thread that made it reads.
class Connection {
 public:
  Connection(const LinkOptions& options, const LinkUser& user) : options_(options), user_(user) {}

  // Returns when the stream has ended; says why.
  std::string run(LinkUser::Stub& stub);
  void send(api::StreamUpdatesRequest request);
  void ask();
  // From any thread; without effect where the stream has ended by itself, whose status says why.
  void cancel(std::string why);
  bool was_open();

 private:
  void write(Stream& stream, LinkUser::Stub& stub);
  bool open(Stream& stream);
  bool await_opened();
  // Calls the user's read; false where that ends the connection.
  bool read(LinkUser::Stub& stub, const api::Opened* opened);
  // Until there is a request that the window has room for (then it takes it), something else is due, or the connection
  // is over.
  std::optional<api::StreamUpdatesRequest> next_request(absl::Time deadline);
  bool over();
  bool take_asked();
  void watch();
  void dispatch(api::StreamUpdatesResponse& response);
  api::StreamUpdatesRequest heartbeat();

  const LinkOptions& options_;
  const LinkUser& user_;
  grpc::ClientContext context_;

  threads::Monitor mutex_;
  bool over_ = false;                               // guarded by mutex_
  std::string why_;                                 // guarded by mutex_
  std::optional<api::Opened> opened_;               // guarded by mutex_
  bool ready_ = false;                              // guarded by mutex_
  bool asked_ = false;                              // guarded by mutex_
  std::deque<api::StreamUpdatesRequest> requests_;  // guarded by mutex_
  Window window_;                                   // guarded by mutex_
  std::uint64_t version_ = 0;                       // guarded by mutex_
  absl::Time heard_at_ = absl::Now();               // guarded by mutex_
  // What our id 0 is over the wire. Set once, with opened_.
  std::uint64_t base_id_ = 0;
  // Set once, with opened_.
  absl::Duration silence_ = absl::InfiniteDuration();
};

std::string Connection::run(LinkUser::Stub& stub) {
  const std::unique_ptr<Stream> stream = stub.StreamUpdates(&context_);
  std::thread writer([&] { write(*stream, stub); });
  std::thread watcher([&] { watch(); });
  api::StreamUpdatesResponse response;
  while (stream->Read(&response)) dispatch(response);
  {
    threads::Monitor::Lock lock(mutex_);
    over_ = true;
  }
  writer.join();
  watcher.join();
  const grpc::Status status = stream->Finish();
  threads::Monitor::Lock lock(mutex_);
  return why_.empty() ? describe(status) : why_;
}

void Connection::send(api::StreamUpdatesRequest request) {
  threads::Monitor::Lock lock(mutex_);
  if (ready_ && !over_) requests_.push_back(std::move(request));
}

void Connection::ask() {
  threads::Monitor::Lock lock(mutex_);
  asked_ = true;
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
  return ready_;
}

bool Connection::over() {
  threads::Monitor::Lock lock(mutex_);
  return over_;
}

bool Connection::take_asked() {
  threads::Monitor::Lock lock(mutex_);
  return std::exchange(asked_, false);
}

void Connection::write(Stream& stream, LinkUser::Stub& stub) {
  if (!open(stream) || !await_opened() || !read(stub, &*opened_)) return;
  absl::Time refresh_at = absl::Now() + options_.refresh;
  absl::Time heartbeat_at = absl::Now() + silence_ / 3;
  while (true) {
    const std::optional<api::StreamUpdatesRequest> request = next_request(std::min(refresh_at, heartbeat_at));
    if (over()) return;
    if (request.has_value() && !stream.Write(*request)) return;
    if (absl::Now() >= heartbeat_at) {
      if (!stream.Write(heartbeat())) return;
      heartbeat_at = absl::Now() + silence_ / 3;
    }
    if (!take_asked() && absl::Now() < refresh_at) continue;
    if (!read(stub, nullptr)) return;
    refresh_at = absl::Now() + options_.refresh;
  }
}

bool Connection::open(Stream& stream) {
  api::StreamUpdatesRequest request;
  api::Open& open = *request.mutable_open();
  open.set_client_name(options_.client_name);
  open.mutable_election_id()->set_high(options_.election_id.high);
  open.mutable_election_id()->set_low(options_.election_id.low);
  open.set_acknowledgement_level(api::ACKNOWLEDGEMENT_LEVEL_ACTIVE);
  open.set_server_events(options_.server_events);
  return stream.Write(request);
}

bool Connection::await_opened() {
  threads::Monitor::Lock lock(mutex_);
  const auto answered = [this] { return over_ || opened_.has_value(); };
  lock.wait_until(absl::InfiniteFuture(), answered);
  return !over_;
}

bool Connection::read(LinkUser::Stub& stub, const api::Opened* opened) {
  const absl::StatusOr<LinkUser::Told> told = user_.read(stub, opened);
  if (!told.ok()) {
    cancel(std::string(told.status().message()));
    return false;
  }
  {
    threads::Monitor::Lock lock(mutex_);
    if (over_) return false;
    ready_ = true;
  }
  (*told)();
  return true;
}

std::optional<api::StreamUpdatesRequest> Connection::next_request(absl::Time deadline) {
  threads::Monitor::Lock lock(mutex_);
  const auto sendable = [this] { return !requests_.empty() && window_.has_room(operations_of(requests_.front())); };
  // (Asked for only when all that was sent before is on its way.)
  lock.wait_until(deadline, [&] { return over_ || sendable() || (asked_ && requests_.empty()); });
  if (over_ || !sendable()) return std::nullopt;
  api::StreamUpdatesRequest request = std::move(requests_.front());
  requests_.pop_front();
  set_id(request, base_id_ + id_of(request));
  window_.sent(id_of(request), operations_of(request));
  return request;
}

// Ends a connection on which nothing comes, whatever the other threads wait for.
void Connection::watch() {
  threads::Monitor::Lock lock(mutex_);
  while (!over_) {
    const bool opened = opened_.has_value();
    const absl::Duration patience = opened ? silence_ : options_.answer_timeout;
    const absl::Time heard_at = heard_at_;
    const auto news = [&] { return over_ || heard_at_ != heard_at; };
    if (lock.wait_until(heard_at + patience, news)) continue;
    const std::string within = absl::StrCat(" within ", absl::FormatDuration(patience));
    why_ = absl::StrCat(opened ? "nothing came" : "no answer to the opening", within);
    over_ = true;
    context_.TryCancel();
  }
}

void Connection::dispatch(api::StreamUpdatesResponse& response) {
  {
    threads::Monitor::Lock lock(mutex_);
    heard_at_ = std::max(absl::Now(), heard_at_ + absl::Nanoseconds(1));
    if (response.has_opened()) {
      const api::Limits& limits = response.opened().limits();
      window_ = Window(limits.unanswered_operations());
      base_id_ = response.opened().last_transaction_id();
      if (limits.has_silence()) silence_ = absl::Seconds(limits.silence().seconds());
      if (limits.has_silence()) silence_ += absl::Nanoseconds(limits.silence().nanos());
      version_ = response.opened().version();
      opened_ = response.opened();
      return;
    }
    if (response.has_heartbeat()) version_ = std::max(version_, response.heartbeat().version());
    if (response.has_result()) {
      window_.answered(response.result().id());
      version_ = std::max(version_, response.result().version());
      response.mutable_result()->set_id(response.result().id() - base_id_);
    }
  }
  if (response.has_result() || response.has_server_event()) user_.hear(response);
}

api::StreamUpdatesRequest Connection::heartbeat() {
  threads::Monitor::Lock lock(mutex_);
  api::StreamUpdatesRequest request;
  request.mutable_heartbeat()->set_version(version_);
  return request;
}

}  // namespace

class Link::Connector {
 public:
  Connector(LinkOptions options, LinkUser user)
      : options_(std::move(options)), user_(std::move(user)), thread_([this] { run(); }) {}

  ~Connector() {
    {
      threads::Monitor::Lock lock(mutex_);
      stopping_ = true;
      if (connection_ != nullptr) connection_->cancel("this program ends");
    }
    thread_.join();
  }

  void send(api::StreamUpdatesRequest request) {
    threads::Monitor::Lock lock(mutex_);
    if (connection_ != nullptr) connection_->send(std::move(request));
  }

  void ask() {
    threads::Monitor::Lock lock(mutex_);
    if (connection_ != nullptr) connection_->ask();
  }

 private:
  void run();
  // False when it is time to end.
  bool wait(absl::Duration duration);
  bool begin(Connection& connection);
  void end();

  const LinkOptions options_;
  const LinkUser user_;
  threads::Monitor mutex_;
  bool stopping_ = false;             // guarded by mutex_
  Connection* connection_ = nullptr;  // guarded by mutex_
  std::thread thread_;                // Last: it uses all the others.
};

void Link::Connector::run() {
  const auto stub = api::ManagementService::NewStub(make_channel(options_.dataplane, options_.tls));
  Backoff backoff(options_.first_wait, options_.longest_wait, options_.seed);
  std::string told;
  do {
    const absl::Time began = absl::Now();
    Connection connection(options_, user_);
    if (!begin(connection)) return;
    const std::string why = connection.run(*stub);
    end();
    // One that lasted was a good one; one that breaks off again and again is not worth a quick try.
    const bool lasted = connection.was_open() && absl::Now() - began > options_.longest_wait;
    if (lasted) backoff.reset();
    const bool news = connection.was_open() || told != why;
    if (news) user_.lost(why);
    told = why;
  } while (wait(backoff.next()));
}

bool Link::Connector::wait(absl::Duration duration) {
  threads::Monitor::Lock lock(mutex_);
  lock.wait_for(duration, [this] { return stopping_; });
  return !stopping_;
}

bool Link::Connector::begin(Connection& connection) {
  threads::Monitor::Lock lock(mutex_);
  if (stopping_) return false;
  connection_ = &connection;
  return true;
}

void Link::Connector::end() {
  threads::Monitor::Lock lock(mutex_);
  connection_ = nullptr;
}

Link::Link(LinkOptions options, LinkUser user)
    : connector_(std::make_unique<Connector>(std::move(options), std::move(user))) {}

Link::~Link() = default;

void Link::send(api::StreamUpdatesRequest request) { connector_->send(std::move(request)); }

void Link::ask() { connector_->ask(); }

}  // namespace fairlead::session
