// Random transactions against a plain model of what they mean. After each: the outcome is the model's, and what the
// workers see equals a snapshot that is built from scratch out of the model.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <random>
#include <tuple>

#include "api/canonical.h"
#include "config/hash_candidates.h"
#include "config/settings.h"
#include "store_fixture.h"

namespace fairlead::store {
namespace {

struct PlainServer {
  std::string address;
  int weight = -1;  // unset
  int admin_state = 0;
  int max_connections = -1;
  bool unchecked = false;
  int priority = 0;
  bool backup = false;
  int min_connections = -1;
  friend bool operator==(const PlainServer&, const PlainServer&) = default;
};
struct PlainBackend {
  int default_weight = -1;
  int algorithm = 0;
  bool checked = false;
  int hash_type = 0;
  bool has_agent = false;
  std::string cookie_secret{};
  bool has_table = false;
  int panic_threshold = 0;
  bool prefers_near = false;
  bool is_observed = false;
  std::string srv{};
  int full_connections = 0;
  int warm = 0;
  std::map<std::string, PlainServer> servers;
  // All but the servers.
  auto settings() const {
    return std::tie(default_weight, algorithm, checked, hash_type, has_agent, cookie_secret, has_table, panic_threshold,
                    prefers_near, is_observed, srv, full_connections, warm);
  }
  friend bool operator==(const PlainBackend&, const PlainBackend&) = default;
};
struct PlainListener {
  std::string backend;
  friend bool operator==(const PlainListener&, const PlainListener&) = default;
};
struct PlainModel {
  std::map<std::string, PlainBackend> backends;
  std::map<std::string, PlainListener> listeners;
  friend bool operator==(const PlainModel&, const PlainModel&) = default;

  // False: it fails.
  bool apply(const v1::Operation& operation) {
    if (operation.has_delete_()) return apply_delete(operation.delete_());
    if (operation.has_patch()) return apply_patch(operation.patch().resource().server());
    bool create = operation.has_create();
    bool replace = operation.has_replace();
    const v1::Resource& resource = create ? operation.create() : replace ? operation.replace() : operation.upsert();
    if (resource.has_backend()) {
      PlainBackend backend{
          .default_weight = weight_of(resource.backend().server_defaults()),
          .algorithm = resource.backend().balance().algorithm(),
          .checked = resource.backend().health_check().has_tcp(),
          .hash_type = resource.backend().balance().hash().type(),
          .has_agent = resource.backend().health_check().has_agent(),
          .cookie_secret = resource.backend().persistence().cookie().secret(),
          .has_table = resource.backend().persistence().has_table(),
          .panic_threshold = static_cast<int>(resource.backend().failover().panic_threshold()),
          .prefers_near = resource.backend().failover().zones().prefer_near(),
          .is_observed = resource.backend().has_outlier_detection(),
          .srv = resource.backend().discovery().srv(),
          .full_connections = static_cast<int>(resource.backend().server_defaults().full_connections()),
          .warm = static_cast<int>(resource.backend().connection_pool().warm()),
          .servers = {}};
      bool exists = backends.contains(resource.backend().name());
      if (exists) {
        PlainBackend& before = backends[resource.backend().name()];
        if (create && before.settings() != backend.settings()) return false;
        backend.servers = std::move(before.servers);
        before = std::move(backend);
        return true;
      }
      if (!replace) backends[resource.backend().name()] = backend;
      return !replace;
    }
    if (resource.has_listener()) {
      const v1::Listener& listener = resource.listener();
      if (!backends.contains(listener.default_backend())) return false;
      return put(listeners, listener.name(), PlainListener{listener.default_backend()}, create, replace);
    }
    const v1::Server& server = resource.server();
    auto backend = backends.find(server.backend());
    if (backend == backends.end() || server.weight() > 256) return false;
    PlainServer plain{server.address(),
                      weight_of(server),
                      server.admin_state(),
                      server.has_max_connections() ? static_cast<int>(server.max_connections()) : -1,
                      server.health_check().disabled(),
                      static_cast<int>(server.priority()),
                      server.backup(),
                      server.has_min_connections() ? static_cast<int>(server.min_connections()) : -1};
    return put(backend->second.servers, server.name(), plain, create, replace);
  }

