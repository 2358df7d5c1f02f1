#include "sim_world/http_peer.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace fairlead::sim {

using runtime::Task;

namespace {

int begin_connect(test_support::SimHost& host, const config::Endpoint& to) {
  config::SocketAddress address = to.to_socket_address();
  int fd = host.driver.connect(reinterpret_cast<const sockaddr*>(&address.storage), address.size);
  FAIRLEAD_CHECK(fd >= 0);
  return fd;
}

}  // namespace

HttpPeer::HttpPeer(test_support::SimHost& host, const config::Endpoint& to)
    : stream_(host.loop, begin_connect(host, to)) {}

Task<bool> HttpPeer::connected() {
  auto writable = co_await stream_.writable(stream_.loop().now() + kPatience);
  co_return writable&& stream_.loop().driver().connect_result(stream_.channel().fd()) == 0;
}

Task<bool> HttpPeer::send(std::string bytes) {
  auto written = co_await stream_.write_all(bytes, kPatience);
  if (!written && written.error() == net::IoError::kTimedOut) timed_out_ = true;
  if (!written) broken_ = true;
  co_return written.has_value();
}

Task<bool> HttpPeer::fill() {
  auto count = co_await stream_.read_some(room_, stream_.loop().now() + kPatience);
  if (!count && count.error() == net::IoError::kTimedOut) timed_out_ = true;
  ended_cleanly_ = count && *count == 0 && !broken_;
  if (!count || *count == 0) co_return false;
  unread_.append(room_.data(), *count);
  co_return true;
}

Task<std::optional<std::string>> HttpPeer::read_line() {
  size_t end;
  while ((end = unread_.find("\r\n")) == std::string::npos) {
    bool more = co_await fill();
    if (!more) co_return std::nullopt;
  }
  std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 2);
  co_return line;
}

Task<std::optional<PeerHead>> HttpPeer::read_head() {
  PeerHead head;
  while (true) {
    std::optional<std::string> line = co_await read_line();
    if (!line) co_return std::nullopt;
    if (line->empty() && head.start_line.empty()) continue;
    if (line->empty()) co_return head;
    if (head.start_line.empty()) {
      head.start_line = *line;
      continue;
    }
    size_t colon = line->find(':');
    if (colon == std::string::npos) co_return std::nullopt;
    std::string name = line->substr(0, colon);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    head.fields[name] = line->substr(std::min(line->find_first_not_of(' ', colon + 1), line->size()));
  }
}

Task<PeerBody> HttpPeer::read_body(const PeerHead& head, bool until_close) {
  PeerBody body;
  if (head.find("transfer-encoding")) {
    body = co_await read_chunks();
  } else if (const std::string* length = head.find("content-length")) {
    size_t size = std::strtoull(length->c_str(), nullptr, 10);
    body = co_await read_sized(size);
  } else if (until_close) {
    body = co_await read_to_end();
  } else {
    body.complete = true;
  }
  co_return body;
}

Task<PeerBody> HttpPeer::read_to_end() {
  bool more = true;
  while (more) {
    more = co_await fill();
  }
  PeerBody body{.bytes = std::move(unread_), .complete = ended_cleanly_};
  unread_.clear();
  co_return body;
}

Task<PeerBody> HttpPeer::read_sized(size_t size) {
  bool more = true;
  while (more && unread_.size() < size) {
    more = co_await fill();
  }
  PeerBody body{.bytes = unread_.substr(0, size), .complete = unread_.size() >= size};
  unread_.erase(0, size);
  co_return body;
}

Task<PeerBody> HttpPeer::read_chunks() {
  PeerBody body;
  while (true) {
    std::optional<std::string> line = co_await read_line();
    if (!line) co_return body;
    size_t size = std::strtoull(line->c_str(), nullptr, 16);
    if (size == 0) break;
    PeerBody chunk = co_await read_sized(size + 2);
    if (chunk.bytes.size() > size) chunk.bytes.resize(size);
    body.bytes += chunk.bytes;
    if (!chunk.complete) co_return body;
  }
  while (true) {
    std::optional<std::string> line = co_await read_line();
    if (!line) co_return body;
    if (line->empty()) break;
  }
  body.complete = true;
  co_return body;
}

}  // namespace fairlead::sim
