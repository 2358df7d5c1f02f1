#include "proxy/explain.h"

#include <algorithm>

#include "balancing/slow_start.h"
#include "codec/http1_request.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "http/normalize_path.h"
#include "proxy/faults.h"
#include "proxy/persistence.h"
#include "proxy/request_key.h"
#include "proxy/request_shape.h"
#include "routing/router.h"

namespace fairlead::proxy {
namespace {

using config::Algorithm;
using observe::Explanation;

// In the schema's words.
std::string_view name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kRoundRobin:
      return "ROUND_ROBIN";
    case Algorithm::kRandom:
      return "RANDOM";
    case Algorithm::kLeastConnections:
      return "LEAST_CONNECTIONS";
    case Algorithm::kStaticRoundRobin:
      return "STATIC_ROUND_ROBIN";
    case Algorithm::kFirst:
      return "FIRST";
    case Algorithm::kSticky:
      return "STICKY";
    case Algorithm::kPeakEwma:
      return "PEAK_EWMA";
    case Algorithm::kPrequal:
      return "PREQUAL";
    case Algorithm::kHash:
      return "HASH";
  }
  return "";
}

std::string_view name_of(config::HashType type) {
  switch (type) {
    case config::HashType::kConsistent:
      return "CONSISTENT";
    case config::HashType::kRing:
      return "RING";
    case config::HashType::kMaglev:
      return "MAGLEV";
    case config::HashType::kModulo:
      return "MODULO";
  }
  return "";
}

class Explainer {
 public:
  explicit Explainer(Context& context) : context_(context), head_(context.request) {}

  Explanation run(const observe::Question& question) {
    const auto* listener = std::get_if<observe::Question::Listener>(&question.target);
    const config::Listener* record = nullptr;
    if (listener) {
      record = context_.upstreams.snapshot().find_listener(listener->slot, listener->uid);
      if (!record) return none("the listener is gone", faults::kNoRoute.cause);
    }
    codec::HeadLimits limits{.max_head_bytes = 65536, .max_headers = http::HeaderList::kCapacity};
    if (record) limits = {record->effective_max_head_bytes(), record->effective_max_headers()};
    codec::HeadResult parsed = codec::parse_request_head(question.head, limits, head_);
    if (!parsed.complete()) {
      result_.refusal = parsed.refused() ? std::string(parsed.refusal->cause) : "is not complete";
      return std::move(result_);
    }
    source_ = question.source;
    if (record && !is_let_in(*record)) return none(denial(*record), observe::name_of(observe::Refusal::kDenied));
    if (record && !normalize(*record)) return std::move(result_);
    bool is_tcp = record && record->protocol == config::Protocol::kTcp;
    if (!is_tcp) of_request_ = &head_;
    if (record && !is_tcp) believe(record->http_policy);
    config::BackendHandle handle = is_tcp   ? route_tcp(*record, question)
                                   : record ? route(*record)
                                            : std::get<config::BackendHandle>(question.target);
    if (!result_.cause.empty()) return std::move(result_);
    if (handle.uid == 0) return none("no route matches, and there is no default backend", faults::kNoRoute.cause);
    auto found = context_.upstreams.find(handle);
    if (!found) return none("the backend is gone", faults::kNoBackend.cause);
    return pick(*found.backend, *found.members);
  }

 private:
  void say(std::string reason) { result_.reasons.push_back(std::move(reason)); }
  Explanation none(std::string reason, std::string_view cause) {
    say(std::move(reason));
    result_.cause = cause;
    return std::move(result_);
  }

  bool is_let_in(const config::Listener& listener) const {
    absl::StatusOr<config::Endpoint> address = config::parse_ip(source_);
    return !address.ok() || listener.access.allows(config::ip_number(address->to_socket_address().storage));
  }
  std::string denial(const config::Listener& listener) const {
    return fmt::format("listener {} lets no connection of {} in", listener.name, source_);
  }

