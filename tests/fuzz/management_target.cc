// Messages to the management API: whatever the bytes are, an operation is decoded or refused with a place and a reason;
// what was decoded is encoded as something that decodes to the same.
#include <variant>

#include "api/encode.h"
#include "api/operation.h"
#include "api/patch.h"
#include "fairlead/v1/management.pb.h"
#include "google/protobuf/util/message_differencer.h"
#include "targets.h"

namespace fairlead {
namespace {

v1::Operation encoded(const api::Action& action) {
  v1::Operation operation;
  v1::Resource& resource = *operation.mutable_upsert();
  if (const auto* server = std::get_if<api::WriteServer>(&action)) {
    api::encode(*server->draft.record, server->draft.backend, *resource.mutable_server());
  } else if (const auto* backend = std::get_if<api::WriteBackend>(&action)) {
    api::encode(*backend->draft, *resource.mutable_backend());
  } else if (const auto* listener = std::get_if<api::WriteListener>(&action)) {
    api::encode(*listener->draft, *resource.mutable_listener());
  }
  return operation;
}

bool writes(const api::Action& action) {
  return std::holds_alternative<api::WriteServer>(action) || std::holds_alternative<api::WriteBackend>(action) ||
         std::holds_alternative<api::WriteListener>(action);
}

void check_round_trip(const api::Action& action) {
  const v1::Operation first = encoded(action);
  std::vector<api::Operation> again;
  demand(!api::decode_operation(first, 0, again), "what we encode we decode");
  demand(again.size() == 1, "what we encode is one operation");
  // (Bytes would differ where maps are written in another order.)
  demand(google::protobuf::util::MessageDifferencer::Equals(encoded(again.front().action), first),
         "encoding is stable");
}

void check_failure(const api::Failure& failure) {
  demand(failure.reason != v1::REASON_UNSPECIFIED, "a failure has a reason");
  demand(!failure.text().empty(), "a failure has a text");
}

}  // namespace

void fuzz_management(std::string_view input) {
  v1::Transaction transaction;
  const Alone alone(input);
  if (!transaction.ParseFromArray(alone.text().data(), static_cast<int>(input.size()))) return;
  for (const v1::Operation& operation : transaction.operations()) {
    std::vector<api::ResourceName> names;
    api::append_names(operation, names);
    std::vector<api::Operation> operations;
    if (auto failure = api::decode_operation(operation, 0, operations)) {
      check_failure(*failure);
      continue;
    }
    for (const api::Operation& decoded : operations) {
      demand(!api::title_of(api::name_of(decoded.action)).empty(), "an operation is about something");
      if (writes(decoded.action)) check_round_trip(decoded.action);
    }
  }
}

}  // namespace fairlead
