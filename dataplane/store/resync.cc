#include "store/resync.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "config/text.h"

namespace fairlead::store {
namespace {

using config::concat;

// Of one server, one backend or one listener, that one may always go.
bool is_too_much(uint64_t removed, uint64_t total, uint32_t percent) {
  return total > 1 && removed * 100 > total * percent;
}

api::Failure mass_removal(const EndResync& request, uint64_t removed, uint64_t total, const std::string& what) {
  return {v1::REASON_MASS_REMOVAL, concat("end_resync ", request.id), "max_removal_percent",
          concat("would remove ", removed, " of ", total, " ", what, ", more than ", request.max_removal_percent,
                 " percent; name what should stay, or allow more")};
}

template <typename Request>
uint64_t count(const std::vector<api::Operation>& removals) {
  return static_cast<uint64_t>(std::ranges::count_if(
      removals, [](const api::Operation& operation) { return std::holds_alternative<Request>(operation.action); }));
}

}  // namespace

void Resync::take(Transaction& transaction) {
  for (const api::ResourceName& name : transaction.malformed_names) mark(name);
  for (const api::Operation& operation : transaction.operations) mark(operation.action);
  if (!backend_.empty()) refuse_out_of_scope(transaction);
}

// An operation goes as a whole, with its shorthands.
void Resync::refuse_out_of_scope(Transaction& transaction) const {
  std::vector<IndexedFailure> failures;
  for (const api::Operation& operation : transaction.operations) {
    if (is_in_scope(operation.action)) continue;
    if (!failures.empty() && failures.back().index == operation.index) continue;
    failures.push_back({operation.index,
                        {v1::REASON_OUT_OF_SCOPE, api::title_of(api::name_of(operation.action)), "",
                         concat("is outside of the resync, which is about the servers of ",
                                api::backend_title(backend_), "; end or cancel it first")}});
  }
  if (failures.empty()) return;
  std::erase_if(transaction.operations, [&](const api::Operation& operation) {
    return std::ranges::binary_search(failures, std::optional(operation.index), {}, &IndexedFailure::index);
  });
  std::vector<IndexedFailure> merged;
  std::ranges::merge(std::make_move_iterator(transaction.malformed.begin()),
                     std::make_move_iterator(transaction.malformed.end()), std::make_move_iterator(failures.begin()),
                     std::make_move_iterator(failures.end()), std::back_inserter(merged),
                     [](const IndexedFailure& a, const IndexedFailure& b) { return a.index < b.index; });
  transaction.malformed = std::move(merged);
}

bool Resync::is_in_scope(const api::Action& action) const {
  api::ResourceName name = api::name_of(action);
  return name.kind == api::ResourceName::Kind::kServer && name.backend == backend_;
}

void Resync::mark(const api::Action& action) {
  // The common case, without a copy of its names.
  if (const auto* write = std::get_if<api::WriteServer>(&action)) {
    const BackendState* backend = model_.find_backend(write->draft.backend);
    const base::Ref<const config::Server>* server = backend ? backend->find(write->draft.record->name) : nullptr;
    if (server) mark((*server)->metadata.uid);
    return;
  }
  mark(api::name_of(action));
}

void Resync::mark(const api::ResourceName& name) {
  switch (name.kind) {
    case api::ResourceName::Kind::kListener: {
      const config::Listener* listener = model_.find_listener(name.name);
      if (listener) mark(listener->metadata.uid);
      return;
    }
    case api::ResourceName::Kind::kBackend: {
      const BackendState* backend = model_.find_backend(name.name);
      if (backend) mark(backend->settings->metadata.uid);
      return;
    }
    case api::ResourceName::Kind::kServer: {
      const BackendState* backend = model_.find_backend(name.backend);
      const base::Ref<const config::Server>* server = backend ? backend->find(name.name) : nullptr;
      if (server) mark((*server)->metadata.uid);
      return;
    }
    case api::ResourceName::Kind::kCertificate: {
      const config::Certificate* certificate = model_.find_certificate(name.name);
      if (certificate) mark(certificate->metadata.uid);
      return;
    }
  }
}

std::vector<api::Operation> Resync::left_over_servers(const BackendState& backend) const {
  std::vector<api::Operation> result;
  backend.members.for_each([&](config::Slot, const base::Ref<const config::Server>& server) {
    if (is_left_over(server->metadata.uid)) {
      result.push_back({0, api::DeleteServer{backend.settings->name, server->name, {}}});
    }
  });
  return result;
}

// A backend goes where nothing named it and none of its servers stays.
std::vector<api::Operation> Resync::removals() const {
  if (!backend_.empty()) {
    const BackendState* backend = model_.find_backend(backend_);
    return backend ? left_over_servers(*backend) : std::vector<api::Operation>{};
  }
  std::vector<api::Operation> result;
  for (const auto& [name, listener] : model_.listeners()) {
    if (is_left_over(listener->metadata.uid)) result.push_back({0, api::DeleteListener{name}});
  }
  for (const auto& [name, backend] : model_.backends()) {
    std::vector<api::Operation> servers = left_over_servers(*backend);
    bool goes = is_left_over(backend->settings->metadata.uid) && servers.size() == backend->configured();
    if (goes) {
      result.push_back({0, api::DeleteBackend{name, {}}});
    } else {
      std::ranges::move(servers, std::back_inserter(result));
    }
  }
  for (const auto& [name, certificate] : model_.certificates()) {
    if (is_left_over(certificate->metadata.uid)) result.push_back({0, api::DeleteCertificate{name}});
  }
  return result;
}

uint64_t Resync::servers_in(const std::vector<api::Operation>& removals) const {
  uint64_t servers = count<api::DeleteServer>(removals);
  for (const api::Operation& operation : removals) {
    const auto* backend = std::get_if<api::DeleteBackend>(&operation.action);
    if (backend) servers += model_.find_backend(backend->name)->configured();
  }
  return servers;
}

uint64_t Resync::all_servers() const {
  uint64_t servers = 0;
  for (const auto& [name, backend] : model_.backends()) servers += backend->configured();
  return servers;
}

// Servers of a backend that goes as a whole are not counted beside it (no listener that stays names it), but with all
// servers that there are: the only backend, or the largest, is not one of a few.
std::vector<api::Failure> Resync::check_guard(const std::vector<api::Operation>& removals,
                                              const EndResync& request) const {
  std::vector<api::Failure> failures;
  auto check = [&](uint64_t removed, uint64_t total, const std::string& what) {
    if (is_too_much(removed, total, request.max_removal_percent)) {
      failures.push_back(mass_removal(request, removed, total, what));
    }
  };
  check(count<api::DeleteListener>(removals), model_.listeners().size(), "listeners");
  check(count<api::DeleteBackend>(removals), model_.backends().size(), "backends");
  check(count<api::DeleteCertificate>(removals), model_.certificates().size(), "certificates");
  if (count<api::DeleteBackend>(removals) > 0) check(servers_in(removals), all_servers(), "servers");
  // Those of one backend stand in a row.
  for (auto begin = removals.begin(); begin != removals.end();) {
    const auto* first = std::get_if<api::DeleteServer>(&begin->action);
    auto end = std::find_if(begin, removals.end(), [&](const api::Operation& operation) {
      const auto* server = std::get_if<api::DeleteServer>(&operation.action);
      return !first || !server || server->backend != first->backend;
    });
    if (first) {
      check(static_cast<uint64_t>(end - begin), model_.find_backend(first->backend)->configured(),
            "servers of " + api::backend_title(first->backend));
    }
    begin = first ? end : begin + 1;
  }
  return failures;
}

}  // namespace fairlead::store
