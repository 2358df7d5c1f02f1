#include "sim_world/origin.h"

#include "runtime/sleep.h"

namespace fairlead::sim {

using runtime::Task;

Origin::Origin(ProxyWorld& world, Seen& seen)
    : world_(world),
      seen_(seen),
      fd_(world.origins().driver.listen("10.1.0.1:0")),
      address_(world.origins().driver.local_address(fd_)),
      acceptor_(world.origins().loop, fd_),
      scope_(world.origins().loop) {
  scope_.spawn(accept_all());
}

Origin::~Origin() {
  stop();
  EXPECT_TRUE(world_.run_until([this] { return is_done(); }));
}

void Origin::stop() {
  acceptor_.cancel();
  for (HttpPeer* peer : peers_) peer->stream().cancel();
}

Task<void> Origin::accept_all() {
  while (true) {
    auto accepted = co_await acceptor_.accept();
    if (!accepted && accepted.error() == net::IoError::kExhausted) {
      TimePoint until = world_.network().now() + std::chrono::milliseconds(5);
      co_await runtime::Sleep(world_.origins().loop, until);
      continue;
    }
    if (!accepted) break;
    ++accepted_;
    scope_.spawn(serve(accepted->fd));
  }
  acceptor_.channel().close();
}

Task<void> Origin::serve(int fd) {
  HttpPeer peer(world_.origins().loop, fd);
  peers_.insert(&peer);
  bool more = true;
  while (more) {
    more = co_await exchange(peer);
  }
  peers_.erase(&peer);
}

Task<bool> Origin::read_request_body(HttpPeer& peer, const PeerHead& head, const Plan& plan) {
  PeerBody body = co_await peer.read_body(head, /*until_close=*/false);
  std::string expected = plan.request_body();
  bool right = body.complete ? body.bytes == expected : expected.starts_with(body.bytes);
  if (!right) seen_.wrong_bodies.insert(plan.id);
  if (body.complete) seen_.whole_bodies.insert(plan.id);
  co_return body.complete;
}

namespace {
Task<void> send_beside(HttpPeer& peer, std::string bytes, bool& sent) { sent = co_await peer.send(std::move(bytes)); }
}  // namespace

Task<bool> Origin::exchange(HttpPeer& peer) {
  std::optional<PeerHead> head = co_await peer.read_head();
  if (!head) co_return false;
  seen_.heads.push_back(*head);
  const std::string* text = head->find("x-plan");
  std::optional<Plan> plan = text ? Plan::decode(*text) : std::nullopt;
  if (!plan) {
    seen_.strange.push_back(head->start_line);
    co_return false;
  }
  if (const std::string* cookie = head->find("x-set-cookie")) plan->set_cookie = *cookie;
  seen_.order.push_back(plan->id);
  if (++seen_.requests[plan->id] > plan->fated_tries) {
    plan->fate = Fate::kGood;
    plan->status = 200;
  }
  if (plan->early) {
    // Both directions at once.
    runtime::Scope sending(world_.origins().loop);
    bool sent = false;
    sending.spawn(send_beside(peer, plan->response_head() + plan->framed_response_body(world_.random()), sent));
    bool whole = co_await read_request_body(peer, *head, *plan);
    co_await sending.join();
    co_return whole&& sent && !plan->close;
  }
  if (plan->expect_continue) {
    bool sent = co_await peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    if (!sent) co_return false;
  }
  bool whole = co_await read_request_body(peer, *head, *plan);
  if (!whole) co_return false;
  bool more = co_await answer(peer, *plan);
  co_return more;
}

Task<bool> Origin::answer(HttpPeer& peer, const Plan& plan) {
  for (int i = 0; i < plan.interim_responses; ++i) {
    bool sent = co_await peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
    if (!sent) co_return false;
  }
  if (plan.delay_ms > 0) {
    TimePoint until = world_.network().now() + std::chrono::milliseconds(plan.delay_ms);
    co_await runtime::Sleep(world_.origins().loop, until);
  }
  std::string head = plan.response_head();
  std::string body = plan.framed_response_body(world_.random());
  size_t cut = body.empty() ? 0 : world_.random().below(body.size());
  std::string bytes;
  switch (plan.fate) {
    case Fate::kGood:
      bytes = head + body;
      break;
    case Fate::kResetBeforeHead:
      world_.origins().driver.reset(peer.stream().channel().fd());
      co_return false;
    case Fate::kCloseBeforeHead:
      co_return false;
    case Fate::kCloseInHead:
      bytes = head.substr(0, world_.random().between(1, head.size() - 1));
      break;
    case Fate::kCloseInBody:
    case Fate::kResetInBody:
      bytes = head + body.substr(0, cut);
      break;
    case Fate::kSilence: {
      PeerBody rest = co_await peer.read_to_end();
      co_return false;
    }
    case Fate::kNonsense:
      bytes = "250 hello there\r\n\r\n";
      break;
  }
  bool sent = co_await peer.send(std::move(bytes));
  if (plan.fate == Fate::kResetInBody) world_.origins().driver.reset(peer.stream().channel().fd());
  co_return sent&& plan.fate == Fate::kGood && !plan.close && !plan.close_silently;
}

}  // namespace fairlead::sim
