#include "store/reader.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "config/text.h"

namespace fairlead::store {
namespace {

// Looked at for one page at most.
constexpr size_t kScanMax = 10'000;

bool carries(const config::Labels& labels, const config::Labels& wanted) {
  return std::ranges::includes(labels, wanted);
}

// Names have no "/".
std::string to_text(const DepartingKey& key) { return config::concat(key.backend, "/", key.name, "/", key.uid); }

std::optional<DepartingKey> to_key(const std::string& text) {
  std::vector<std::string> parts = absl::StrSplit(text, '/');
  DepartingKey key;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[2], &key.uid)) return std::nullopt;
  key.backend = parts[0];
  key.name = parts[1];
  return key;
}

// Goes through members and departing servers in the order of their keys.
class ServerCursor {
 public:
  ServerCursor(const Model& model, const ServerQuery& query, const DepartingKey& after)
      : model_(model), only_(query.backend), after_(after) {
    std::string first = std::max(query.backend, after.backend);
    backend_ = model.backends().lower_bound(first);
    departing_ = model.departing().upper_bound(std::max(after, DepartingKey{query.backend, "", 0}));
    enter_backend();
  }

  // Null at the end. Then one of member() and departing() is set.
  bool next() {
    member_ = nullptr;
    departed_ = nullptr;
    skip_to_member();
    bool has_member = in_range(backend_ != model_.backends().end() ? &backend_->first : nullptr);
    bool has_departing = departing_ != model_.departing().end() && in_range(&departing_->first.backend);
    if (!has_member && !has_departing) return false;
    if (has_member && (!has_departing || member_key() < departing_->first)) {
      key_ = member_key();
      member_ = backend_->second->members.find((*name_)->slot);
      ++name_;
    } else {
      key_ = departing_->first;
      departed_ = &departing_->second;
      ++departing_;
    }
    return true;
  }

  const DepartingKey& key() const { return key_; }
  const base::Ref<const config::Server>* member() const { return member_; }
  const BackendState& backend() const { return *current_; }
  const DepartingServer* departing() const { return departed_; }

 private:
  bool in_range(const std::string* backend) const { return backend && (only_.empty() || *backend == only_); }

  DepartingKey member_key() const { return {backend_->first, (*name_)->name, (*name_)->metadata.uid}; }

  void enter_backend() {
    if (backend_ == model_.backends().end()) return;
    current_ = backend_->second.get();
    name_ = backend_->first == after_.backend ? current_->by_name.lower_bound(std::string_view(after_.name))
                                              : current_->by_name.begin();
    if (name_ != current_->by_name.end() && backend_->first == after_.backend && member_key() <= after_) ++name_;
  }

  void skip_to_member() {
    while (backend_ != model_.backends().end() && name_ == backend_->second->by_name.end()) {
      ++backend_;
      enter_backend();
    }
    if (backend_ != model_.backends().end()) current_ = backend_->second.get();
  }

  const Model& model_;
  const std::string& only_;
  const DepartingKey& after_;
  Model::Backends::const_iterator backend_;
  ServersByName::Iterator name_;
  Model::Departing::const_iterator departing_;
  const BackendState* current_ = nullptr;
  DepartingKey key_;
  const base::Ref<const config::Server>* member_ = nullptr;
  const DepartingServer* departed_ = nullptr;
};

bool matches(const ServerView& view, const ServerQuery& query) {
  if (!carries(view.record->labels, query.labels)) return false;
  return query.lifecycles.empty() || std::ranges::find(query.lifecycles, view.lifecycle) != query.lifecycles.end();
}

template <typename View, typename Map, typename MakeView>
Page<View> list_by_name(const Map& map, const config::Labels& labels, const PageRequest& request, MakeView make_view) {
  Page<View> page;
  auto at = request.after.empty() ? map.begin() : map.upper_bound(request.after);
  std::string last;
  for (size_t scanned = 0; at != map.end(); ++at, ++scanned) {
    if (page.items.size() == request.size || scanned == kScanMax) {
      page.next = last;
      break;
    }
    last = at->first;
    View view = make_view(at->second);
    if (carries(view.record->labels, labels)) page.items.push_back(std::move(view));
  }
  return page;
}

