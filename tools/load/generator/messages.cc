#include "generator/messages.h"

#include <algorithm>

#include "fmt/format.h"

namespace fairlead::generator {
namespace {

constexpr size_t kBlockBytes = 64 * 1024;

std::string with_query(const std::string& path, runtime::Duration latency) {
  auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(latency).count();
  return fmt::format("{}{}latency_ms={}", path, path.contains('?') ? '&' : '?', milliseconds);
}

std::string first_lines(const Target& target, Kind kind) {
  switch (kind) {
    case Kind::kPlain:
      return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n", target.path, target.host);
    case Kind::kSlow:
      return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n", with_query(target.path, target.slow_latency), target.host);
    case Kind::kUpload:
      // Usually POST, which nobody may send twice: a retry that should not be shows as a failure elsewhere.
      return fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", target.upload_method, target.path, target.host,
                         target.upload_chunked ? "Transfer-Encoding: chunked"
                                               : fmt::format("Content-Length: {}", target.upload_bytes));
  }
  return {};
}

}  // namespace

Messages::Messages(const Target& target) {
  for (Kind kind : {Kind::kPlain, Kind::kSlow, Kind::kUpload}) {
    std::string lines = first_lines(target, kind) + "User-Agent: fairlead-load\r\nAccept: */*\r\n";
    heads_[static_cast<size_t>(kind)] = {lines + "\r\n", lines + "Connection: close\r\n\r\n"};
  }
  block_.resize(std::max(kBlockBytes, target.tcp_echo ? target.payload_bytes : 0));
  for (size_t i = 0; i < block_.size(); ++i) block_[i] = static_cast<char>('a' + i % 26);
}

}  // namespace fairlead::generator
