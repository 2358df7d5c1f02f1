// The journal's history: what each transaction changed, in a form that leads back from any version to the one before.
//
// HistoryRow.changes is a sequence of changes, in the order in which they were made; ChangeWriter writes it,
// ChangeReader reads it. HistoryReader looks at the table by a connection of its own, so that no reading holds up the
// writer.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "journal/database.h"
#include "journal/rows.h"

namespace fairlead::journal {

struct HistoryChange {
  // Numbers as in the schema's Change.
  enum class What : uint8_t { kCreated = 2, kUpdated = 3, kDeleted = 4 };
  What what = What::kCreated;
  Kind kind = Kind::kServer;
  uint64_t uid = 0;
  // "web/s1", "web": of what was created, and only of the first kNamed changes of a transaction; the others are told
  // by their uid. Updated and deleted ones have their names in `before`.
  std::string_view name{};
  // What the resource was, for updated and deleted ones.
  Row before{};
};

class ChangeWriter {
 public:
  // As many as ListHistory shows of one transaction.
  static constexpr uint32_t kNamed = 20;

  void add(const HistoryChange& change);
  uint32_t count() const { return count_; }
  std::string take();

 private:
  std::string bytes_;
  uint32_t count_ = 0;
  uint64_t last_uid_ = 0;
};

// Texts of what it yields belong to `bytes`.
class ChangeReader {
 public:
  explicit ChangeReader(std::string_view bytes) : left_(bytes) {}
  // Nothing: at the end, or where the bytes make no sense (then damaged() holds).
  std::optional<HistoryChange> next();
  bool damaged() const { return damaged_; }

 private:
  uint64_t number();
  std::string_view text();

  std::string_view left_;
  uint64_t last_uid_ = 0;
  bool damaged_ = false;
};

// As HistoryRow, read back.
class HistoryReader {
 public:
  // `path`: Journal::path(). Sees what was committed when a method is called. One thread at a time; cheap enough to be
  // made for each request.
  static absl::StatusOr<HistoryReader> open(const std::string& path);

  // 0: there is none.
  absl::StatusOr<uint64_t> oldest();
  // Newest first, below `before` (0: from the newest on).
  absl::StatusOr<std::vector<HistoryRow>> list(uint64_t before, size_t count);
  // Those after `version`, newest first: what has to be taken back to come to it.
  absl::Status read_back_to(uint64_t version, const std::function<absl::Status(const HistoryRow&)>& visit);
  absl::StatusOr<std::optional<HistoryRow>> find(const std::string& actor, uint64_t transaction_id);
  // 0: none.
  absl::StatusOr<uint64_t> last_transaction_of(const std::string& actor);

 private:
  explicit HistoryReader(Database database) : database_(std::move(database)) {}
  Database database_;
};

}  // namespace fairlead::journal
