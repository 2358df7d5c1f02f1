// A connection from a client, for as long as its session lives. Part of the session's frame.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/intrusive_list.h"
#include "codec/proxy_protocol.h"
#include "net/acceptor.h"
#include "net/buffer.h"
#include "net/stream.h"
#include "proxy/context.h"
#include "proxy/entrance.h"
#include "tls/transport.h"

namespace fairlead::proxy {

// As Client::source().
uint64_t source_of(std::optional<config::IpNumber> ip);

// Of a PROXY header. Empty: it did not say.
struct Proxied {
  sockaddr_storage destination{};
  std::string authority;
  std::string unique_id;
};

class Client : public base::ListNode<> {
 public:
  Client(Context& context, ListenerContext& listener, const Arrival& arrival);
  ~Client();

  Context& context() { return context_; }
  ListenerContext& listener() { return listener_; }
  const config::Listener& settings() const { return *listener_.record; }
  // Null where it speaks in the clear.
  const tls::Transport* tls() const { return static_cast<const tls::Transport*>(stream_.channel().transport()); }
  net::Stream& stream() { return stream_; }
  const net::Stream& stream() const { return stream_; }
  // Bytes that came and are not understood yet.
  net::Buffer& in() { return in_; }
  // Unset: a Unix socket.
  std::optional<config::IpNumber> ip() const { return has_ip_ ? std::optional(ip_) : std::nullopt; }
  uint16_t port() const { return port_; }
  // The address as a number, of IPv6 the first half, which is one customer's; 0 for a Unix socket.
  uint64_t source() const { return source_of(ip()); }
  // As the kernel has them; of no IP family for a Unix socket.
  sockaddr_storage socket_address() const;
  // From now on it is who the header says.
  void take_proxy_header(const codec::ProxyHeader& header);
  // What a PROXY header said beside who it is; null where there was none.
  const Proxied* proxied() const { return proxied_.get(); }
  // A number for this connection that no other one of the worker has or had.
  uint64_t id() {
    if (id_ == 0) id_ = ++context_.last_client_id;
    return id_;
  }
  // It has a place in the counts of client addresses; written by who gives it one.
  bool& is_counted() { return is_counted_; }
  // What a server is told of it. Valid until somebody asks for another client's.
  const codec::ForwardedLines& forwarded() const { return context_.forwarded.of(ip(), tls() != nullptr); }
  // "10.0.0.1", "2001:db8::1", "unix". As long as forwarded().
  std::string_view address() const { return forwarded().address; }
  runtime::TimePoint now() const { return stream_.channel().loop().now(); }

  std::string address_and_port() const;
  // When the first byte of the request that is being read or answered came.
  runtime::TimePoint request_began() const { return request_began_; }
  void begin_request() {
    request_began_ = now();
    ++requests_begun_;
  }
  // On this connection, with the present one.
  uint64_t requests_begun() const { return requests_begun_; }

  // Between requests, where finish() wakes the session so that it looks at idle_until() anew.
  void set_idle(bool idle) { idle_ = idle; }
  // The session is to end with the request that it has, or with the next one, where that comes in the grace that the
  // listener gives: a request that is on its way must not meet a closed connection.
  void finish();
  bool is_finishing() const { return listener_.finishing; }
  // When to stop waiting for a request that would be waited for until `deadline`.
  runtime::TimePoint idle_until(runtime::TimePoint deadline) const { return std::min(deadline, listener_.idle_until); }
  // It is closed where it has no request.
  void shed() {
    if (idle_) cancel();
  }
  // The time that the process had for its end is over.
  void cut_off() {
    was_cut_off_ = true;
    cancel();
  }
  bool was_cut_off() const { return was_cut_off_; }
  // Everything that waits on this client fails.
  void cancel() { stream_.cancel(); }

 private:
  void take_address(const sockaddr_storage& address);

  Context& context_;
  ListenerContext& listener_;
  net::Stream stream_;
  net::Buffer in_;
  runtime::TimePoint request_began_;
  uint64_t requests_begun_ = 0;
  bool idle_ = false;
  bool was_cut_off_ = false;
  bool has_ip_ = false;
  bool is_counted_ = false;
  uint16_t port_ = 0;
  config::IpNumber ip_ = 0;
  uint64_t id_ = 0;
  std::unique_ptr<Proxied> proxied_;
};

// Until a connection's first byte, or its end. As between requests it is idle until then: kCancelled says that it is to
// be closed without a word.
runtime::Task<net::IoResult<void>> first_byte(Client& client, runtime::TimePoint deadline);

// Ends a connection to a client that may still be sending: what it sends is read and thrown away for a while, because a
// socket that is closed with bytes unread resets the connection, and with it our answer on its way.
runtime::Task<void> close_lingering(Client& client);

}  // namespace fairlead::proxy
