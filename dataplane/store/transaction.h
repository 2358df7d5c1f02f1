// A transaction on its way through the store, and its answer.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/failure.h"
#include "api/operation.h"
#include "fairlead/v1/management.pb.h"
#include "store/election.h"
#include "store/limits.h"
#include "store/views.h"

namespace fairlead::store {

// Who asks.
struct Origin {
  // As in events and the audit log: a session's client name, "unary", "file".
  std::string actor;
  // Address of the client.
  std::string peer;
  // 0: not a session. Events of what a session caused are marked with it.
  uint64_t session = 0;
};

struct IndexedFailure {
  // Absent where the transaction as a whole was refused.
  std::optional<uint32_t> index;
  api::Failure failure;
};

struct Result;

struct Transaction {
  uint64_t id = 0;
  std::shared_ptr<const Origin> origin;
  Fence fence{};
  std::vector<api::Operation> operations{};
  // As sent, malformed ones included.
  uint32_t operation_count = 0;
  // Of operations that are malformed and therefore not in `operations`.
  std::vector<IndexedFailure> malformed{};
  // What those name.
  std::vector<api::ResourceName> malformed_names{};
  bool each = false;
  std::optional<config::Version> expected_version{};
  bool validate_only = false;
  // What a process begins with: nobody in it is new.
  bool is_beginning = false;
  // It brings back what was there: servers may follow one that had been deleted by then.
  bool restores = false;
  // Of its content, for history; empty where nobody may repeat it.
  std::string fingerprint{};
  // What history says that it was answered before: holds where the store remembers no more of it.
  std::shared_ptr<const Result> answered_before{};
  // When its message was there, before it was decoded.
  std::chrono::steady_clock::time_point received = std::chrono::steady_clock::now();
};

// What is wrong with the id of what `title` names: the journal's numbers have a sign.
std::optional<api::Failure> check_id(uint64_t id, std::string title);

// Decodes, off the store's thread. What is malformed comes back as failures in the result, in turn with the others.
Transaction make_transaction(const v1::Transaction& message, const Limits& limits,
                             std::shared_ptr<const Origin> origin);

enum class Outcome { kApplied, kUnchanged, kRefused, kPartial };

// The resource that the transaction's last operation was about, for unary calls: at most one view is set.
struct Touched {
  // For a deletion.
  bool existed = false;
  std::optional<ServerView> server;
  std::optional<BackendView> backend;
  std::optional<ListenerView> listener;
  std::optional<CertificateView> certificate;
};

struct Result {
  static constexpr size_t kFailuresMax = 100;

  uint64_t id = 0;
  Outcome outcome = Outcome::kUnchanged;
  config::Version version = 0;
  // The first kFailuresMax.
  std::vector<IndexedFailure> failures{};
  uint32_t failures_total = 0;
  Touched touched{};
  // With `wait_until_removed`.
  uint64_t cut_off = 0;

  void add_failure(IndexedFailure failure);
  bool refused() const { return outcome == Outcome::kRefused; }
};

Result refused(uint64_t id, config::Version version, api::Failure failure);

void encode(const Result& result, v1::TransactionResult& out);

}  // namespace fairlead::store