 private:
  template <typename Message>
  static int weight_of(const Message& message) {
    return message.has_weight() ? static_cast<int>(message.weight()) : -1;
  }
  template <typename T>
  static bool put(std::map<std::string, T>& map, const std::string& name, const T& value, bool create, bool replace) {
    auto at = map.find(name);
    if (at == map.end() && replace) return false;
    if (at != map.end() && create) return at->second == value;
    map[name] = value;
    return true;
  }
  bool apply_patch(const v1::Server& server) {
    auto backend = backends.find(server.backend());
    if (backend == backends.end()) return false;
    auto at = backend->second.servers.find(server.name());
    if (at == backend->second.servers.end()) return false;
    at->second.weight = weight_of(server);
    return true;
  }
  bool apply_delete(const v1::Delete& request) {
    if (request.has_server()) {
      auto backend = backends.find(request.server().backend());
      if (backend != backends.end()) backend->second.servers.erase(request.server().name());
    } else if (request.has_backend()) {
      for (const auto& [name, listener] : listeners) {
        if (listener.backend == request.backend()) return false;
      }
      backends.erase(request.backend());
    } else {
      listeners.erase(request.listener());
    }
    return true;
  }
};

class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}
  int below(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }

  config::AgentState agent() {
    config::AgentState state;
    if (below(2) == 0) state.weight_percent = static_cast<uint32_t>(below(4) * 50);
    if (below(4) == 0) state.max_connections = static_cast<uint32_t>(below(3));
    if (below(4) == 0) state.wish = config::AgentState::Wish::kDrain;
    state.is_down = below(4) == 0;
    return state;
  }

  // Of hosts that servers have as well.
  std::vector<config::Service> services() {
    std::vector<config::Service> services;
    for (uint16_t i = 0; i < 6; ++i) {
      if (below(2) == 0) continue;
      services.push_back({.priority = static_cast<uint16_t>(below(3)),
                          .target = absl::StrCat("n", i / 2, ".internal"),
                          .port = static_cast<uint16_t>(80 + i % 2),
                          .weight = static_cast<uint16_t>(below(3) * 500)});
    }
    std::ranges::sort(services);
    return services;
  }

  v1::Transaction transaction(uint64_t id) {
    v1::Transaction transaction;
    transaction.set_id(id);
    if (below(3) == 0) transaction.set_atomicity(v1::ATOMICITY_EACH);
    if (below(10) == 0) transaction.set_validate_only(true);
    int operations = below(6);
    for (int i = 0; i < operations; ++i) *transaction.add_operations() = operation();
    return transaction;
  }

