#include "sim_world/http_client.h"

#include <algorithm>

#include "runtime/sleep.h"

namespace fairlead::sim {

using runtime::Task;

HttpClients::~HttpClients() {
  EXPECT_TRUE(world_.run_until([this] { return are_done(); }));
}

void HttpClients::start(std::vector<Plan> plans, ClientOptions options) {
  for (const Plan& plan : plans) plans_.emplace(plan.id, plan);
  scope_.spawn(run(std::move(plans), options));
}

size_t HttpClients::count(Outcome outcome) const {
  return static_cast<size_t>(
      std::ranges::count_if(answers_, [&](const auto& entry) { return entry.second.outcome == outcome; }));
}

Task<void> HttpClients::run(std::vector<Plan> plans, ClientOptions options) {
  std::span<const Plan> left(plans);
  int refused = 0;
  while (!left.empty()) {
    size_t done = co_await run_connection(left, options);
    left = left.subspan(done);
    // The proxy may close between two requests: a new connection then. But not for ever.
    refused = done == 0 ? refused + 1 : 0;
    if (refused == 20) break;
  }
}

namespace {

// A client that writes while it reads. It stops to write when the answer is there.
Task<void> send_beside(HttpPeer& peer, std::string bytes, bool& sent) { sent = co_await peer.send(std::move(bytes)); }

// Pipelines those at the beginning that have no body and may be sent again when the connection breaks.
size_t batch_size(std::span<const Plan> plans, int pipelined) {
  size_t count = 0;
  auto most = std::min(plans.size(), static_cast<size_t>(std::max(pipelined, 1)));
  auto suits = [](const Plan& plan) {
    return plan.is_idempotent() && plan.request_size == 0 && plan.request_framing == Framing::kSized;
  };
  while (count < most && suits(plans[count])) ++count;
  return std::max<size_t>(count, 1);
}

}  // namespace

Task<size_t> HttpClients::run_connection(std::span<const Plan> plans, ClientOptions options) {
  HttpPeer peer(world_.clients(), proxy_);
  bool connected = co_await peer.connected();
  if (!connected) co_return 0;
  size_t done = 0;
  bool keep = true;
  while (keep && done < plans.size()) {
    size_t batch = batch_size(plans.subspan(done), options.pipelined);
    std::string requests;
    for (const Plan& plan : plans.subspan(done, batch)) {
      requests += plan.request_head("sim.test") + plan.framed_request_body(world_.random());
    }
    runtime::Scope sending(world_.clients().loop);
    bool sent = false;
    sending.spawn(send_beside(peer, std::move(requests), sent));
    for (size_t i = 0; i < batch && keep; ++i) {
      const Plan& plan = plans[done];
      Answer answer = co_await read_answer(peer, plan, keep);
      // Closed between requests, or with later ones of a batch unanswered: to be sent again, where that is safe.
      bool unanswered = answer.outcome == Outcome::kBroken && answer.status == 0;
      if (unanswered && (done > 0 || i > 0) && plan.is_idempotent() && plan.fate == Fate::kGood) {
        keep = false;
        break;
      }
      answers_[plan.id] = answer;
      ++done;
    }
    if (!keep) peer.stream().cancel();
    co_await sending.join();
    if (keep && options.pause > Duration::zero()) {
      TimePoint until = world_.network().now() + options.pause;
      co_await runtime::Sleep(world_.clients().loop, until);
    }
  }
  co_return done;
}

Task<Answer> HttpClients::read_answer(HttpPeer& peer, const Plan& plan, bool& keep) {
  Answer answer;
  std::optional<PeerHead> head;
  while (true) {
    head = co_await peer.read_head();
    if (!head) break;
    if (head->status() >= 200 || head->status() == 101) break;
    ++answer.interim_responses;
  }
  if (!head) {
    keep = false;
    answer.outcome = peer.timed_out() ? Outcome::kHung : Outcome::kBroken;
    co_return answer;
  }
  answer.status = head->status();
  const std::string* id = head->find("x-id");
  bool bodiless = plan.method == "HEAD" || answer.status == 204 || answer.status == 304;
  PeerBody body{.bytes = {}, .complete = true};
  if (!bodiless) {
    body = co_await peer.read_body(*head, /*until_close=*/true);
  }
  const std::string* connection = head->find("connection");
  keep = body.complete && !(connection && *connection == "close") && (bodiless || head->has_framing());
  if (!id) {
    answer.outcome = answer.status >= 400 && body.complete ? Outcome::kProxyError : Outcome::kBroken;
    co_return answer;
  }
  bool own = *id == std::to_string(plan.id) && answer.status == plan.status;
  if (!own || !plan.expected_body().starts_with(body.bytes)) {
    answer.outcome = Outcome::kWrong;
    answer.note = "status " + head->start_line + ", id " + *id + ", " + std::to_string(body.bytes.size()) + " bytes";
  } else if (!body.complete) {
    answer.outcome = peer.timed_out() ? Outcome::kHung : Outcome::kBroken;
  } else if (body.bytes != plan.expected_body()) {
    answer.outcome = Outcome::kWrong;
    answer.note = "cut without a sign after " + std::to_string(body.bytes.size());
  } else {
    answer.outcome = Outcome::kExact;
  }
  co_return answer;
}

}  // namespace fairlead::sim
