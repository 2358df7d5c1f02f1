#include "store/load.h"

#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "api/canonical.h"
#include "config/compile_routes.h"
#include "config/text.h"
#include "store/durability.h"
#include "store/row_queue.h"
#include "store/rows.h"
#include "store/tls_contexts.h"

namespace fairlead::store {
namespace {

using config::concat;

const std::vector<config::TlsRoute> kNoRoutes;

class Loader {
 public:
  Loader(Model& model, ReadingHalf& reading_half, Effects& effects)
      : model_(model), reading_half_(reading_half), effects_(effects) {}

  absl::Status take(const journal::Row& row) {
    switch (row.kind) {
      case journal::Kind::kListener:
        return take_listener(row);
      case journal::Kind::kBackend:
        return take_backend(row);
      case journal::Kind::kServer:
        return take_server(row);
      case journal::Kind::kCertificate:
        return take_certificate(row);
    }
    return absl::DataLossError(concat("resource ", row.uid, " is of no kind"));
  }

  // When all rows are there: what may refer to any of them.
  absl::Status open_listeners(journal::Journal& journal);
  absl::Status make_tls_contexts();
  void follow_checks();
  bool has_moved() const { return moved_; }

 private:
  absl::Status take_server(const journal::Row& row);
  absl::Status take_backend(const journal::Row& row);
  absl::Status take_listener(const journal::Row& row);
  absl::Status take_certificate(const journal::Row& row);
  absl::Status open(config::Listener& listener);