  // Of whom trusted proxies say the request is.
  void believe(const config::HttpPolicy& policy) {
    std::optional<Sender> named = named_sender(head_.headers, policy.effective_trusted_hops(), context_.sender_text);
    if (!named) return;
    say(fmt::format("trusted proxies, of which {} is one, say that it is of {}", source_, named->address));
    source_ = named->address;
  }

  // The path, as the listener spells it; false where it is refused.
  bool normalize(const config::Listener& listener) {
    http::NormalizedPath normalized = http::normalize_path(head_.path, listener.http_policy.path, context_.path_text);
    head_.path = normalized.path;
    if (normalized.refusal.empty()) return true;
    result_.refusal = std::string(normalized.refusal);
    return false;
  }

  config::BackendHandle route_tcp(const config::Listener& listener, const observe::Question& question) {
    auto offers = [&](std::string_view protocol) {
      return std::ranges::find(question.alpn, protocol) != question.alpn.end();
    };
    const auto* found = config::find_tls_route(listener.tls_route_table, question.sni, offers);
    if (found) {
      say(fmt::format("listener {}: the server name \"{}\" and the protocols [{}] lead to a route's backend",
                      listener.name, question.sni, fmt::join(question.alpn, ", ")));
      return found->backend;
    }
    say(fmt::format("listener {} passes connections on to its default backend", listener.name));
    return listener.route_table.default_backend;
  }

  config::BackendHandle route(const config::Listener& listener) {
    const config::RouteTable& table = listener.route_table;
    config::RouteTarget target = routing::route(table, head_.host, head_.path);
    config::BackendHandle handle = target.backend;
    if (target.has_actions) {
      const config::RouteActions& actions = *listener.routes[target.route].actions;
      if (actions.answers_itself()) {
        say(fmt::format("listener {}: routes[{}] answers by itself, with status {}", listener.name, target.route,
                        actions.redirect ? actions.redirect->effective_status() : actions.respond->status));
        result_.cause = faults::kAnsweredByRoute.cause;
        return {};
      }
    }
    bool is_default = handle.uid == table.default_backend.uid;
    say(fmt::format("listener {}: host {} and path {} lead to {}", listener.name, head_.host, head_.path,
                    handle.uid == 0 ? "nothing"
                    : is_default    ? "the default backend, or a route to the same"
                                    : "a route's backend"));
    return handle;
  }

  Explanation pick(upstream::Backend& backend, const config::BackendSnapshot& members) {
    const config::Backend& settings = backend.settings();
    result_.backend = settings.name;
    if (!backend.has_room_for_a_request()) {
      return none(fmt::format("backend {} has the {} requests at a time that it may have", settings.name,
                              settings.circuit.effective_max_requests()),
                  faults::kTooManyRequests.cause);
    }
    balancing::Key key = explain_algorithm(settings, members);
    const config::Server* server = follow_persistence(backend, members);
    if (!server) server = backend.peek(members, key);
    if (!server) {
      bool any = balancing::has_weight(members);
      return none(any ? "all servers that take requests are full" : "no server takes requests",
                  any ? faults::kAllFull.cause : faults::kNoServer.cause);
    }
    explain_tier(members, *server);
    explain_server(backend, members, *server);
    result_.server = server->name;
    result_.address = server->address.to_string();
    return std::move(result_);
  }