 private:
  std::string name(const char* prefix, int count) { return absl::StrCat(prefix, below(count)); }
  v1::Operation operation() {
    v1::Operation operation;
    int kind = below(12);
    if (kind == 0) {
      operation.mutable_delete_()->set_backend(name("b", 4));
    } else if (kind == 1) {
      operation.mutable_delete_()->set_listener(name("l", 3));
    } else if (kind <= 4) {
      operation.mutable_delete_()->mutable_server()->set_backend(name("b", 4));
      operation.mutable_delete_()->mutable_server()->set_name(name("s", 40));
    } else if (kind == 5) {
      operation.mutable_patch()->mutable_update_mask()->add_paths("weight");
      fill(*operation.mutable_patch()->mutable_resource()->mutable_server());
    } else {
      int mode = below(4);
      v1::Resource& resource = mode == 0   ? *operation.mutable_create()
                               : mode == 1 ? *operation.mutable_replace()
                                           : *operation.mutable_upsert();
      fill(resource);
    }
    return operation;
  }
  void fill(v1::Resource& resource) {
    int kind = below(8);
    if (kind == 0) {
      resource.mutable_backend()->set_name(name("b", 4));
      if (below(2) == 0) resource.mutable_backend()->mutable_server_defaults()->set_weight(below(3));
      constexpr std::array kAlgorithms = {v1::ALGORITHM_LEAST_CONNECTIONS, v1::ALGORITHM_FIRST, v1::ALGORITHM_STICKY};
      if (below(2) == 0) resource.mutable_backend()->mutable_balance()->set_algorithm(kAlgorithms[below(3)]);
      if (below(3) > 0) resource.mutable_backend()->mutable_health_check()->mutable_tcp();
      if (below(2) == 0) fill(*resource.mutable_backend()->mutable_balance());
      if (below(3) == 0) resource.mutable_backend()->mutable_health_check()->mutable_agent()->set_port(9);
      if (below(2) == 0) fill(*resource.mutable_backend()->mutable_persistence());
      if (below(3) == 0) resource.mutable_backend()->mutable_failover()->set_panic_threshold(below(100) + 1);
      if (below(3) == 0) resource.mutable_backend()->mutable_failover()->mutable_zones()->set_prefer_near(true);
      if (below(3) > 0) resource.mutable_backend()->mutable_outlier_detection()->set_consecutive_errors(5);
      if (below(2) == 0) resource.mutable_backend()->mutable_server_defaults()->set_full_connections(1 + below(9));
      if (below(2) == 0) resource.mutable_backend()->mutable_connection_pool()->set_warm(1 + below(9));
      if (below(2) == 0) resource.mutable_backend()->mutable_discovery()->set_srv(name("_srv", 2));
    } else if (kind == 1) {
      resource.mutable_listener()->set_name(name("l", 3));
      resource.mutable_listener()->add_bind("127.0.0.1:0");
      resource.mutable_listener()->set_protocol(v1::PROTOCOL_HTTP);
      resource.mutable_listener()->set_default_backend(name("b", 4));
    } else {
      fill(*resource.mutable_server());
    }
  }
  void fill(v1::Balance& balance) {
    balance.set_algorithm(v1::ALGORITHM_HASH);
    balance.mutable_hash()->set_key("{path}");
    balance.mutable_hash()->set_type(static_cast<v1::HashType>(below(5)));
    balance.mutable_hash()->set_table_size(251);
  }
  void fill(v1::Persistence& persistence) {
    if (below(3) > 0) {
      persistence.mutable_cookie()->set_name("SRV");
      persistence.mutable_cookie()->set_secret(name("secret", 2));
    } else {
      persistence.mutable_table()->set_key("{source}");
    }
  }
  void fill(v1::Server& server) {
    server.set_backend(name("b", 4));
    server.set_name(name("s", 40));
    server.set_address(absl::StrCat("10.0.0.", 1 + below(3), ":80"));
    if (below(4) == 0) server.set_address(absl::StrCat("n", below(3), ".internal:8", below(2)));
    if (below(2) == 0) server.set_weight(below(4));
    if (below(60) == 0) server.set_weight(300);
    if (below(20) == 0) server.set_max_connections(below(3));
    if (below(20) == 0) server.set_min_connections(below(3));
    if (below(4) == 0) server.set_admin_state(static_cast<v1::AdminState>(1 + below(3)));
    if (below(8) == 0) server.mutable_health_check()->set_disabled(true);
    if (below(4) == 0) {
      server.set_backup(true);
    } else if (below(4) == 0) {
      server.set_priority(below(3));
    }
  }

  std::mt19937_64 random_;
};

// What has to come out, by hand.
struct Expected {
  Outcome outcome;
  PlainModel model;
};
Expected expect(const PlainModel& before, const v1::Transaction& transaction) {
  bool each = transaction.atomicity() == v1::ATOMICITY_EACH;
  PlainModel after = before;
  int failed = 0;
  bool changed = false;
  for (const v1::Operation& operation : transaction.operations()) {
    PlainModel tried = after;
    bool malformed = operation.has_patch() && operation.patch().resource().server().weight() > 256;
    if (malformed || !tried.apply(operation)) {
      ++failed;
    } else {
      changed |= !(tried == after);
      after = tried;
    }
  }
  if (failed > 0 && (!each || failed == transaction.operations_size())) return {Outcome::kRefused, before};
  if (transaction.validate_only()) return {failed > 0 ? Outcome::kPartial : Outcome::kUnchanged, before};
  if (failed > 0) return {Outcome::kPartial, after};
  return {changed ? Outcome::kApplied : Outcome::kUnchanged, after};
}

