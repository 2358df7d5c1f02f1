#include "health/attempt.h"

#include <algorithm>
#include <array>
#include <utility>

#include "codec/grpc_health.h"
#include "codec/proxy_protocol.h"
#include "config/text.h"
#include "config/validate.h"

namespace fairlead::health {

using config::concat;
using runtime::Task;

namespace {

// A connection of the proxy itself, of which there is nothing more to say.
std::string written(config::ProxyHeader version) {
  std::array<char, codec::kMaxWrittenProxyHeader> bytes;
  const bool is_v1 = version == config::ProxyHeader::kV1;
  return {bytes.data(), is_v1 ? codec::write_proxy_v1({}, bytes) : codec::write_proxy_v2({}, bytes)};
}

}  // namespace

config::Endpoint place_of(const config::HealthCheck& settings, const config::Server& server, Role role) {
  const bool is_agent = role == Role::kAgent;
  const config::CheckPlace* place = is_agent ? &settings.agent->place : &settings.place;
  if (const config::ServerExtras* extras = server.extras.get()) {
    const config::CheckPlace& own = is_agent ? extras->agent : extras->check;
    if (own.is_set()) place = &own;
  }
  if (place->address) return *place->address;
  return place->port && !server.address.is_unix() ? server.address.with_port(*place->port) : server.address;
}

namespace {

runtime::Duration timeout_of(const config::HealthCheck& settings, Role role) {
  runtime::Duration timeout = settings.effective_timeout();
  return role == Role::kAgent ? std::min<runtime::Duration>(timeout, settings.agent_interval()) : timeout;
}

// Where requests go as well the server expects what they begin with.
std::optional<config::ProxyHeader> header_for(const config::Backend& settings, Role role, bool is_servers_own) {
  if (role == Role::kAgent) return std::nullopt;
  if (settings.health_check->proxy_header || !is_servers_own) return settings.health_check->proxy_header;
  if (!settings.send_proxy_protocol) return std::nullopt;
  return settings.send_proxy_protocol->version;
}

}  // namespace

Attempt::Attempt(Equipment& equipment, base::Ref<const config::Backend> settings, const config::Server& server,
                 Role role)
    : equipment_(equipment),
      settings_(std::move(settings)),
      role_(role),
      address_(place_of(*settings_->health_check, server, role)),
      proxy_header_(header_for(*settings_, role, address_ == server.address)),
      timeout_(timeout_of(*settings_->health_check, role)),
      deadline_(equipment.loop.now() + timeout_) {}

void Attempt::cancel() {
  if (stream_) stream_->cancel();
}

Task<Finding> Attempt::run() {
  std::optional<Finding> unconnected = co_await connect();
  if (unconnected) co_return *std::move(unconnected);
  Finding finding = co_await ask();
  // What is known is known: no lingering, and no port that this process waits for. (But a header on its way arrives.)
  bool arrives = std::holds_alternative<config::TcpCheck>(settings().kind) && proxy_header_;
  if (!stream_->channel().end_of_input() && !arrives) stream_->reset_on_close();
  stream_->close();
  co_return finding;
}

Task<Finding> Attempt::ask() {
  Finding finding{};
  if (role_ == Role::kAgent) {
    finding = co_await ask(*settings().agent);
  } else if (const auto* http = std::get_if<config::HttpCheck>(&settings().kind)) {
    finding = co_await ask(*http);
  } else if (const auto* grpc = std::get_if<config::GrpcCheck>(&settings().kind)) {
    finding = co_await ask(*grpc);
  } else {
    finding = co_await ask(config::TcpCheck());
  }
  co_return finding;
}

Finding Attempt::failure(std::string_view step, net::IoError error) const {
  switch (error) {
    case net::IoError::kTimedOut:
      return {Finding::Kind::kDown, concat(step, ": timed out after ", config::to_text(timeout_))};
    case net::IoError::kReset:
      return {Finding::Kind::kDown, concat(step, ": reset")};
    case net::IoError::kRefused:
      return {Finding::Kind::kDown, concat(step, ": refused")};
    case net::IoError::kHandshake:
      return {Finding::Kind::kDown, concat(step, ": ", handshake_problem_)};
    case net::IoError::kUnreachable:
      return {Finding::Kind::kDown, concat(step, ": unreachable")};
    case net::IoError::kExhausted:
    case net::IoError::kCancelled:
    case net::IoError::kOverLimit:
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
  if (role_ == Role::kAgent || !settings_->checks_speak_tls()) co_return std::nullopt;
  bool is_grpc = std::holds_alternative<config::GrpcCheck>(settings().kind);
  tls::ClientSide side{
      .context = settings_->tls_context, .address = address_, .alpn = is_grpc ? std::string("\2h2") : std::string()};
  net::IoResult<void> begun =
      co_await tls::connect(*stream_, equipment_.tls, std::move(side), deadline_, &handshake_problem_);
  if (!begun) co_return failure("tls", begun.error());
  co_return std::nullopt;
}

std::string Attempt::authority(const std::string& given) const {
  if (!given.empty()) return given;
  return address_.is_unix() ? "localhost" : address_.to_string();
}

Task<net::IoResult<void>> Attempt::send(std::string bytes) {
  if (!std::exchange(has_sent_, true) && proxy_header_) bytes = written(*proxy_header_) + bytes;
  net::IoResult<void> sent = co_await stream_->write_all(bytes, left());
  co_return sent;
}

// There is nothing to say, but for who expects to hear first who comes.
Task<Finding> Attempt::ask(const config::TcpCheck&) {
  net::IoResult<void> sent = co_await send("");
  if (!sent) co_return failure("send", sent.error());
  co_return Finding{Finding::Kind::kUp, "connected"};
}

Task<Finding> Attempt::ask(const config::GrpcCheck& check) {
  net::IoResult<void> sent = co_await send(codec::GrpcHealthCall::begin(check.service, authority(check.authority)));
  if (!sent) co_return failure("send", sent.error());
  net::Buffer buffer(equipment_.buffers);
  codec::GrpcHealthCall call;
  bool ended = false;
  while (!ended) {
    std::optional<Finding> failed = co_await read_more(buffer, "response", ended);
    if (failed) co_return *std::move(failed);
    std::string reply;
    std::optional<codec::GrpcHealthCall::Answer> answer = call.take(buffer.unread(), reply);
    buffer.clear();
    if (answer) {
      co_return Finding{answer->is_serving ? Finding::Kind::kUp : Finding::Kind::kDown, concat("grpc: ", answer->text)};
    }
    if (reply.empty()) continue;
    sent = co_await send(std::move(reply));
    if (!sent) co_return failure("send", sent.error());
  }
  co_return Finding{Finding::Kind::kDown, "response: closed before the call was over"};
}

// The first line, whether it ends with a line end or with the connection.
Task<Finding> Attempt::ask(const config::AgentCheck& agent) {
  constexpr size_t kLineMax = 1024;
  net::IoResult<void> sent = co_await send(agent.send);
  if (!sent) co_return failure("send", sent.error());
  net::Buffer buffer(equipment_.buffers);
  bool ended = false;
  while (true) {
    std::string_view line = buffer.empty() ? std::string_view() : buffer.unread();
    size_t end = line.find_first_of("\r\n");
    if (end == std::string_view::npos && line.size() > kLineMax) break;
    if (end == std::string_view::npos && !ended) {
      std::optional<Finding> failed = co_await read_more(buffer, "answer", ended);
      if (failed) co_return *std::move(failed);
      continue;
    }
    if (line.empty()) co_return Finding{Finding::Kind::kDown, "answer: closed without a word"};
    if (std::min(end, line.size()) > kLineMax) break;
    co_return Finding{Finding::Kind::kUp, std::string(line.substr(0, end))};
  }
  co_return Finding{Finding::Kind::kDown, "answer: a line of more than 1 KiB"};
}

}  // namespace fairlead::health
