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

// The end of the element of a list that begins at `begin`: its comma, or the line's end. A comma in quotes is no end.
size_t end_of_element(std::string_view line, size_t begin) {
  bool is_quoted = false;
  for (size_t i = begin; i < line.size(); ++i) {
    if (line[i] == '"') is_quoted = !is_quoted;
    if (line[i] == '\\' && is_quoted) ++i;
    if (line[i] == ',' && !is_quoted) return i;
  }
  return line.size();
}

uint32_t count_elements(std::string_view line) {
  uint32_t count = 1;
  for (size_t at = end_of_element(line, 0); at < line.size(); at = end_of_element(line, at + 1)) ++count;
  return count;
}

// Where the element stands that is the `hops`-th from the end of all lines of a field together.
struct BelievedPlace {
  size_t header = 0;
  size_t at = 0;
};
std::optional<BelievedPlace> believed_place(const http::HeaderList& headers, HeaderId id, uint32_t hops) {
  uint32_t behind = 0;
  for (size_t i = headers.size(); i-- > 0;) {
    const Header& header = headers.begin()[i];
    if (header.id != id) continue;
    const uint32_t count = count_elements(header.value);
    if (behind + count < hops) {
      behind += count;
      continue;
    }
    BelievedPlace place{.header = i, .at = 0};
    for (uint32_t skipped = 0; skipped < behind + count - hops; ++skipped)
      place.at = end_of_element(header.value, place.at) + 1;
    return place;
  }
  return std::nullopt;
}

// What stands before the element that the first of `hops` trusted proxies has written, anybody may have made up.
void leave_out_unbelieved(http::HeaderList& headers, HeaderId id, uint32_t hops) {
  std::optional<BelievedPlace> place = believed_place(headers, id, hops);
  if (!place) return;
  for (size_t i = 0; i < place->header; ++i) {
    if (headers.begin()[i].id == id) headers.begin()[i].hop_by_hop = true;
  }
  if (place->at == 0) return;
  Header& header = headers.begin()[place->header];
  header.value = trimmed(header.value.substr(place->at));
  header.copyable = false;
}

}  // namespace

std::optional<Sender> named_sender(const http::HeaderList& headers, uint32_t hops, std::string& spelled) {
  if (hops == 0 || !headers.contains(HeaderId::kXForwardedFor)) return std::nullopt;
  std::optional<BelievedPlace> place = believed_place(headers, HeaderId::kXForwardedFor, hops);
  if (!place) return std::nullopt;
  const std::string_view line = headers.begin()[place->header].value;
  const std::string_view element = line.substr(place->at, end_of_element(line, place->at) - place->at);
  std::optional<uint64_t> source = net::source_of_text(without_port(trimmed(element)), spelled);
  if (!source) return std::nullopt;
  return Sender{spelled, *source};
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
  if (const uint32_t hops = policy.effective_trusted_hops(); hops > 0) {
    if (std::optional<Sender> named = named_sender(head.headers, hops, x.context.sender_text)) sender = *named;
    if (x.listener().effective_forwarded() == http::ForwardedPolicy::kAppend) {
      const http::ForwardedFormat format = policy.effective_forwarded_format();
      if (format != http::ForwardedFormat::kForwarded)
        leave_out_unbelieved(head.headers, HeaderId::kXForwardedFor, hops);
      if (format != http::ForwardedFormat::kXForwarded) leave_out_unbelieved(head.headers, HeaderId::kForwarded, hops);
    }
  }
  return nullptr;
}

}  // namespace fairlead::proxy