class RandomTransactionsTest : public StoreFixture {
 protected:
  // Of some time ago.
  std::vector<CheckResult> members_;
  uint64_t ejected_ = 0;
  uint64_t discovered_ = 0;

  void expect_state(const PlainModel& model) {
    members_.clear();
    Everything everything = read([](Reader& reader) { return reader.everything(); });
    EXPECT_EQ(plain(everything), model);
    EXPECT_EQ(read([](Reader& reader) { return reader.digest(); }), digest_of(everything));
    base::Ref<const config::Snapshot> snapshot = half_.snapshot();
    EXPECT_EQ(snapshot->version, everything.version);
    EXPECT_EQ(snapshot->listeners.size(), everything.listeners.size());
    EXPECT_EQ(snapshot->backends.size(), everything.backends.size());
    for (const Everything::Group& group : everything.backends) {
      const auto& record = group.backend.record;
      const config::BackendSnapshot* backend = snapshot->find({record->slot, record->metadata.uid});
      ASSERT_NE(backend, nullptr) << record->name;
      EXPECT_EQ(backend->settings, record);
      expect_rebuilt(group, *backend);
      expect_checked(group);
      expect_discovered(group);
      EXPECT_EQ(half_.observed(record->metadata.uid).has_value(), record->outlier_detection.has_value());
      ejected_ += group.backend.ejected;
      group.members.for_each([&](config::Slot slot, const base::Ref<const config::Server>& server) {
        members_.push_back({.backend = {record->slot, record->metadata.uid},
                            .slot = slot,
                            .server = server->metadata.uid,
                            .reason = {}});
      });
    }
    EXPECT_EQ(half_.checked(), checked_of(everything));
    EXPECT_EQ(half_.open_addresses().size(), everything.listeners.size());
    EXPECT_EQ(half_.accepting().size(), everything.listeners.size());
  }

