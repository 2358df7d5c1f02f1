// One check of one server, from the connection to what it has found.
//
// It lives in the frame of who awaits it. cancel() breaks it off: what it finds then is worth nothing. One thread.
#pragma once

#include <optional>
#include <string>

#include "config/model.h"
#include "http/head.h"
#include "net/buffer.h"
#include "net/stream.h"
#include "runtime/task.h"
#include "tls/handshake.h"

namespace fairlead::health {

struct Finding {
  enum class Kind : uint8_t {
    kUp,
    kDown,
    // This process could not ask (descriptors, memory, ports): it says nothing about the server.
    kNotMade,
  };
  Kind kind;
  // By the step that failed: "connect: refused"; of a success what came of it: "status 200".
  std::string reason;
};

// What all attempts of a checker share.
struct Equipment {
  explicit Equipment(runtime::Loop& checkers_loop) : loop(checkers_loop), tls(checkers_loop) {}

  runtime::Loop& loop;
  net::BufferPool buffers{64};
  tls::Worker tls;
  // Scratch: filled by the parser, used before anything is awaited.
  http::ResponseHead head;
};

// Who is asked: the server, or the agent beside it.
enum class Role : uint8_t { kCheck, kAgent };

class Attempt {
 public:
  // `settings` has what the role asks for. Of an agent that has answered a Finding is kUp, and its reason is the line.
  Attempt(Equipment& equipment, base::Ref<const config::Backend> settings, const config::Server& server, Role role);

  runtime::Task<Finding> run();
  void cancel();

 private:
  const config::HealthCheck& settings() const { return *settings_->health_check; }
  runtime::Duration left() const { return deadline_ - equipment_.loop.now(); }
  Finding failure(std::string_view step, net::IoError error) const;
  // Nothing: it is open.
  runtime::Task<std::optional<Finding>> connect();
  runtime::Task<Finding> ask(const config::TcpCheck& check);
  runtime::Task<Finding> ask(const config::HttpCheck& check);
  runtime::Task<Finding> ask(const config::GrpcCheck& check);
  runtime::Task<Finding> ask(const config::AgentCheck& agent);
  runtime::Task<Finding> ask();
  // Who is asked, as they are called where nothing else was said.
  std::string authority(const std::string& given) const;
  // Behind what goes before everything on this connection.
  runtime::Task<net::IoResult<void>> send(std::string bytes);
  std::string request_of(const config::HttpCheck& check) const;
  // The final head, consumed; its status and framing are in the equipment's head until something is awaited.
  runtime::Task<std::optional<Finding>> read_head(net::Buffer& buffer, http::Method method);
  runtime::Task<Finding> search_body(net::Buffer& buffer, http::BodyFraming framing, const config::HttpCheck& check);
  // Nothing: more bytes are there, or the stream has ended, which is `ended`.
  runtime::Task<std::optional<Finding>> read_more(net::Buffer& buffer, std::string_view step, bool& ended);

  Equipment& equipment_;
  const base::Ref<const config::Backend> settings_;
  const Role role_;
  const config::Endpoint address_;
  // What goes before everything.
  const std::optional<config::ProxyHeader> proxy_header_;
  const runtime::Duration timeout_;
  const runtime::TimePoint deadline_;
  std::optional<net::Stream> stream_;
  bool has_sent_ = false;
  std::string handshake_problem_{};
};

// Where a server is checked, or its agent asked.
config::Endpoint place_of(const config::HealthCheck& settings, const config::Server& server, Role role);

}  // namespace fairlead::health
