#include "proxy/route_actions.h"

#include <algorithm>
#include <string>

#include "codec/http1_writer.h"
#include "http/text.h"

namespace fairlead::proxy {
namespace {

using config::HeaderChanges;
using config::Redirect;
using runtime::Task;

bool leaves_out(const HeaderChanges& changes, std::string_view name) {
  return std::ranges::any_of(changes.leave_out,
                             [&](const std::string& gone) { return http::equals_ignoring_case(gone, name); });
}

void leave_out(http::HeaderList& headers, const HeaderChanges& changes) {
  if (changes.leave_out.empty()) return;
  for (http::Header& header : headers) {
    if (leaves_out(changes, header.name)) header.hop_by_hop = true;
  }
}

std::string path_of(const Redirect& redirect, const http::RequestHead& head, std::string_view matched) {
  if (!redirect.path.empty()) return redirect.path;
  // "*" is no path of a URL.
  if (!head.path.starts_with('/')) return "/";
  if (!redirect.path_prefix.empty()) return config::replace_prefix(head.path, matched, redirect.path_prefix);
  return std::string(head.path);
}

std::string location_of(const Redirect& redirect, const http::RequestHead& head, std::string_view matched,
                        std::string_view request_scheme) {
  std::string path = path_of(redirect, head, matched);
  if (!redirect.drop_query) path += head.query;
  std::string_view scheme = redirect.scheme.empty() ? request_scheme : std::string_view(redirect.scheme);
  bool keeps_port = redirect.host.empty() && redirect.scheme.empty() && !redirect.port;
  std::string_view own_host = keeps_port ? head.host : head.host_name;
  std::string_view host = redirect.host.empty() ? own_host : std::string_view(redirect.host);
  if (host.empty()) {
    // Two slashes would name a host.
    while (path.starts_with("//")) path.erase(0, 1);
    return path;
  }
  std::string location = std::string(scheme).append("://").append(host);
  if (redirect.port && *redirect.port != (scheme == "https" ? 443 : 80))
    location += ":" + std::to_string(*redirect.port);
  return location + path;
}

}  // namespace

Task<After> send_local_reply(ExchangeState& x, codec::LocalReply reply) {
  // What is left of the request's body would have to be read before the next request.
  reply.close = !x.keep_alive || !x.request_is_read() || x.client.is_finishing();
  reply.head_only = x.method == http::Method::kHead;
  reply.client_version = x.version;
  x.out.clear();
  auto size = codec::write_local_reply(reply, x.out.room());
  x.out.commit(size.value_or(0));
  if (reply.close) x.client.stream().channel().expect_end();
  auto written = co_await x.client.stream().write_all(x.out.unread(), x.listener().idle_timeout());
  if (!written || !size) co_return After::kClose;
  co_return reply.close ? After::kCloseLingering : After::kNextRequest;
}

Task<After> answer_by_route(ExchangeState& x) {
  const config::RouteActions& actions = *x.actions;
  const HeaderChanges& changes = actions.response_changes;
  codec::LocalReply reply;
  std::string lines;
  if (actions.redirect) {
    lines = "Location: " +
            location_of(*actions.redirect, x.context.request, actions.matched_prefix,
                        codec::scheme_of(x.client.forwarded())) +
            "\r\n";
    reply.status = actions.redirect->effective_status();
  } else {
    reply.status = actions.respond->status;
    reply.body = codec::LocalReply::Body{actions.respond->effective_content_type(), actions.respond->body};
  }
  lines += changes.lines;
  reply.further_lines = lines;
  if (!leaves_out(changes, "date")) reply.date_line = x.context.date_line();
  if (leaves_out(changes, "content-type")) {
    if (!reply.body) reply.body.emplace();
    reply.body->content_type = {};
  }
  ++x.client.listener().answered;
  x.end_log(static_cast<uint16_t>(reply.status), actions.redirect ? "redirect" : "fixed_response");
  co_return co_await send_local_reply(x, reply);
}

void change_request(ExchangeState& x) {
  http::RequestHead& head = x.context.request;
  const config::Rewrite& rewrite = x.actions->rewrite;
  if (!rewrite.path_prefix.empty() && head.path.starts_with('/')) {
    x.context.rewritten_path = config::replace_prefix(head.path, x.actions->matched_prefix, rewrite.path_prefix);
    head.path = x.context.rewritten_path;
  }
  if (!rewrite.host.empty()) head.host = rewrite.host;
  leave_out(head.headers, x.actions->request_changes);
}

void change_response(ExchangeState& x) { leave_out(x.context.response.headers, x.actions->response_changes); }

}  // namespace fairlead::proxy
