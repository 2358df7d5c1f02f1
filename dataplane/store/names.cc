#include "store/names.h"

#include <algorithm>
#include <utility>

#include "config/text.h"

namespace fairlead::store {

void Names::follow(config::BackendHandle backend, config::Uid server, std::string_view host,
                   std::shared_ptr<const Origin> origin) {
  follow_all(backend, server, host.empty() ? Hosts() : Hosts{std::string(host)}, std::move(origin));
}

void Names::follow_all(config::BackendHandle backend, config::Uid server, Hosts hosts,
                       std::shared_ptr<const Origin> origin) {
  auto member = members_.find(server);
  if (member != members_.end() && member->second.hosts == hosts) return;
  forget(server);
  if (hosts.empty()) return;
  for (const std::string& host : hosts) {
    auto [known, is_new] = names_.try_emplace(host);
    auto& count = known->second.backends.try_emplace(backend.uid, backend, 0).first->second;
    ++count.second;
    if (is_new) begun_.push_back(host);
  }
  members_[server] = {std::move(hosts), backend.uid, std::move(origin)};
}

void Names::forget(config::Uid server) {
  auto member = members_.find(server);
  if (member == members_.end()) return;
  for (const std::string& host : member->second.hosts) {
    auto name = names_.find(host);
    auto& backends = name->second.backends;
    auto count = backends.find(member->second.backend);
    if (--count->second.second == 0) backends.erase(count);
    if (backends.empty()) ended_.push_back(name->first);
  }
  members_.erase(member);
}

void Names::send() {
  // Some have come back, and go on with what is known of them.
  std::erase_if(ended_, [this](const std::string& host) {
    auto name = names_.find(host);
    if (name == names_.end() || !name->second.backends.empty()) return true;
    names_.erase(name);
    return std::erase(begun_, host) > 0;
  });
  if (!ended_.empty()) reading_half_.stop_resolving(std::exchange(ended_, {}));
  if (!begun_.empty()) reading_half_.resolve(std::exchange(begun_, {}));
}

bool Names::take(NameFact fact) {
  auto name = names_.find(fact.name);
  if (name == names_.end() || name->second.backends.empty()) return false;
  name->second.fact = std::move(fact);
  return true;
}

const NameFact* Names::known(std::string_view host) const {
  auto name = names_.find(config::as_absl(host));
  return name != names_.end() && name->second.fact ? &*name->second.fact : nullptr;
}

bool Names::are_all_known() const {
  return std::ranges::all_of(names_, [](const auto& name) { return name.second.fact.has_value(); });
}

std::shared_ptr<const Origin> Names::take_waiting(config::Uid server) {
  auto member = members_.find(server);
  return member == members_.end() ? nullptr : std::exchange(member->second.waiting, nullptr);
}

std::vector<config::BackendHandle> Names::backends_with(std::string_view host) const {
  std::vector<config::BackendHandle> result;
  auto name = names_.find(config::as_absl(host));
  if (name == names_.end()) return result;
  for (const auto& [uid, backend] : name->second.backends) result.push_back(backend.first);
  return result;
}

}  // namespace fairlead::store
