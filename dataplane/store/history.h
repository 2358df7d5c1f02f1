// What the configuration was, read from the journal's history.
//
// Reads by a connection of its own, beside the writer, and waits for the disk: never on the store's thread nor on one
// that must not block. Made for each request. Errors: OutOfRange for a version that history does not reach (the text
// names the oldest), NotFound, DataLoss and others as SQLite tells them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "fairlead/v1/management.pb.h"
#include "journal/history.h"
#include "store/transaction.h"

namespace fairlead::store {

struct HistoryPage {
  std::vector<v1::HistoryEntry> entries;
  // Older ones follow below this version; 0 where there are none.
  uint64_t next = 0;
  uint64_t oldest_version = 0;
};

struct VersionDifference {
  uint64_t from = 0;
  uint64_t to = 0;
  // By kind (backends, servers, listeners) and name.
  std::vector<v1::ResourceDifference> differences;
};

class History {
 public:
  // `path`: of the journal's file.
  static absl::StatusOr<History> open(const std::string& path);

  // Newest first, below `before` (0: from the newest on).
  absl::StatusOr<HistoryPage> list(uint64_t before, size_t count);
  // `to` 0: the present version. Costs what changed since the older of the two.
  // `from_field`: what `from` is called where it is out of range.
  absl::StatusOr<VersionDifference> compare(uint64_t from, uint64_t to, std::string_view from_field = "from_version");
  absl::StatusOr<v1::GetTransactionResponse> find(const std::string& client, uint64_t transaction_id);
  // To a transaction that came before, in this life of the process or an earlier one: its answer, or a refusal where
  // the id stood for other content. Nothing for one that history does not have.
  absl::StatusOr<std::optional<Result>> answer_to(const Transaction& transaction);
  // 0: none.
  absl::StatusOr<uint64_t> last_transaction_of(const std::string& client) {
    return reader_.last_transaction_of(client);
  }

 private:
  explicit History(journal::HistoryReader reader) : reader_(std::move(reader)) {}
  // The oldest version that the rows lead back to.
  absl::StatusOr<uint64_t> oldest_reachable();
  absl::Status check_reachable(std::string_view field, uint64_t version, uint64_t oldest, uint64_t present) const;

  journal::HistoryReader reader_;
};

// The operations that take away a difference: from what is at `to` back to what was at `from`, in an order in which
// every reference holds.
std::vector<v1::Operation> operations_back(const VersionDifference& difference);

}  // namespace fairlead::store