 private:
  static Digest digest_of(const Everything& everything) {
    Digest digest;
    for (const ListenerView& listener : everything.listeners) {
      digest.add(Digest::hash(Digest::Kind::kListener, api::canonical(*listener.record)));
    }
    for (const Everything::Group& group : everything.backends) {
      const config::Backend& backend = *group.backend.record;
      digest.add(Digest::hash(Digest::Kind::kBackend, api::canonical(backend)));
      group.members.for_each([&](config::Slot, const base::Ref<const config::Server>& server) {
        if (server->is_discovered()) return;
        digest.add(Digest::hash(Digest::Kind::kServer, api::canonical(*server, backend.name)));
      });
    }
    return digest;
  }
  static PlainModel plain(const Everything& everything) {
    PlainModel model;
    for (const Everything::Group& group : everything.backends) {
      PlainBackend& backend = model.backends[group.backend.record->name];
      if (group.backend.record->algorithm) backend.algorithm = number_of(*group.backend.record->algorithm);
      const auto& check = group.backend.record->health_check;
      backend.checked = check && check->has_check();
      backend.has_agent = check && check->agent;
      backend.is_observed = group.backend.record->outlier_detection.has_value();
      if (auto type = group.backend.record->hash.type) backend.hash_type = static_cast<int>(*type) + 1;
      if (const auto& persistence = group.backend.record->persistence) {
        if (persistence->cookie) backend.cookie_secret = persistence->cookie->secret;
        backend.has_table = persistence->table.has_value();
      }
      backend.panic_threshold = static_cast<int>(group.backend.record->failover.effective_panic_threshold());
      backend.prefers_near = group.backend.record->failover.zones.prefer_near;
      backend.full_connections = static_cast<int>(group.backend.record->full_connections.value_or(0));
      backend.warm = static_cast<int>(group.backend.record->pool.warm.value_or(0));
      if (group.backend.record->discovery) backend.srv = group.backend.record->discovery->srv;
      if (group.backend.record->default_weight) backend.default_weight = *group.backend.record->default_weight;
      group.members.for_each([&](config::Slot, const base::Ref<const config::Server>& server) {
        if (server->is_discovered()) return;
        PlainServer& entry = backend.servers[server->name];
        entry.address = server->address.to_string();
        if (server->max_connections) entry.max_connections = static_cast<int>(*server->max_connections);
        if (server->weight) entry.weight = *server->weight;
        entry.unchecked = server->extras && server->extras->unchecked;
        if (server->extras && server->extras->min_connections) {
          entry.min_connections = static_cast<int>(*server->extras->min_connections);
        }
        entry.priority = server->priority;
        entry.backup = server->backup;
        if (server->admin_state) entry.admin_state = static_cast<int>(*server->admin_state) + 1;
      });
    }
    for (const ListenerView& listener : everything.listeners) {
      model.listeners[listener.record->name] = {listener.record->default_backend};
    }
    return model;
  }
  static std::set<config::Uid> checked_of(const Everything& everything) {
    std::set<config::Uid> all;
    for (const Everything::Group& group : everything.backends) {
      group.members.for_each([&](config::Slot, const base::Ref<const config::Server>& server) {
        bool is_checked = group.backend.record->checks(*server) && address_of(group, *server);
        if (is_checked) all.insert(server->metadata.uid);
      });
    }
    return all;
  }
  // There is a record for each that is checked, and for nobody else; the one that its check is known by.
  void expect_checked(const Everything::Group& group) {
    uint64_t checked = 0;
    uint64_t pending = 0;
    uint64_t down = 0;
    group.members.for_each([&](config::Slot slot, const base::Ref<const config::Server>& server) {
      const base::Ref<const Health>* health = group.health.find(slot);
      ASSERT_EQ(health != nullptr, group.backend.record->checks(*server)) << server->name;
      if (!health) return;
      ++checked;
      pending += (*health)->state == Health::State::kPending;
      down += (*health)->is_down();
      std::optional<config::Endpoint> address = address_of(group, *server);
      if (!address) return;
      store::CheckOrder order = half_.order_of(server->metadata.uid);
      EXPECT_EQ(order.check, (*health)->check) << server->name;
      EXPECT_EQ(order.server->address, *address) << server->name;
      EXPECT_EQ(order.server->metadata.version, server->metadata.version) << server->name;
      if (!server->address.is_name()) EXPECT_EQ(order.server, server) << server->name;
    });
    EXPECT_EQ(group.health.size(), checked);
    EXPECT_EQ(group.backend.pending, pending);
    EXPECT_EQ(group.backend.down, down);
  }
  void expect_discovered(const Everything::Group& group) {
    uint64_t count = 0;
    group.members.for_each([&](config::Slot, const base::Ref<const config::Server>& server) {
      EXPECT_EQ(server->is_discovered(), server->name.starts_with('@')) << server->name;
      count += server->is_discovered();
    });
    bool may_be = group.backend.record->discovery.has_value();
    EXPECT_EQ(group.backend.discovery.has_value(), may_be);
    if (group.backend.discovery) EXPECT_EQ(group.backend.discovery->servers, count);
    if (!may_be) EXPECT_EQ(count, 0u);
    discovered_ += count;
  }
  static int number_of(config::Algorithm algorithm) {
    if (algorithm == config::Algorithm::kFirst) return v1::ALGORITHM_FIRST;
    if (algorithm == config::Algorithm::kHash) return v1::ALGORITHM_HASH;
    return algorithm == config::Algorithm::kSticky ? v1::ALGORITHM_STICKY : v1::ALGORITHM_LEAST_CONNECTIONS;
  }
  // Versions and contents.
  static std::map<config::Uid, std::pair<config::Version, std::string>> by_age(
      const config::EligibleServers& eligible) {
    std::map<config::Uid, std::pair<config::Version, std::string>> all;
    eligible.by_age().for_each([&](config::Uid uid, const auto& server) {
      all[uid] = {server->metadata.version, api::canonical(*server, "")};
    });
    return all;
  }
  // Where it is; unset where its name has no address.
  static std::optional<config::Endpoint> address_of(const Everything::Group& group, const config::Server& server) {
    if (!server.address.is_name()) return server.address;
    const base::Ref<const Resolution>* resolution = group.resolutions.find(server.slot);
    if (!resolution || !(*resolution)->address) return std::nullopt;
    EXPECT_EQ((*resolution)->address->port(), server.address.port());
    return (*resolution)->address;
  }
  // What its agent wants in place of the record's, and the address of its name.
  static base::Ref<const config::Server> adjusted(const Everything::Group& group,
                                                  const base::Ref<const config::Server>& server) {
    const base::Ref<const Health>* health = group.health.find(server->slot);
    const base::Ref<const config::Server>* other = group.adjusted.find(server->slot);
    const config::AgentState* wants = health && (*health)->agent ? &(*health)->agent->state : nullptr;
    std::optional<config::Endpoint> address = address_of(group, *server);
    bool has_other_address = address && server->address.is_name();
    EXPECT_EQ(other != nullptr, has_other_address || (wants && (wants->weight_percent || wants->max_connections)));
    if (!other) return server;
    config::Server expected(*server);
    if (has_other_address) expected.address = *address;
    uint32_t weight = server->weight.value_or(group.backend.record->effective_default_weight());
    if (wants && wants->weight_percent)
      expected.weight =
          static_cast<uint16_t>(std::min((weight * *wants->weight_percent + 99) / 100, config::kWeightMax));
    if (wants && wants->max_connections) expected.max_connections = *wants->max_connections;
    EXPECT_TRUE(config::same_settings(**other, expected));
    EXPECT_EQ((*other)->metadata.uid, server->metadata.uid);
    EXPECT_EQ((*other)->metadata.version, server->metadata.version);
    return *other;
  }
  // Invariant 4: as if the members had come in one after another, in any order.
  void expect_rebuilt(const Everything::Group& group, const config::BackendSnapshot& snapshot) {
    std::vector<base::Ref<const config::Server>> members;
    group.members.for_each([&](config::Slot, const auto& server) { members.push_back(server); });
    std::ranges::reverse(members);
    Tiers tiers;
    std::string zone;
    tiers.take_settings(*snapshot.settings, zone);
    for (const auto& server : members) {
      const base::Ref<const Health>* health = group.health.find(server->slot);
      Tiers::Standing standing = Tiers::standing_of(health ? health->get() : nullptr);
      if (is_ejected(group, snapshot, *server) && standing == Tiers::Standing::kFit) standing = Tiers::Standing::kUnfit;
      if (!address_of(group, *server)) standing = Tiers::Standing::kAway;
      tiers.replace(nullptr, Tiers::Standing::kFit, adjusted(group, server), standing);
    }
    config::BackendSnapshot rebuilt;
    EXPECT_EQ(group.backend.use, tiers.put_into(rebuilt));
    EXPECT_EQ(snapshot.rank, rebuilt.rank);
    EXPECT_EQ(snapshot.share, rebuilt.share);
    ASSERT_EQ(snapshot.further.size(), rebuilt.further.size());
    for (size_t i = 0; i < rebuilt.further.size(); ++i) {
      EXPECT_EQ(snapshot.further[i].rank, rebuilt.further[i].rank);
      EXPECT_EQ(snapshot.further[i].share, rebuilt.further[i].share);
      EXPECT_EQ(by_age(snapshot.further[i].eligible), by_age(rebuilt.further[i].eligible));
      expect_same(snapshot.further[i].eligible, rebuilt.further[i].eligible);
    }
    auto limited = std::ranges::count_if(
        members, [&](const auto& server) { return adjusted(group, server)->max_connections.value_or(0); });
    auto ramped = std::ranges::count_if(
        members, [](const auto& server) { return server->extras && server->extras->min_connections.value_or(0); });
    config::OwnLimits own{static_cast<uint64_t>(limited), static_cast<uint64_t>(ramped)};
    EXPECT_EQ(snapshot.counts_in_flight, config::has_to_count(*snapshot.settings, own));
    EXPECT_EQ(snapshot.counts_total, config::has_to_count_total(*snapshot.settings, own));
    EXPECT_EQ(by_age(snapshot.eligible), by_age(rebuilt.eligible));
    expect_same(snapshot.eligible, rebuilt.eligible);
    // Whatever their health is.
    config::EligibleServers assigned;
    for (const auto& server : members) assigned.upsert(adjusted(group, server));
    expect_tables(snapshot, assigned);
    for (const auto& server : members) {
      bool keeps = server->admin_state != config::AdminState::kMaintenance && keeps_clients(group, server->slot) &&
                   address_of(group, *server) && !is_ejected(group, snapshot, *server);
      expect_persistence(snapshot, *server, keeps ? adjusted(group, server) : nullptr);
    }
  }
  static bool is_ejected(const Everything::Group& group, const config::BackendSnapshot& snapshot,
                         const config::Server& server) {
    const base::Ref<const Ejection>* ejection = group.ejections.find(server.slot);
    return ejection && snapshot.settings->outlier_detection && (*ejection)->is_of(server);
  }
  // Whoever was there may come back while it drains by its agent's word, and not while it is down or in maintenance by
  // that.
  static bool keeps_clients(const Everything::Group& group, config::Slot slot) {
    const base::Ref<const Health>* health = group.health.find(slot);
    if (!health) return true;
    if ((*health)->state == Health::State::kPending || (*health)->state == Health::State::kDown) return false;
    if (!(*health)->agent) return true;
    const config::AgentState& agent = (*health)->agent->state;
    return !agent.is_down && agent.wish != config::AgentState::Wish::kMaintenance;
  }
  // `record`: where a client comes back to that had the server; null for nowhere.
  static void expect_persistence(const config::BackendSnapshot& snapshot, const config::Server& server,
                                 const base::Ref<const config::Server>& record) {
    const std::optional<config::Persistence>& settings = snapshot.settings->persistence;
    const config::Server* found = snapshot.persistence.at(server.slot, server.metadata.uid);
    ASSERT_EQ(found != nullptr, settings && record) << server.name;
    if (found) {
      EXPECT_TRUE(found->metadata.version == record->metadata.version && config::same_settings(*found, *record));
    }
    EXPECT_EQ(snapshot.persistence.at(server.slot, server.metadata.uid + 1), nullptr);
    if (!settings) EXPECT_TRUE(snapshot.persistence.empty());
    if (!settings || !settings->cookie) return;
    auto value = config::cookie_value(settings->cookie->key, snapshot.settings->name, server.name);
    EXPECT_EQ(snapshot.persistence.with_value(value), found);
    EXPECT_TRUE(snapshot.persistence.knows(value));
  }
  // `assigned`: all servers that take requests.
  static void expect_tables(const config::BackendSnapshot& snapshot, const config::EligibleServers& assigned) {
    std::optional<config::HashType> type;
    if (config::hashes_by_table(*snapshot.settings)) type = snapshot.settings->hash.effective_type();
    expect_same(snapshot.assigned, type == config::HashType::kModulo ? assigned : config::EligibleServers());
    ASSERT_EQ(bool(snapshot.ring), type == config::HashType::kRing);
    ASSERT_EQ(bool(snapshot.maglev), type == config::HashType::kMaglev);
    auto candidates = config::hash_candidates(assigned, snapshot.settings->effective_default_weight());
    if (snapshot.ring) {
      config::HashRing ring(candidates);
      ASSERT_EQ(snapshot.ring->size(), ring.size());
      for (size_t i = 0; i < ring.size(); ++i) {
        ASSERT_EQ(snapshot.ring->point(i).position, ring.point(i).position);
        ASSERT_EQ(snapshot.ring->point(i).slot, ring.point(i).slot);
      }
    }
    if (snapshot.maglev) {
      config::MaglevTable table(candidates, 251);
      ASSERT_EQ(snapshot.maglev->empty(), table.empty());
      for (uint64_t key = 0; key < 251 && !table.empty(); ++key) {
        ASSERT_EQ(snapshot.maglev->slot_of(key), table.slot_of(key));
      }
    }
  }
  static void expect_same(const config::EligibleServers& actual, const config::EligibleServers& rebuilt) {
    EXPECT_EQ(actual.size(), rebuilt.size());
    ASSERT_EQ(actual.classes().size(), rebuilt.classes().size());
    rebuilt.classes().for_each([&](uint16_t weight_class, const base::SlotSet& slots) {
      const base::SlotSet* there = actual.classes().find(weight_class);
      ASSERT_NE(there, nullptr) << weight_class;
      EXPECT_EQ(there->size(), slots.size());
      slots.for_each([&](config::Slot slot) { EXPECT_TRUE(there->contains(slot)) << slot; });
    });
    rebuilt.members().for_each([&](config::Slot slot, const base::Ref<const config::Server>& server) {
      const base::Ref<const config::Server>* there = actual.find(slot);
      ASSERT_NE(there, nullptr) << server->name;
      EXPECT_EQ(actual.weight_at(slot, 0), server->weight.value_or(0)) << server->name;
      // What an agent wants is put together anew where a change is taken back.
      bool is_same = *there == server || ((*there)->metadata.uid == server->metadata.uid &&
                                          (*there)->metadata.version == server->metadata.version &&
                                          config::same_settings(**there, *server));
      EXPECT_TRUE(is_same) << server->name;
    });
  }
};

