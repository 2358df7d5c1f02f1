#include "proxy/request_shape.h"

#include <optional>

#include "http/normalize_path.h"
#include "net/ip_text.h"

namespace fairlead::proxy {
namespace {

using http::Header;
using http::HeaderId;

// "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1": without port and brackets.
std::string_view without_port(std::string_view text) {
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  const size_t colon = text.find(':');
  return text.find(':', colon + 1) == std::string_view::npos ? text.substr(0, colon) : text;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Of X-Forwarded-For: finds the element that is the `hops`-th from the end of all lines together, and leaves out what
// is before it. Empty where there are fewer.
std::string_view believed_element(http::HeaderList& headers, uint32_t hops) {
  std::string_view found;
  uint32_t counted = 0;
  for (size_t i = headers.size(); i-- > 0;) {
    Header& header = headers.begin()[i];
    if (header.id != HeaderId::kXForwardedFor) continue;
    if (counted == hops) {
      header.hop_by_hop = true;
      continue;
    }
    for (size_t end = header.value.size();;) {
      const size_t comma = end == 0 ? std::string_view::npos : header.value.rfind(',', end - 1);
      const size_t begin = comma == std::string_view::npos ? 0 : comma + 1;
      if (++counted == hops) {
        found = trimmed(header.value.substr(begin, end - begin));
        header.value = trimmed(header.value.substr(begin));
        header.copyable = false;
        break;
      }
      if (comma == std::string_view::npos) break;
      end = comma;
    }
  }
  return found;
}

}  // namespace

std::optional<Sender> take_named_sender(http::HeaderList& headers, uint32_t hops) {
  if (hops == 0 || !headers.contains(HeaderId::kXForwardedFor)) return std::nullopt;
  std::string_view address = without_port(believed_element(headers, hops));
  std::optional<uint64_t> source = net::source_of_text(address);
  if (!source) return std::nullopt;
  return Sender{address, *source};
}

FaultOrNull shape_request(ExchangeState& x, Sender& sender) {
  http::RequestHead& head = x.context.request;
  const config::HttpPolicy& policy = x.listener().http_policy;
  if (policy.max_body_bytes) {
    if (head.body.kind == http::BodyKind::kLength && head.body.length > *policy.max_body_bytes)
      return &faults::kBodyTooLarge;
    if (x.chunked) x.request_body.limit_chunks(*policy.max_body_bytes);
  }
  if (!policy.path.changes_nothing()) {
    http::NormalizedPath normalized = http::normalize_path(head.path, policy.path, x.context.path_text);
    if (!normalized.refusal.empty()) return &faults::kPathRefused;
    head.path = normalized.path;
  }
  if (std::optional<Sender> named = take_named_sender(head.headers, policy.effective_trusted_hops())) sender = *named;
  return nullptr;
}

}  // namespace fairlead::proxy