// As far as it has come where it starts slowly.
uint32_t weight_now(const BackendState& backend, const config::Server& server, const Health* health) {
  uint32_t weight = effective_weight_of(server, *backend.settings, health);
  double part = backend.starters.part_of(server.slot, backend.settings->slow_start);
  return static_cast<uint32_t>(std::ceil(weight * part));
}

std::vector<Tiers::Status> tiers_of(const BackendState& backend) {
  std::vector<Tiers::Status> tiers = backend.tiers.status();
  bool all_alike = tiers.size() < 2 && (tiers.empty() || tiers[0].rank == 0);
  return all_alike ? std::vector<Tiers::Status>() : tiers;
}

}  // namespace

ServerView Reader::view(const BackendState& backend, const base::Ref<const config::Server>& server) const {
  base::Ref<const Health> health = backend.health_of(server->slot);
  base::Ref<const Ejection> ejection = backend.ejection_of(*server);
  uint32_t weight = ejection ? 0 : weight_now(backend, *backend.adjusted_of(server), health.get());
  return {
      .backend = backend.settings->name,
      .record = server,
      .lifecycle = lifecycle_of(*backend.adjusted_of(server), drains_.is_drained(server->metadata.uid), health.get()),
      .effective_weight = weight,
      .health = std::move(health),
      .ejection = std::move(ejection),
      .resolution = backend.resolution_of(server->slot),
      .discovered_by = discovered_by(*server, *backend.settings),
      .handle = backend.handle()};
}

ServerView Reader::view(const DepartingServer& server) const {
  return {.backend = server.backend_name,
          .record = server.record,
          .lifecycle = v1::LIFECYCLE_DRAINING,
          .discovered_by = discovered_by(*server.record, *server.backend->settings),
          .drain_deadline = server.deadline,
          .handle = server.handle};
}

BackendView Reader::view(const BackendState& backend) const {
  std::optional<DiscoveryView> discovery;
  if (backend.discovery) discovery = DiscoveryView::of(backend.discovered, *backend.discovery);
  return {.record = backend.settings,
          .servers = backend.members.size(),
          .eligible = backend.tiers.eligible(),
          .draining = backend.departing + drains_.draining_members(backend.settings->metadata.uid),
          .pending = backend.pending,
          .down = backend.down,
          .ejected = backend.count_ejected(),
          .discovery = std::move(discovery),
          .use = backend.use,
          .tiers = tiers_of(backend)};
}

std::optional<ServerView> Reader::find_server(const std::string& backend, const std::string& name) const {
  const BackendState* state = model_.find_backend(backend);
  const base::Ref<const config::Server>* server = state ? state->find(name) : nullptr;
  if (server) return view(*state, *server);
  auto after = model_.departing().upper_bound(DepartingKey{backend, name, UINT64_MAX});
  if (after == model_.departing().begin()) return std::nullopt;
  const auto& [key, departing] = *std::prev(after);
  if (key.backend != backend || key.name != name) return std::nullopt;
  return view(departing);
}

std::optional<BackendView> Reader::find_backend(const std::string& name) const {
  const BackendState* state = model_.find_backend(name);
  if (!state) return std::nullopt;
  return view(*state);
}

std::optional<ListenerView> Reader::find_listener(const std::string& name) const {
  auto at = model_.listeners().find(name);
  if (at == model_.listeners().end()) return std::nullopt;
  return ListenerView{at->second};
}

