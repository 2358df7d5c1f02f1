#include "codec/http1_writer.h"

#include <algorithm>

#include "codec/head_output.h"
#include "codec/scan.h"
#include "http/status.h"
#include "http/text.h"

namespace fairlead::codec {
namespace {

using http::BodyFraming;
using http::BodyKind;
using http::ForwardedPolicy;
using http::HeaderId;
using http::HeaderIdSet;
using http::RequestHead;
using http::ResponseHead;
using http::Version;

// For the next hop only, or written anew.
constexpr HeaderIdSet kNeverCopied(HeaderId::kConnection, HeaderId::kContentLength, HeaderId::kHttp2Settings,
                                   HeaderId::kKeepAlive, HeaderId::kProxyConnection, HeaderId::kTe, HeaderId::kTrailer,
                                   HeaderId::kTransferEncoding, HeaderId::kUpgrade);
constexpr HeaderIdSet kNeverCopiedInRequests = kNeverCopied.united_with(HeaderIdSet(HeaderId::kExpect));
constexpr std::string_view kProtoLine = "X-Forwarded-Proto: ";
constexpr HeaderIdSet kForwardedReplaced(HeaderId::kForwarded, HeaderId::kXForwardedFor, HeaderId::kXForwardedProto);
constexpr HeaderIdSet kForwardedAppended(HeaderId::kXForwardedFor, HeaderId::kXForwardedProto);

void put_framing(HeadOutput& output, BodyFraming framing) {
  if (framing.kind == BodyKind::kChunked) output.put("Transfer-Encoding: chunked\r\n");
  if (framing.kind == BodyKind::kLength) {
    output.put("Content-Length: ");
    output.put_number(framing.length);
    output.put("\r\n");
  }
}

// A line of its own behind those that came means the same as one more element in the last of them.
void put_via(HeadOutput& output, Version received, const ViaLine* via) {
  if (via) output.put(via->of(received));
}

void put_upgrade(HeadOutput& output, std::string_view protocols) {
  output.put("Connection: upgrade\r\nUpgrade: ");
  output.put(protocols);
  output.put("\r\n");
}

bool keeps_proto(const RequestHead& head, const RequestOptions& options) {
  return options.keep_proto && options.forwarded == ForwardedPolicy::kAppend &&
         head.headers.contains(HeaderId::kXForwardedProto);
}

HeaderIdSet dropped_by(const RequestHead& head, const RequestOptions& options) {
  switch (options.forwarded) {
    case ForwardedPolicy::kAppend:
      if (options.format == http::ForwardedFormat::kForwarded) return HeaderIdSet();
      if (keeps_proto(head, options)) return HeaderIdSet(HeaderId::kXForwardedFor);
      return kForwardedAppended;
    case ForwardedPolicy::kReplace:
    case ForwardedPolicy::kRemove:
      return kForwardedReplaced;
    case ForwardedPolicy::kKeep:
      return HeaderIdSet();
  }
  __builtin_unreachable();
}

// One line with all addresses in their order: many servers read only the first line, or only the last.
void put_appended_address(HeadOutput& output, const http::HeaderList& headers, const ForwardedLines& client) {
  std::string_view separator = "X-Forwarded-For: ";
  const auto put_address = [&](std::string_view address) {
    if (address.empty()) return;
    output.put(separator);
    output.put(address);
    separator = ", ";
  };
  for (const http::Header& header : headers) {
    if (header.id == HeaderId::kXForwardedFor && !header.hop_by_hop) put_address(header.value);
  }
  put_address(client.address);
  if (separator == ", ") output.put("\r\n");
}

// RFC 7239: an element of ours, in a line of its own, which means the same as one behind those that came.
void put_forwarded_element(HeadOutput& output, const RequestHead& head, const ForwardedLines& client) {
  const bool is_ip6 = client.address.contains(':');
  const bool is_ip = is_ip6 || client.address.contains('.');
  output.put("Forwarded: for=");
  output.put(is_ip6 ? "\"[" : "");
  output.put(is_ip ? client.address : "unknown");
  output.put(is_ip6 ? "]\"" : "");
  if (!head.host.empty()) {
    output.put(";host=\"");
    output.put(head.host);
    output.put("\"");
  }
  output.put(";proto=");
  output.put(scheme_of(client));
  output.put("\r\n");
}

void put_forwarded(HeadOutput& output, const RequestHead& head, const RequestOptions& options) {
  if (options.forwarded == ForwardedPolicy::kKeep || options.forwarded == ForwardedPolicy::kRemove) return;
  if (options.format != http::ForwardedFormat::kXForwarded) [[unlikely]] {
    put_forwarded_element(output, head, options.client);
    if (options.format == http::ForwardedFormat::kForwarded) return;
  }
  std::string_view lines = options.client.lines;
  if (options.forwarded == ForwardedPolicy::kAppend && head.headers.contains(HeaderId::kXForwardedFor)) {
    put_appended_address(output, head.headers, options.client);
    lines.remove_prefix(std::min(lines.find(kProtoLine), lines.size()));
  }
  if (keeps_proto(head, options)) lines = lines.substr(0, lines.find(kProtoLine));
  output.put(lines);
}

void put_request_line(HeadOutput& output, const RequestHead& head) {
  const char* line = head.method_text.data();
  const char* method_end = line + head.method_text.size();
  // Most often the target stands in the input as it is to be sent, with one space before it.
  if (head.path.data() == method_end + 1) {
    output.put(text_between(line, head.path.data() + head.path.size() + head.query.size()));
  } else {
    output.put(head.method_text);
    output.put(" ");
    output.put(head.path);
    output.put(head.query);
  }
  output.put(" HTTP/1.1\r\n");
}

// Host comes first; where it came first and plainly, it is copied with the lines behind it.
bool begins_with_plain_host(const RequestHead& head) {
  if (head.headers.empty()) return false;
  const http::Header& first = head.headers[0];
  return first.id == HeaderId::kHost && first.copyable && first.value.data() == head.host.data();
}

void put_status_line(HeadOutput& output, int status, std::string_view reason) {
  const char line[] = {'H',
                       'T',
                       'T',
                       'P',
                       '/',
                       '1',
                       '.',
                       '1',
                       ' ',
                       static_cast<char>('0' + status / 100),
                       static_cast<char>('0' + status / 10 % 10),
                       static_cast<char>('0' + status % 10),
                       ' '};
  output.put({line, sizeof(line)});
  output.put(reason);
  output.put("\r\n");
}

void put_response_connection(HeadOutput& output, const ResponseHead& head, const ResponseOptions& options, bool close) {
  if (head.is_interim()) return;
  if (head.status == 101) return put_upgrade(output, head.upgrade);
  if (close && !head.upgrade.empty()) {
    output.put("Connection: close, upgrade\r\nUpgrade: ");
    output.put(head.upgrade);
    output.put("\r\n");
  } else if (close) {
    output.put("Connection: close\r\n");
  } else if (!head.upgrade.empty()) {
    put_upgrade(output, head.upgrade);
  } else if (options.client_version == Version::kHttp10) {
    output.put("Connection: keep-alive\r\n");
  }
}

}  // namespace

ViaLine::ViaLine(std::string_view name) : name_(name) {
  const auto line = [&](std::string_view version) {
    return std::string("Via: ").append(version).append(" ").append(name).append("\r\n");
  };
  http10_ = line("1.0");
  http11_ = line("1.1");
}

ForwardedLines make_forwarded_lines(std::string_view address, std::string_view scheme, std::span<char> out) {
  HeadOutput output(out.first(kMaxForwardedLines));
  if (!address.empty()) output.put_header("X-Forwarded-For", address);
  output.put_header("X-Forwarded-Proto", scheme);
  const size_t size = output.finish().value_or(0);
  constexpr size_t kBeforeAddress = std::string_view("X-Forwarded-For: ").size();
  const char* own_address = address.empty() ? nullptr : out.data() + kBeforeAddress;
  return {.address = {own_address, address.size()}, .lines = {out.data(), size}};
}

std::optional<size_t> write_request_head(const RequestHead& head, const RequestOptions& options, std::span<char> out) {
  HeadOutput output(out);
  put_request_line(output, head);
  HeaderIdSet dropped = kNeverCopiedInRequests.united_with(dropped_by(head, options));
  if (!begins_with_plain_host(head)) {
    output.put_header("Host", head.host.empty() ? options.host_if_absent : head.host);
    dropped.insert(HeaderId::kHost);
  }
  if (head.max_forwards) dropped.insert(HeaderId::kMaxForwards);
  output.put_headers(head.headers, dropped);
  put_framing(output, head.body);
  if (head.expect_continue) output.put("Expect: 100-continue\r\n");
  if (head.max_forwards) {
    output.put("Max-Forwards: ");
    output.put_number(*head.max_forwards == 0 ? 0 : *head.max_forwards - 1);
    output.put("\r\n");
  }
  put_forwarded(output, head, options);
  output.put(options.further_lines);
  output.put(options.certificate_line);
  put_via(output, head.version, options.via);
  if (!head.upgrade.empty()) put_upgrade(output, head.upgrade);
  output.put("\r\n");
  return output.finish();
}

BodyFraming framing_for_client(const ResponseHead& head, Version client) {
  if (head.body.kind == BodyKind::kNone || head.body.kind == BodyKind::kLength) return head.body;
  return {.kind = client == Version::kHttp10 ? BodyKind::kUntilClose : BodyKind::kChunked};
}

std::optional<size_t> write_response_head(const ResponseHead& head, const ResponseOptions& options,
                                          std::span<char> out) {
  HeadOutput output(out);
  put_status_line(output, head.status, head.reason);
  output.put_headers(head.headers, kNeverCopied);
  const BodyFraming framing = framing_for_client(head, options.client_version);
  put_framing(output, framing);
  // Where no body follows, its length may still be told: the answer to HEAD, 304.
  if (framing.kind == BodyKind::kNone && head.declared_length) {
    put_framing(output, {.kind = BodyKind::kLength, .length = *head.declared_length});
  }
  if (!head.is_informational() && !head.headers.contains(HeaderId::kDate)) output.put(options.date_line);
  output.put(options.further_lines);
  output.put(options.route_lines);
  put_via(output, head.version, options.via);
  put_response_connection(output, head, options, options.close || framing.kind == BodyKind::kUntilClose);
  output.put("\r\n");
  return output.finish();
}

std::optional<size_t> write_local_reply(const LocalReply& reply, std::span<char> out) {
  constexpr size_t kStatusAndSpace = 4, kLineFeed = 1;
  HeadOutput output(out);
  const std::string_view reason = http::reason_phrase(reply.status);
  put_status_line(output, reply.status, reason);
  const std::string_view type = reply.body ? reply.body->content_type : "text/plain";
  const size_t length = reply.body ? reply.body->text.size() : kStatusAndSpace + reason.size() + kLineFeed;
  if (!http::never_has_body(reply.status)) {
    if (length > 0 && !type.empty()) output.put_header("Content-Type", type);
    put_framing(output, {.kind = BodyKind::kLength, .length = length});
  }
  // RFC 9110 section 15.5.6 demands it; the target's own methods are the server's to know.
  if (reply.status == 405) output.put("Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n");
  if (reply.retry_after_seconds > 0) {
    output.put("Retry-After: ");
    output.put_number(reply.retry_after_seconds);
    output.put("\r\n");
  }
  output.put(reply.date_line);
  output.put(reply.further_lines);
  if (reply.close) {
    output.put("Connection: close\r\n");
  } else if (reply.client_version == Version::kHttp10) {
    output.put("Connection: keep-alive\r\n");
  }
  output.put("\r\n");
  if (reply.head_only || http::never_has_body(reply.status)) return output.finish();
  if (reply.body) {
    output.put(reply.body->text);
    return output.finish();
  }
  output.put_number(static_cast<uint64_t>(reply.status));
  output.put(" ");
  output.put(reason);
  output.put("\n");
  return output.finish();
}

std::string_view scheme_of(const ForwardedLines& client) {
  const size_t name = client.lines.find(kProtoLine);
  if (name == std::string_view::npos) return "http";
  const std::string_view value = client.lines.substr(name + kProtoLine.size());
  return value.substr(0, value.find('\r'));
}

bool via_names(const http::HeaderList& headers, std::string_view name) {
  if (!headers.contains(HeaderId::kVia)) return false;
  for (const http::Header& header : headers) {
    if (header.id != HeaderId::kVia) continue;
    for (std::string_view rest = header.value; rest.data() != nullptr;) {
      // received-protocol, whitespace, received-by, and perhaps a comment.
      const std::string_view hop = take_list_element(rest);
      const std::string_view behind = trim_whitespace(hop.substr(std::min(hop.find_first_of(" \t"), hop.size())));
      const std::string_view received_by = behind.substr(0, behind.find_first_of(" \t"));
      if (http::equals_ignoring_case(received_by, name)) return true;
    }
  }
  return false;
}

}  // namespace fairlead::codec