  Model& model_;
  ReadingHalf& reading_half_;
  Effects& effects_;
  absl::flat_hash_map<config::Uid, BackendState*> backends_;
  std::vector<base::Ref<config::Listener>> listeners_;
  std::shared_ptr<const Origin> origin_ = std::make_shared<Origin>(Origin{.actor = "journal", .peer = {}});
  // A listener has another port than it had.
  bool moved_ = false;
};

absl::Status Loader::take_server(const journal::Row& row) {
  absl::StatusOr<base::Ref<config::Server>> server = read_server(row);
  if (!server.ok()) return server.status();
  auto backend = backends_.find(row.backend);
  if (backend == backends_.end()) return absl::DataLossError(concat("resource ", row.uid, " has no backend"));
  base::Ref<const config::Server> added = *server;
  model_.restore_server(*backend->second, *std::move(server), read_slot(row));
  if (added->address.is_name()) {
    effects_.effects.push_back(FollowName{backend->second->handle(), added->slot, added->metadata.uid, nullptr});
  }
  if (!added->takes_requests()) {
    effects_.effects.push_back(FollowAdminState{backend->second->handle(), added->slot, added->metadata.uid, origin_});
  }
  return absl::OkStatus();
}

absl::Status Loader::take_backend(const journal::Row& row) {
  absl::StatusOr<base::Ref<config::Backend>> backend = read_backend(row);
  if (!backend.ok()) return backend.status();
  std::string name = (*backend)->name;
  if (model_.find_backend(name)) return absl::DataLossError(concat("resource ", row.uid, " is there twice"));
  model_.restore_backend(*std::move(backend));
  backends_[row.uid] = model_.find_backend(name);
  return absl::OkStatus();
}

absl::Status Loader::take_listener(const journal::Row& row) {
  absl::StatusOr<base::Ref<config::Listener>> listener = read_listener(row);
  if (!listener.ok()) return listener.status();
  listeners_.push_back(*std::move(listener));
  return absl::OkStatus();
}

absl::Status Loader::take_certificate(const journal::Row& row) {
  absl::StatusOr<base::Ref<config::Certificate>> certificate = read_certificate(row, model_.seal());
  if (!certificate.ok()) return certificate.status();
  model_.restore_certificate(*std::move(certificate));
  return absl::OkStatus();
}

absl::Status Loader::open_listeners(journal::Journal& journal) {
  for (base::Ref<config::Listener>& listener : listeners_) {
    std::vector<std::string> backends{listener->default_backend};
    for (const config::Route& route : listener->routes) backends.push_back(route.backend);
    bool passes_through = listener->tls && listener->tls->pass_through;
    for (const config::TlsRoute& route : passes_through ? listener->tls->pass_through->routes : kNoRoutes) {
      backends.push_back(route.backend);
    }
    for (const std::string& backend : backends) {
      if (backend.empty() || model_.find_backend(backend)) continue;
      return absl::DataLossError(
          concat(api::listener_title(listener->name), " names backend ", backend, ", which is not there"));
    }
    for (const std::string& name : listener->tls ? listener->tls->certificates : std::vector<std::string>()) {
      if (model_.find_certificate(name)) continue;
      return absl::DataLossError(
          concat(api::listener_title(listener->name), " names certificate ", name, ", which is not there"));
    }
    std::vector<config::Endpoint> before = listener->bound;
    if (absl::Status opened = open(*listener); !opened.ok()) return opened;
    listener->route_table =
        config::compile_routes(listener->routes, listener->default_backend,
                               [this](std::string_view name) { return model_.find_backend(name)->handle(); });
    if (passes_through) {
      listener->tls_route_table =
          config::compile_tls_routes(listener->tls->pass_through->routes,
                                     [this](std::string_view name) { return model_.find_backend(name)->handle(); });
    } else if (listener->tls) {
      listener->tls_context = make_tls_context(model_, *listener, nullptr);
    }
    if (listener->bound != before) {
      moved_ = true;
      std::string bound = bound_to_lines(listener->bound);
      std::string content = api::canonical(*listener);
      journal.put(make_row(journal::Kind::kListener, 0, listener->metadata, content, bound));
    }
    model_.restore_listener(listener);
    effects_.effects.push_back(AcceptListener{listener->slot, listener->metadata.uid});
  }
  return absl::OkStatus();
}

absl::Status Loader::make_tls_contexts() {
  for (const auto& [name, backend] : model_.backends()) {
    if (!backend->settings->tls) continue;
    const std::string& own = backend->settings->tls->client_certificate;
    if (!own.empty() && !model_.find_certificate(own)) {
      return absl::DataLossError(concat(api::backend_title(name), " names certificate ", own, ", which is not there"));
    }
    auto settings = base::make_ref<config::Backend>(*backend->settings);
    settings->tls_context = make_tls_context(model_, *settings);
    backend->settings = settings;
  }
  return absl::OkStatus();
}

void Loader::follow_checks() {
  for (const auto& [name, backend] : model_.backends()) {
    if (backend->settings->discovery) effects_.effects.push_back(FollowDiscovery{backend->handle()});
    if (backend->settings->health_check) effects_.effects.push_back(FollowChecks{backend->handle(), /*members=*/true});
  }
}

absl::Status Loader::open(config::Listener& listener) {
  for (size_t i = 0; i < listener.bind.size(); ++i) {
    const config::Endpoint& wanted = listener.bind[i];
    bool any_port = !wanted.is_unix() && wanted.port() == 0;
    auto bound = reading_half_.bind(listener.metadata.uid, {any_port ? listener.bound[i] : wanted});
    if (!bound.ok() && any_port) bound = reading_half_.bind(listener.metadata.uid, {wanted});
    if (!bound.ok()) {
      return absl::FailedPreconditionError(
          concat(api::listener_title(listener.name), ": bind: ", std::string(bound.status().message())));
    }
    listener.bound[i] = bound->front();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status load(journal::Journal& journal, uint64_t epoch, Model& model, ReadingHalf& reading_half,
                  Effects& effects) {
  Loader loader(model, reading_half, effects);
  Digest digest;
  const journal::State before = journal.state();
  // One thread reads and hashes, another builds.
  RowQueue queue([&](const journal::Row& row) { return loader.take(row); });
  auto take = [&](const journal::Row& row) {
    digest.add(Digest::hash(static_cast<Digest::Kind>(row.kind), row.content));
    return queue.push(row);
  };
  auto check = [&] {
    if (absl::Status built = queue.finish(); !built.ok()) return built;
    if (digest.bytes() == before.digest) return absl::OkStatus();
    return absl::DataLossError("its resources are not those that were written last");
  };
  absl::Status read = journal.load(take, check);
  if (!read.ok()) return read;
  if (absl::Status made = loader.make_tls_contexts(); !made.ok()) return made;
  if (absl::Status opened = loader.open_listeners(journal); !opened.ok()) return opened;
  loader.follow_checks();
  model.restore_counters(before.version, before.last_uid, digest);
  if (!journal.is_new() && !loader.has_moved()) return absl::OkStatus();
  auto written = journal.commit(state_of(model, journal.is_new() ? epoch : before.epoch, before.election));
  if (written == journal::Journal::Written::kYes) return absl::OkStatus();
  return absl::FailedPreconditionError(concat(journal.path(), ": ", journal.info().problem));
}

}  // namespace fairlead::store
