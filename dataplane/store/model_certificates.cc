// The model's certificates.
#include <algorithm>
#include <utility>

#include "api/canonical.h"
#include "store/model.h"

namespace fairlead::store {

const config::Certificate* Model::find_certificate(std::string_view name) const {
  auto at = certificates_.find(name);
  return at == certificates_.end() ? nullptr : at->second.get();
}

std::vector<std::string> Model::users_of_certificate(std::string_view certificate) const {
  std::vector<std::string> users;
  for (const auto& [name, listener] : listeners_) {
    if (listener->tls && std::ranges::count(listener->tls->certificates, certificate) > 0) users.push_back(name);
  }
  return users;
}

void Model::note_certificate(const base::Ref<const config::Certificate>& before,
                             const base::Ref<const config::Certificate>& after) {
  RowLog::Entry& row = rows_.begin(journal::Kind::kCertificate, 0, undo_.size());
  if (before) {
    certificates_.erase(before->name);
    note_before(row, Digest::Kind::kCertificate, before->metadata, api::canonical(*before), before->sealed_key);
  }
  if (after) {
    certificates_.emplace(after->name, after);
    note_after(row, Digest::Kind::kCertificate, after->metadata, api::canonical(*after), after->sealed_key);
  }
  if (!before) rows_.name(row, after->name);
}

void Model::place_certificate(base::Ref<const config::Certificate> before, base::Ref<const config::Certificate> after) {
  note_certificate(before, after);
  on_roll_back([this, before, after] { note_certificate(after, before); });
}

void Model::renew_listener(base::Ref<const config::Listener> before, base::Ref<const config::Listener> after) {
  auto place = [this](const base::Ref<const config::Listener>& listener) {
    listeners_.find(listener->name)->second = listener;
    working_.listeners.set(listener->slot, listener);
  };
  place(after);
  on_roll_back([place, before] { place(before); });
}

std::vector<BackendState*> Model::backends_with_certificate(std::string_view certificate) const {
  std::vector<BackendState*> users;
  for (const auto& [name, backend] : backends_) {
    const auto& tls = backend->settings->tls;
    if (tls && tls->client_certificate == certificate) users.push_back(backend.get());
  }
  return users;
}

void Model::renew_backend(BackendState& backend, base::Ref<const config::Backend> after) {
  auto place = [this, &backend](const base::Ref<const config::Backend>& settings) {
    changed_backends_.insert(settings->slot);
    backend.settings = settings;
  };
  on_roll_back([place, before = backend.settings] { place(before); });
  place(after);
}

void Model::restore_certificate(base::Ref<const config::Certificate> certificate) {
  std::string name = certificate->name;
  certificates_.emplace(std::move(name), std::move(certificate));
}

}  // namespace fairlead::store
