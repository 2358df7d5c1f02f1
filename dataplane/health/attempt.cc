#include "health/attempt.h"

#include <utility>

#include "config/text.h"
#include "config/validate.h"

namespace fairlead::health {

using config::concat;
using runtime::Task;

config::Endpoint place_of(const config::HealthCheck& settings, const config::Server& server) {
  const config::ServerCheck* own = server.check.get();
  bool has_own = own && (own->port || own->address);
  const std::optional<config::Endpoint>& address = has_own ? own->address : settings.address;
  std::optional<uint16_t> port = has_own ? own->port : settings.port;
  if (address) return *address;
  return port && !server.address.is_unix() ? server.address.with_port(*port) : server.address;
}

Attempt::Attempt(Equipment& equipment, base::Ref<const config::Backend> settings, const config::Server& server)
    : equipment_(equipment),
      settings_(std::move(settings)),
      address_(place_of(*settings_->health_check, server)),
      deadline_(equipment.loop.now() + settings_->health_check->effective_timeout()) {}

void Attempt::cancel() {
  cancelled_ = true;
  if (stream_) stream_->cancel();
}

Task<Finding> Attempt::run() {
  std::optional<Finding> unconnected = co_await connect();
  if (unconnected) co_return *std::move(unconnected);
  Finding finding{};
  if (const auto* http = std::get_if<config::HttpCheck>(&settings().kind)) {
    finding = co_await ask(*http);
  } else {
    finding = co_await ask(std::get<config::TcpCheck>(settings().kind));
  }
  // What is known is known: no lingering, and no port that this process waits for.
  if (!stream_->channel().end_of_input()) stream_->reset_on_close();
  stream_->close();
  co_return finding;
}

Finding Attempt::failure(std::string_view step, net::IoError error) const {
  switch (error) {
    case net::IoError::kTimedOut:
      return {Finding::Kind::kDown,
              concat(step, ": timed out after ", config::to_text(settings().effective_timeout()))};
    case net::IoError::kReset:
      return {Finding::Kind::kDown, concat(step, ": reset")};
    case net::IoError::kRefused:
      return {Finding::Kind::kDown, concat(step, ": refused")};
    case net::IoError::kUnreachable:
      return {Finding::Kind::kDown, concat(step, ": unreachable")};
    case net::IoError::kExhausted:
    case net::IoError::kCancelled:
      break;
  }
  return {Finding::Kind::kNotMade, concat(step, ": not made")};
}

Task<std::optional<Finding>> Attempt::connect() {
  runtime::Loop& loop = equipment_.loop;
  config::SocketAddress address = address_.to_socket_address();
  int fd = loop.driver().connect(reinterpret_cast<const sockaddr*>(&address.storage), address.size);
  if (fd < 0) co_return failure("connect", runtime::io_error_of(-fd));
  stream_.emplace(loop, fd);
  net::IoResult<void> writable = co_await stream_->writable(deadline_);
  if (!writable) co_return failure("connect", writable.error());
  if (int result = loop.driver().connect_result(fd); result != 0) {
    co_return failure("connect", runtime::io_error_of(-result));
  }
  co_return std::nullopt;
}

// NOLINTNEXTLINE(readability-convert-member-functions-to-static): as the others.
Task<Finding> Attempt::ask(const config::TcpCheck&) { co_return Finding{Finding::Kind::kUp, "connected"}; }

}  // namespace fairlead::health
