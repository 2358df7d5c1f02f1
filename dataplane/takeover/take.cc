#include "takeover/take.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/quoted.h"
#include "spdlog/spdlog.h"

namespace fairlead::takeover {
namespace {

// A process that is killed closes its sockets a moment before it counts as ended.
constexpr std::chrono::seconds kEndingTime{2};

}  // namespace

Taker::Taker(Connection connection, TakerOptions options)
    : options_(options),
      connection_(std::move(connection)),
      from_(connection_.peer().pid),
      process_(static_cast<int>(::syscall(SYS_pidfd_open, from_, 0))) {}

absl::StatusOr<std::optional<Taker>> Taker::ask(const std::string& state_directory, std::string_view version,
                                                TakerOptions options) {
  absl::StatusOr<Connection> connection = Connection::open(absl::StrCat(state_directory, "/", kSocketName));
  if (absl::IsNotFound(connection.status())) return std::nullopt;
  if (!connection.ok()) return connection.status();
  Taker taker(*std::move(connection), options);
  spdlog::info("takeover: asks process {}", taker.from_);
  std::string hello = absl::StrCat("hello ", kProtocolVersion, " ", std::string(version), kWantsSecrets);
  absl::Status given = taker.connection_.send(hello, {}, Clock::now() + options.give);
  if (given.ok()) given = taker.receive_offers();
  // Whatever has come until then is what there is.
  if (absl::IsUnavailable(given) && taker.is_gone()) {
    spdlog::warn("takeover: process {} ended before it had given everything", taker.from_);
    given = absl::OkStatus();
  }
  if (!given.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("takeover from process ", taker.from_, ": ", std::string(given.message())));
  }
  return taker;
}

absl::Status Taker::receive_offers() {
  Clock::time_point deadline = Clock::now() + options_.give;
  while (true) {
    absl::StatusOr<Message> message = connection_.receive(deadline);
    if (!message.ok()) return message.status();
    std::string_view words = message->text;
    if (words == "yours") return absl::OkStatus();
    if (consume(words, "no ")) return absl::FailedPreconditionError(std::string(words));
    if (words == "secrets" && message->descriptors.size() == 1) {
      absl::StatusOr<std::string> read = read_secret_file(message->descriptors.front().get());
      if (!read.ok()) return read.status();
      secrets_ = *std::move(read);
      continue;
    }
    if (!consume(words, "sockets\n")) {
      return absl::InvalidArgumentError("it said " + base::quoted_excerpt(words) + " where sockets were expected");
    }
    absl::Status added = add_offers(words, std::move(message->descriptors), offers_);
    if (!added.ok()) return added;
  }
}

bool Taker::is_alone() const { return !process_ || wait_readable(process_.get(), Clock::now()); }

bool Taker::is_gone() const { return !process_ || wait_readable(process_.get(), Clock::now() + kEndingTime); }

absl::Status Taker::confirm(const std::vector<bool>& kept) {
  std::string serving = "serving ";
  for (bool one : kept) serving += one ? '1' : '0';
  (void)connection_.send(serving, {}, Clock::now() + options_.farewell);  // where it is closed, receive() says so
  absl::StatusOr<Message> farewell = connection_.receive(Clock::now() + options_.farewell);
  if (farewell.ok() && farewell->text == "leaving") return absl::OkStatus();
  if (farewell.ok() && farewell->text.starts_with("no ")) {
    return absl::FailedPreconditionError(
        absl::StrCat("takeover from process ", from_, ": ", farewell->text.substr(3), "; that process goes on"));
  }
  if (absl::IsDeadlineExceeded(farewell.status())) {
    // It hears of it when it comes to itself, and leaves.
    spdlog::error("takeover: process {} does not answer; it was told that this one serves", from_);
    return absl::OkStatus();
  }
  if (absl::IsUnavailable(farewell.status()) && is_gone()) {
    spdlog::warn("takeover: process {} ended before it was told that this one serves", from_);
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("takeover from process ", from_, ": it gave up waiting for this one, and goes on"));
}

}  // namespace fairlead::takeover
