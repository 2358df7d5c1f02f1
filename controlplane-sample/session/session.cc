#include "session/session.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "session/channel.h"
#include "session/link.h"
#include "session/messages.h"
#include "threads/monitor.h"

namespace fairlead::session {

namespace api = fairlead::v1;

namespace {

constexpr int kPageSize = 1000;

LinkOptions link_options(const SessionOptions& options) {
  return {.dataplane = options.dataplane,
          .tls = options.tls,
          .client_name = options.client_name,
          .election_id = options.election_id,
          .server_events = true,
          .refresh = options.refresh,
          .answer_timeout = options.answer_timeout,
          .first_wait = options.first_wait,
          .longest_wait = options.longest_wait,
          .seed = options.seed};
}

}  // namespace

class Session::Teller {
 public:
  Teller(SessionOptions options, std::function<void(Event)> listener)
      : options_(std::move(options)), listener_(std::move(listener)), link_(link_options(options_), user()) {}

  void submit(Change change) {
    change.labels[kManagedByLabel] = options_.managed_by;
    api::StreamUpdatesRequest request;
    *request.mutable_transaction() = to_transaction(change, options_.backend);
    link_.send(std::move(request));
  }

 private:
  LinkUser user();
  absl::StatusOr<LinkUser::Told> read(LinkUser::Stub& stub, const api::Opened* opened);
  absl::StatusOr<Listing> list(LinkUser::Stub& stub) const;
  absl::StatusOr<ElectionId> highest_election_id(LinkUser::Stub& stub) const;
  void hear(const api::StreamUpdatesResponse& response);
  void emit(Event event);

  const SessionOptions options_;
  const std::function<void(Event)> listener_;
  // So that the listener is never called by two threads at a time.
  threads::Monitor emitting_;
  Link link_;  // Last: its threads use all the others.
};

LinkUser Session::Teller::user() {
  return {.read = [this](LinkUser::Stub& stub, const api::Opened* opened) { return read(stub, opened); },
          .hear = [this](const api::StreamUpdatesResponse& response) { hear(response); },
          .lost = [this](const std::string& why) { emit(Lost{why}); }};
}

absl::StatusOr<LinkUser::Told> Session::Teller::read(LinkUser::Stub& stub, const api::Opened* opened) {
  absl::StatusOr<Listing> listing = list(stub);
  if (!listing.ok()) return listing.status();
  if (opened == nullptr) {
    const absl::StatusOr<ElectionId> highest = highest_election_id(stub);
    if (!highest.ok()) return highest.status();
    Listed listed{.listing = *std::move(listing), .superseded_by = ""};
    if (*highest > options_.election_id) listed.superseded_by = to_string(*highest);
    return [this, listed = std::move(listed)] { emit(listed); };
  }
  Connected connected{.epoch = opened->epoch(), .listing = *std::move(listing), .superseded_by = ""};
  if (!opened->primary()) connected.superseded_by = to_string(to_election_id(opened->highest_election_id()));
  return [this, connected = std::move(connected)] { emit(connected); };
}

absl::StatusOr<ElectionId> Session::Teller::highest_election_id(LinkUser::Stub& stub) const {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + options_.answer_timeout));
  api::GetInfoResponse info;
  const grpc::Status status = stub.GetInfo(&context, api::GetInfoRequest(), &info);
  if (!status.ok()) return absl::UnavailableError(absl::StrCat("it cannot be asked: ", describe(status)));
  return to_election_id(info.highest_election_id());
}

absl::StatusOr<Listing> Session::Teller::list(LinkUser::Stub& stub) const {
  api::ListServersRequest request;
  request.set_backend(options_.backend);
  (*request.mutable_labels())[kManagedByLabel] = options_.managed_by;
  request.set_page_size(kPageSize);
  Listing listing;
  bool first = true;
  do {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + options_.answer_timeout));
    api::ListServersResponse response;
    const grpc::Status status = stub.ListServers(&context, request, &response);
    // No such backend: nothing of ours is there, and adding a server will say so.
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) return listing;
    if (!status.ok()) {
      return absl::UnavailableError(absl::StrCat("its servers cannot be listed: ", describe(status)));
    }
    // Later pages may be of later versions; what all of it knows is the first.
    if (std::exchange(first, false)) listing.version = response.version();
    for (const api::Server& server : response.servers()) listing.servers.push_back(to_listed(server));
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return listing;
}

void Session::Teller::hear(const api::StreamUpdatesResponse& response) {
  if (response.has_result()) return emit(to_event(response.result()));
  if (response.server_event().server().backend() == options_.backend) emit(to_moved(response.server_event()));
}

void Session::Teller::emit(Event event) {
  threads::Monitor::Lock lock(emitting_);
  listener_(std::move(event));
}

Session::Session(SessionOptions options, std::function<void(Event)> listener)
    : teller_(std::make_unique<Teller>(std::move(options), std::move(listener))) {}

Session::~Session() = default;

void Session::submit(Change change) { teller_->submit(std::move(change)); }

}  // namespace fairlead::session
