#include "takeover/give.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/quoted.h"
#include "spdlog/spdlog.h"

namespace fairlead::takeover {
namespace {

constexpr std::chrono::milliseconds kLockPause{50};
// Of a visitor that is to be sent away.
constexpr std::chrono::milliseconds kHelloPatience{200};

std::string text_of(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

Giver::Giver(Host& host, base::Descriptor listening, Options options)
    : host_(host),
      listening_(std::move(listening)),
      options_(options),
      stopping_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Giver::start() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "takeover");
    run();
  });
}

bool Giver::stop() {
  if (thread_.joinable()) {
    uint64_t one = 1;
    [[maybe_unused]] ssize_t written = ::write(stopping_.get(), &one, sizeof one);
    thread_.join();
  }
  return taken_;
}

void Giver::run() {
  while (!taken_ && wait_for_visitor()) {
    base::Descriptor socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) continue;  // gone again
    taken_ = serve(Connection(std::move(socket)));
  }
}

bool Giver::wait_for_visitor() {
  std::array<pollfd, 2> watched = {pollfd{stopping_.get(), POLLIN, 0}, pollfd{listening_.get(), POLLIN, 0}};
  while (::poll(watched.data(), watched.size(), -1) < 0 && errno == EINTR) {
  }
  return watched[0].revents == 0;
}

// The story. Until `leaving` is said everything can be taken back.
bool Giver::serve(Connection visitor) {
  visitor_ = visitor.peer().pid;
  serving_was_said_ = false;
  ended_unserved_ = false;
  absl::StatusOr<std::string> version = hear_hello(visitor);
  if (!version.ok()) {
    spdlog::warn("takeover by process {} refused: {}", visitor_, text_of(version.status()));
    (void)visitor.send("no " + text_of(version.status()), {}, Clock::now() + options_.step);
    return false;
  }
  spdlog::info("takeover: process {} ({}) asks for it; writes are refused from here on", visitor_, *version);
  absl::Status given = hand_over(visitor);
  if (given.ok()) {
    spdlog::info("takeover: process {} serves; this one accepts no more, and ends with what it has", visitor_);
    host_.leave(kept_);
    return true;
  }
  spdlog::warn("takeover by process {} failed: {}", visitor_, text_of(given));
  (void)visitor.send("no " + text_of(given), {}, Clock::now());
  {
    Connection closed = std::move(visitor);
  }
  return take_back();
}

absl::StatusOr<std::string> Giver::hear_hello(Connection& visitor) {
  uid_t uid = visitor.peer().uid;
  if (uid != 0 && uid != ::geteuid()) {
    return absl::PermissionDeniedError(absl::StrCat("user ", uid, " may not take over from user ", ::geteuid()));
  }
  absl::StatusOr<Message> hello = visitor.receive(Clock::now() + options_.step);
  if (!hello.ok()) return hello.status();
  std::string_view words = hello->text;
  if (!consume(words, "hello ")) {
    return absl::InvalidArgumentError("it said " + base::quoted_excerpt(words) + " where hello was expected");
  }
  if (!consume(words, std::to_string(kProtocolVersion) + " ")) {
    return absl::FailedPreconditionError(absl::StrCat("it speaks version ",
                                                      std::string(words.substr(0, words.find(' '))),
                                                      " of the takeover's protocol, and the running process version ",
                                                      kProtocolVersion, "; stop the one and start the other"));
  }
  wants_secrets_ = words.ends_with(kWantsSecrets);
  if (wants_secrets_) words.remove_suffix(sizeof kWantsSecrets - 1);
  return std::string(words);
}

absl::Status Giver::hand_over(Connection& visitor) {
  if (absl::Status given_up = host_.give_up_state(); !given_up.ok()) return given_up;
  std::vector<Offer> offers = host_.offer();
  if (absl::Status sent = send_offers(visitor, offers); !sent.ok()) return sent;
  if (wants_secrets_) {
    // Without them nothing is lost but some ease.
    base::Descriptor file = make_secret_file(host_.secrets());
    const int descriptor = file.get();
    absl::Status sent =
        file ? visitor.send("secrets", {&descriptor, 1}, Clock::now() + options_.step) : absl::OkStatus();
    if (!sent.ok()) return sent;
  }
  kept_.assign(offers.size(), true);
  offers.clear();
  if (absl::Status sent = visitor.send("yours", {}, Clock::now() + options_.step); !sent.ok()) return sent;
  absl::StatusOr<std::string> kept = hear_serving(visitor);
  if (!kept.ok()) return kept.status();
  if (*kept != "all") {
    if (kept->size() != kept_.size()) return absl::InvalidArgumentError("it serves something that it was not given");
    for (size_t i = 0; i < kept_.size(); ++i) kept_[i] = (*kept)[i] == '1';
  }
  return visitor.send("leaving", {}, Clock::now() + options_.step);
}

