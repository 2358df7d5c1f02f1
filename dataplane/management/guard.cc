#include "management/guard.h"

#include <utility>

#include "config/text.h"
#include "management/roles.h"
#include "spdlog/spdlog.h"

namespace fairlead::management {
namespace {

using config::concat;

// "\"ci\" has the role VIEWER, and this needs EDITOR"
std::string sentence(const Peer& peer, v1::Role needed) {
  std::string has = peer.role == v1::ROLE_UNSPECIFIED ? "no role" : concat("the role ", role_text(peer.role));
  // What nobody may has no role that would be needed.
  std::string needs = needed == v1::ROLE_UNSPECIFIED ? "one that there is not" : role_text(needed);
  return concat(peer.title(), " has ", has, ", and this needs ", needs);
}

bool is_allowed(const Peer& peer, v1::Role needed) { return needed != v1::ROLE_UNSPECIFIED && peer.role >= needed; }

std::string title_of(const v1::Operation& operation, uint64_t id) {
  std::vector<api::ResourceName> names;
  api::append_names(operation, names);
  return names.empty() ? concat("transaction ", id) : api::title_of(names.front());
}

}  // namespace

std::optional<grpc::Status> Guard::refusal_of_call(const Peer& peer, std::string_view method) {
  v1::Role needed = role_for_method(method);
  if (is_allowed(peer, needed)) return std::nullopt;
  std::string text = concat(method, ": ", sentence(peer, needed));
  note(peer, text);
  return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, text);
}

std::optional<api::Failure> Guard::refusal(const Peer& peer, v1::Role needed, std::string what) {
  if (is_allowed(peer, needed)) return std::nullopt;
  api::Failure failure{v1::REASON_PERMISSION_DENIED, std::move(what), "", sentence(peer, needed)};
  note(peer, failure.text());
  return failure;
}

bool Guard::restrict(const Peer& peer, const v1::Transaction& message, const v1::Fence& fence,
                     store::Transaction& transaction) {
  if (is_allowed(peer, v1::ROLE_ADMIN)) return false;
  std::vector<store::IndexedFailure> refused;
  v1::Role most = kRoleForElection;
  for (int i = 0; i < message.operations_size(); ++i) {
    v1::Role needed = role_for_operation(message.operations(i));
    most = std::max(most, needed);
    if (is_allowed(peer, needed)) continue;
    refused.push_back(
        {static_cast<uint32_t>(i),
         {v1::REASON_PERMISSION_DENIED, title_of(message.operations(i), message.id()), "", sentence(peer, needed)}});
  }
  if (v1::Role needed = role_with_fence(most, fence); refused.empty() && !is_allowed(peer, needed)) {
    const char* field = fence.override() ? "fence.override" : "";
    refused.push_back(
        {std::nullopt,
         {v1::REASON_PERMISSION_DENIED, concat("transaction ", message.id()), field, sentence(peer, needed)}});
  }
  if (refused.empty()) return false;
  note(peer, concat("transaction ", message.id(), ", ", refused.size(), " of ", message.operations_size(),
                    " operations: ", refused.front().failure.text()));
  // What is named is so all the same, should a resync be open.
  transaction.each = false;
  transaction.malformed = std::move(refused);
  return true;
}

void Guard::note(const Peer& peer, const std::string& text) {
  ++counts_.denied;
  std::optional<uint64_t> left_out = log_.take();
  if (!left_out) return;
  std::string more = *left_out == 0 ? "" : concat(" (and ", *left_out, " before it that were not logged)");
  spdlog::warn("denied: {}, from {}{}", text, peer.address, more);
}

}  // namespace fairlead::management
