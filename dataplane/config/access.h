// Who may connect to a listener, and who says for whom he connects.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/duration.h"
#include "config/network.h"

namespace fairlead::config {

inline constexpr size_t kTrustedMax = 1000;
inline constexpr size_t kAccessNetworksMax = 10'000;

struct ProxyProtocol {
  // As written; "unix" among them. Empty: there is no PROXY protocol.
  std::vector<std::string> trusted;
  bool allow_others = false;
  // Made from `trusted`.
  bool trusts_unix = false;
  std::shared_ptr<const NetworkTable> table = {};

  bool is_on() const { return !trusted.empty(); }
  // Requires is_on(). Unset: a Unix socket's peer.
  bool trusts(std::optional<IpNumber> peer) const { return peer ? table->find(*peer) : trusts_unix; }
  bool operator==(const ProxyProtocol& other) const {
    return trusted == other.trusted && allow_others == other.allow_others;
  }
};

enum class AccessAction : uint8_t { kAllow, kDeny };

struct AccessRule {
  AccessAction action = AccessAction::kAllow;
  // As written.
  std::vector<std::string> networks;
  bool operator==(const AccessRule&) const = default;
};

struct AccessControl {
  std::vector<AccessRule> rules;
  std::optional<AccessAction> otherwise;
  // Made from these; null: everybody is let in.
  std::shared_ptr<const NetworkTable> table = {};

  AccessAction effective_otherwise() const { return otherwise.value_or(AccessAction::kAllow); }
  bool is_on() const { return table != nullptr; }
  bool allows(std::optional<IpNumber> client) const { return !table || !client || table->find(*client); }
  bool operator==(const AccessControl& other) const { return rules == other.rules && otherwise == other.otherwise; }
};

}  // namespace fairlead::config