  // Where a cookie or the stick table leads, if that server may take it.
  const config::Server* follow_persistence(upstream::Backend& backend, const config::BackendSnapshot& members) {
    if (!backend.settings().persistence) return nullptr;
    Persistent persistent;
    persistent.look_up(backend, members, of_request_, source_, context_.loop.now(), context_.second(),
                       Persistent::Looking::kOnlyLooks);
    const config::Server* server = persistent.preferred(members);
    if (!server) {
      say("no cookie and no entry of a table leads to a server that may take it");
      return nullptr;
    }
    uint32_t limit = backend.limit_of(*server, members);
    bool is_full = members.counts_in_flight && limit > 0 && backend.load_of(members, *server) >= limit;
    const bool waits = is_full && backend.may_wait_for(*server, members);
    say(fmt::format("it had server {} before, {}", server->name,
                    waits     ? "which is full, and waits for a place there"
                    : is_full ? "which is full"
                              : "and goes there again"));
    if (is_full && !waits) return nullptr;
    result_.is_one_of_several = false;
    return server;
  }

  balancing::Key explain_algorithm(const config::Backend& settings, const config::BackendSnapshot& members) {
    Algorithm algorithm = settings.effective_algorithm();
    if (algorithm == Algorithm::kHash) return explain_hash(settings);
    say(fmt::format("backend {} balances by {}", settings.name, name_of(algorithm)));
    bool has_one = members.further.empty() && members.eligible.size() == 1;
    result_.is_one_of_several = !config::goes_by_age(algorithm) && !has_one;
    return std::nullopt;
  }

  balancing::Key explain_hash(const config::Backend& settings) {
    std::optional<std::string> text = key_text_of(settings.hash.key, of_request_, source_);
    balancing::Key key = key_of(settings.hash, of_request_, source_);
    if (!text || !key) {
      say(fmt::format("backend {} balances by HASH, and the request has nothing of the key {}: servers take turns",
                      settings.name, settings.hash.key_text));
      result_.is_one_of_several = true;
      return std::nullopt;
    }
    say(fmt::format("backend {} balances by HASH ({}) of {}: \"{}\", which is {:#018x}", settings.name,
                    name_of(settings.hash.effective_type()), settings.hash.key_text, *text, *key));
    return key;
  }

  void explain_tier(const config::BackendSnapshot& members, const config::Server& server) {
    if (members.further.empty()) {
      say(fmt::format("{} servers may be picked", members.eligible.size()));
      return;
    }
    auto tell = [&](uint8_t rank, uint32_t share, const config::EligibleServers& eligible) {
      const auto* found = eligible.find(server.slot);
      if (!found || (*found)->metadata.uid != server.metadata.uid) return;
      std::string name = rank == config::kBackupRank ? std::string("the backups")
                                                     : fmt::format("priority {}{}", rank / 2, rank % 2 ? ", far" : "");
      say(fmt::format("of {} tiers, {} take {:.1f} % of the requests; {} servers of these may be picked",
                      members.further.size() + 1, name, 100.0 * share / config::TierShares::kWhole, eligible.size()));
    };
    tell(members.rank, members.share, members.eligible);
    for (const config::Tier& tier : members.further) tell(tier.rank, tier.share, tier.eligible);
  }

  void explain_server(upstream::Backend& backend, const config::BackendSnapshot& members,
                      const config::Server& server) {
    const config::Backend& settings = backend.settings();
    uint32_t weight = server.weight.value_or(settings.effective_default_weight());
    uint32_t limit = backend.limit_of(server, members);
    std::string text =
        fmt::format("server {} at {}: weight {}, {} in flight {}", server.name, server.address.to_string(), weight,
                    backend.load_of(members, server), members.counts_in_flight ? "over all workers" : "in this worker");
    double part = balancing::part_of(members, server, context_.loop.now().time_since_epoch());
    if (part < 1) text += fmt::format(", starts slowly and has {:.0f} % of its share", 100 * part);
    if (limit > 0) text += fmt::format(", at most {}", limit);
    say(std::move(text));
  }

  Context& context_;
  http::RequestHead& head_;
  // Null for a TCP connection, which has none.
  const http::RequestHead* of_request_ = nullptr;
  std::string_view source_;
  Explanation result_;
};

}  // namespace

Explanation explain(Context& context, const observe::Question& question) { return Explainer(context).run(question); }

}  // namespace fairlead::proxy