std::optional<Page<ServerView>> Reader::list_servers(const ServerQuery& query, const PageRequest& request) const {
  DepartingKey after;
  if (!request.after.empty()) {
    std::optional<DepartingKey> key = to_key(request.after);
    if (!key) return std::nullopt;
    after = *std::move(key);
  }
  Page<ServerView> page{.items = {}, .next = std::nullopt, .version = version()};
  ServerCursor cursor(model_, query, after);
  DepartingKey last = after;
  for (size_t scanned = 0; cursor.next(); ++scanned) {
    if (page.items.size() == request.size || scanned == kScanMax) {
      page.next = to_text(last);
      break;
    }
    last = cursor.key();
    ServerView server = cursor.member() ? view(cursor.backend(), *cursor.member()) : view(*cursor.departing());
    if (matches(server, query)) page.items.push_back(std::move(server));
  }
  return page;
}

Page<BackendView> Reader::list_backends(const config::Labels& labels, const PageRequest& request) const {
  auto page = list_by_name<BackendView>(model_.backends(), labels, request,
                                        [this](const std::unique_ptr<BackendState>& state) { return view(*state); });
  page.version = version();
  return page;
}

Page<ListenerView> Reader::list_listeners(const config::Labels& labels, const PageRequest& request) const {
  auto page = list_by_name<ListenerView>(
      model_.listeners(), labels, request,
      [](const base::Ref<const config::Listener>& listener) { return ListenerView{listener}; });
  page.version = version();
  return page;
}

std::optional<CertificateView> Reader::find_certificate(const std::string& name) const {
  auto at = model_.certificates().find(name);
  if (at == model_.certificates().end()) return std::nullopt;
  return CertificateView{at->second, model_.users_of_certificate(name)};
}

Page<CertificateView> Reader::list_certificates(const config::Labels& labels, const PageRequest& request) const {
  auto page = list_by_name<CertificateView>(
      model_.certificates(), labels, request, [this](const base::Ref<const config::Certificate>& certificate) {
        return CertificateView{certificate, model_.users_of_certificate(certificate->name)};
      });
  page.version = version();
  return page;
}

std::vector<const config::Certificate*> Reader::certificates() const {
  std::vector<const config::Certificate*> all;
  for (const auto& [name, certificate] : model_.certificates()) all.push_back(certificate.get());
  return all;
}

Everything Reader::everything() const {
  Everything all{.version = version(),
                 .listeners = {},
                 .certificates = {},
                 .backends = {},
                 .drained = drains_.drained(),
                 .departing = {}};
  for (const auto& [name, listener] : model_.listeners()) all.listeners.push_back({listener});
  for (const auto& [name, certificate] : model_.certificates()) all.certificates.push_back({certificate});
  for (const auto& [name, state] : model_.backends())
    all.backends.push_back(
        {view(*state), state->members, state->health, state->ejections, state->adjusted, state->resolutions});
  for (const auto& [key, departing] : model_.departing()) all.departing.push_back(view(departing));
  return all;
}

std::vector<BackendView> Reader::backends() const {
  std::vector<BackendView> result;
  for (const auto& [name, state] : model_.backends()) result.push_back(view(*state));
  return result;
}

absl::flat_hash_map<config::Uid, v1::Lifecycle> Reader::lifecycles() const {
  absl::flat_hash_map<config::Uid, v1::Lifecycle> result = drains_.lifecycles();
  for (const auto& [name, state] : model_.backends()) {
    auto note_unresolved = [&](config::Slot, const base::Ref<const config::Server>& server) {
      if (!state->has_address(server)) result.try_emplace(server->metadata.uid, v1::LIFECYCLE_PENDING);
    };
    if (state->named > 0) state->members.for_each(note_unresolved);
    if (state->pending == 0) continue;
    state->health.for_each([&](config::Slot slot, const base::Ref<const Health>& health) {
      config::Uid uid = (*state->members.find(slot))->metadata.uid;
      if (health->state == Health::State::kPending) result.try_emplace(uid, v1::LIFECYCLE_PENDING);
    });
  }
  return result;
}

Reader::Counts Reader::counts() const {
  return {model_.configured_servers(), static_cast<uint32_t>(model_.backends().size()),
          static_cast<uint32_t>(model_.listeners().size())};
}

}  // namespace fairlead::store