TEST_F(RandomTransactionsTest, EqualAPlainModelAndASnapshotBuiltFromScratch) {
  const char* given = std::getenv("FAIRLEAD_TEST_SEED");
  uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device()();
  SCOPED_TRACE(absl::StrCat("FAIRLEAD_TEST_SEED=", seed));
  Draw draw(seed);
  PlainModel model;
  config::Version version = 0;
  std::vector<store::CheckOrder> kept;
  for (uint64_t id = 1; id <= 3000 && !HasFailure(); ++id) {
    // Some drains take their time, so that slots and names are used around them.
    if (draw.below(50) == 0) half_.hold_drains();
    if (draw.below(20) == 0) half_.finish_drains(static_cast<uint64_t>(draw.below(3)));
    // What checks find, now and then too late.
    for (const store::CheckOrder& order : kept) half_.find(order, draw.below(2) == 0, "late");
    kept.clear();
    for (config::Uid server : half_.checked()) {
      if (draw.below(10) == 0) half_.find(server, draw.below(2) == 0, "found");
      if (draw.below(10) == 0) half_.say(server, draw.agent());
      if (draw.below(20) == 0) kept.push_back(half_.order_of(server));
    }
    for (const CheckResult& member : std::vector(members_)) {
      if (draw.below(2) == 0) half_.eject(member, {.is_ejected = draw.below(3) > 0, .number = 1}, "outlier");
    }
    // What nameservers say.
    for (const std::string& name : half_.names()) {
      if (draw.below(5) > 0) continue;
      if (config::is_service_question(name)) {
        half_.list(std::string(config::service_name(name)), draw.services(), draw.below(2) == 0 ? "told" : "said");
        continue;
      }
      std::vector<std::string> addresses;
      for (int last = 1; last < 5; ++last) {
        if (draw.below(2) == 0) addresses.push_back(absl::StrCat("10.1.0.", last));
      }
      half_.answer(name, addresses, draw.below(2) == 0 ? "told" : "said");
    }
    v1::Transaction transaction = draw.transaction(id);
    SCOPED_TRACE(transaction.ShortDebugString());
    Expected expected = expect(model, transaction);
    Result result = apply(transaction);
    EXPECT_EQ(result.outcome, expected.outcome) << reason_of(result);
    // A new version where something changed, even if it was changed back; never without.
    bool may_raise = result.outcome == Outcome::kApplied || result.outcome == Outcome::kPartial;
    EXPECT_TRUE(result.version == version || (may_raise && result.version == version + 1));
    EXPECT_TRUE(result.outcome != Outcome::kApplied || result.version == version + 1);
    version = result.version;
    model = expected.model;
    if (id % 10 == 0) expect_state(model);
  }
  half_.finish_drains();
  expect_state(model);
  // Few backends observe their servers; that some are ejected is what matters here.
  EXPECT_GT(ejected_, 10u);
  EXPECT_GT(discovered_, 10u);
}

}  // namespace
}  // namespace fairlead::store
