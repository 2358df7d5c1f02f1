#include "management/peers.h"

#include <random>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/quoted.h"
#include "config/text.h"
#include "management/role_list.h"

namespace fairlead::management {
namespace {

constexpr std::string_view kAbstract = "unix-abstract:";
constexpr std::string_view kUnix = "unix:";
// All of this program begin so, whichever process has made them.
constexpr std::string_view kOurs = "fairlead-tls-";

// Nobody else takes one of these names by chance.
std::string make_prefix() {
  std::random_device random;
  return absl::StrFormat("%s%08x%08x-", std::string(kOurs), random(), random());
}

std::shared_ptr<const Peer> user_peer(const std::set<uid_t>& users) {
  return std::make_shared<const Peer>(
      Peer{.name = "", .role = v1::ROLE_ADMIN, .address = config::concat("unix: uid ", absl::StrJoin(users, " or "))});
}

}  // namespace

std::string role_text(v1::Role role) {
  std::string name = v1::Role_Name(role);
  return name.starts_with("ROLE_") ? name.substr(5) : name;
}

std::string Peer::text() const {
  return name.empty() ? address : config::concat(name, " (", role_text(role), "), ", address);
}

std::string Peer::title() const {
  if (name.empty()) return address;
  // One that nobody has listed may be of any length.
  return name.size() <= RoleList::kNameBytesMax ? base::quoted(name) : base::quoted_excerpt(name);
}

Peers::Peers()
    : prefix_(make_prefix()),
      on_unix_(std::make_shared<const Peer>(Peer{.name = "", .role = v1::ROLE_ADMIN, .address = "unix:"})) {}

std::string Peers::add(std::shared_ptr<const Peer> peer) {
  std::lock_guard lock(mutex_);
  std::string name = config::concat(prefix_, ++last_);
  with_tls_.emplace(name, std::move(peer));
  return name;
}

void Peers::remove(const std::string& name) {
  std::lock_guard lock(mutex_);
  with_tls_.erase(name);
}

void Peers::note_user(uid_t user) {
  std::lock_guard lock(mutex_);
  if (users_.insert(user).second) on_unix_ = user_peer(users_);
}

std::shared_ptr<const Peer> Peers::find(const std::string& called) const {
  std::string_view text = called;
  if (text.starts_with(kAbstract)) text.remove_prefix(kAbstract.size());
  if (text.starts_with(kOurs)) {
    static const auto nobody = std::make_shared<const Peer>(
        Peer{.name = "", .role = v1::ROLE_UNSPECIFIED, .address = "a connection that has ended"});
    std::lock_guard lock(mutex_);
    auto at = with_tls_.find(config::as_absl(text));
    return at == with_tls_.end() ? nobody : at->second;
  }
  if (called.starts_with(kUnix) || called.starts_with(kAbstract)) {
    std::lock_guard lock(mutex_);
    return on_unix_;
  }
  bool is_clear_text = called.starts_with("ipv4:") || called.starts_with("ipv6:");
  v1::Role role = is_clear_text ? v1::ROLE_ADMIN : v1::ROLE_UNSPECIFIED;
  return std::make_shared<const Peer>(Peer{.name = "", .role = role, .address = called});
}

}  // namespace fairlead::management