absl::Status Giver::send_offers(Connection& visitor, const std::vector<Offer>& offers) {
  std::string text = "sockets\n";
  std::vector<int> descriptors;
  auto flush = [&]() -> absl::Status {
    absl::Status sent = visitor.send(text, descriptors, Clock::now() + options_.step);
    text = "sockets\n";
    descriptors.clear();
    return sent;
  };
  for (const Offer& offer : offers) {
    size_t next = 0;
    while (next < offer.sockets.size()) {
      size_t count = std::min(offer.sockets.size() - next, Connection::kDescriptorsMax - descriptors.size());
      for (size_t end = next + count; next < end; ++next) descriptors.push_back(offer.sockets[next].get());
      absl::StrAppend(&text, write_offer({offer.use, offer.uid, count, offer.wanted, offer.bound}));
      if (descriptors.size() < Connection::kDescriptorsMax) continue;
      if (absl::Status sent = flush(); !sent.ok()) return sent;
    }
  }
  return descriptors.empty() ? absl::OkStatus() : flush();
}

absl::StatusOr<std::string> Giver::hear_serving(Connection& visitor) {
  Clock::time_point deadline = Clock::now() + options_.load;
  while (true) {
    std::array<pollfd, 3> watched = {pollfd{stopping_.get(), POLLIN, 0}, pollfd{visitor.fd(), POLLIN, 0},
                                     pollfd{listening_.get(), POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return absl::DeadlineExceededError("it does not serve in time");
    const auto wait = std::min(left, options_.reminder);
    const int ready = ::poll(watched.data(), watched.size(), static_cast<int>(wait.count()));
    if (ready < 0) continue;
    if (ready == 0) {
      spdlog::warn("takeover: process {} does not serve yet; no writes until it does, for {} s more at most", visitor_,
                   std::chrono::ceil<std::chrono::seconds>(deadline - Clock::now()).count());
      continue;
    }
    if (watched[1].revents != 0) break;
    // This process was told to end. The other one has everything, so it is its turn, whatever becomes of it.
    if (watched[0].revents != 0) return std::string("all");
    if (watched[2].revents != 0) send_away(absl::StrCat("process ", visitor_, " is taking over just now"));
  }
  absl::StatusOr<Message> serving = visitor.receive(deadline);
  ended_unserved_ = absl::IsUnavailable(serving.status());
  if (!serving.ok()) return serving.status();
  std::string_view kept = serving->text;
  if (!consume(kept, "serving ")) {
    return absl::InvalidArgumentError("it said " + base::quoted_excerpt(kept) + " where serving was expected");
  }
  serving_was_said_ = true;
  return std::string(kept);
}

// The lock is free when the other process is gone. As long as that lives, it may still load; this one serves then as it
// is, and takes no writes.
bool Giver::take_back() {
  bool said = false;
  while (true) {
    absl::Status taken = host_.take_state_back(/*changes_count=*/!ended_unserved_);
    if (taken.ok()) {
      spdlog::info("takeover: this process has the state directory again and takes writes");
      return false;
    }
    // It serves, and could only not be told that it may go on.
    if (serving_was_said_) {
      host_.leave(kept_);
      return true;
    }
    if (!std::exchange(said, true)) spdlog::error("takeover: no writes until {} ends: {}", visitor_, text_of(taken));
    if (wait_readable(stopping_.get(), Clock::now() + kLockPause)) return false;
    if (wait_readable(listening_.get(), Clock::now())) {
      send_away(absl::StrCat("process ", visitor_, " has the state directory"));
    }
  }
}

void Giver::send_away(const std::string& why) {
  base::Descriptor socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  Connection other(std::move(socket));
  spdlog::warn("takeover by process {} refused: {}", other.peer().pid, why);
  // A connection that is closed with something unread breaks, and the answer with it.
  (void)other.receive(Clock::now() + kHelloPatience);
  (void)other.send("no " + why, {}, Clock::now());
}

}  // namespace fairlead::takeover
