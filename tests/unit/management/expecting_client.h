// Clients whose answers are known: what they send goes with what a reference expects, and is held against it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fairlead/v1/management.grpc.pb.h"
#include "reference.h"

namespace fairlead::management {

// `each`: of a transaction with ATOMICITY_EACH.
void expect_result(const v1::TransactionResult& result, const Expected& expected, bool each);

// One session, its transactions, and what has to be answered.
class ExpectingSession {
 public:
  // `election`: 0 is an observer's.
  ExpectingSession(v1::ManagementService::Stub& stub, const std::string& name, uint64_t election = 0);
  ~ExpectingSession();
  const v1::Opened& opened() const { return opened_; }
  uint64_t election() const { return election_; }
  std::optional<Reference::Resync>& resync() { return resync_; }

  void add(v1::Transaction transaction, const Expected& expected);
  void begin_resync(const Expected& expected);
  void end_resync(bool cancel, const Expected& expected);
  // Sends all that was added at once and takes the answers. With `versions` what they tell is looked at.
  void run(bool versions);
  void end();

 private:
  // The next unanswered after it.
  uint64_t take_answer(uint64_t first, uint64_t next, bool versions);

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StreamUpdatesRequest, v1::StreamUpdatesResponse>> stream_;
  v1::Opened opened_;
  const uint64_t election_;
  // While it is open.
  std::optional<Reference::Resync> resync_;
  uint64_t last_id_ = 0;
  uint64_t version_ = 0;
  std::vector<v1::StreamUpdatesRequest> burst_;
  std::vector<Expected> expected_;
  bool ended_ = false;
};

v1::Transaction single(v1::Operation operation);
// An export as upserts, in the order in which it came.
v1::Transaction rebuilding(const v1::Resources& resources);

// A unary call, with a person's word: there may have been elections.
v1::TransactionResult call(v1::ManagementService::Stub& stub, const v1::Transaction& transaction);
// The same as a call of its own; nothing where there is none for it.
std::optional<grpc::Status> call(v1::ManagementService::Stub& stub, const v1::Operation& operation);
// The code of a call that is refused for that.
grpc::StatusCode status_of(v1::Reason reason);

}  // namespace fairlead::management
