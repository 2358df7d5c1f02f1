#include "journal/schema.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace fairlead::journal {
namespace {

constexpr int kVersion = 1;

// Resources are keyed by uid, so that what is added is appended. `sum` is checksum.h's over the row. One row of state.
constexpr const char* kTables = R"(
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch INTEGER NOT NULL, version INTEGER NOT NULL, last_uid INTEGER NOT NULL,
  election_high INTEGER NOT NULL, election_low INTEGER NOT NULL,
  digest BLOB NOT NULL, resources INTEGER NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE resources (
  uid INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL, backend INTEGER NOT NULL, version INTEGER NOT NULL,
  create_time INTEGER NOT NULL, update_time INTEGER NOT NULL,
  content BLOB NOT NULL, bound BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE history (
  version INTEGER PRIMARY KEY,
  time INTEGER NOT NULL, actor TEXT NOT NULL, peer TEXT NOT NULL, transaction_id INTEGER NOT NULL,
  fingerprint BLOB NOT NULL, changes BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE INDEX history_by_client ON history (actor, transaction_id) WHERE transaction_id != 0;
)";

}  // namespace

Schema present_schema() { return {kVersion, {}}; }

absl::Status create_tables(Database& database) {
  std::string sql = absl::StrCat("PRAGMA application_id = ", kApplicationId, "; PRAGMA user_version = ", kVersion,
                                 "; BEGIN;", kTables, "COMMIT;");
  return database.run(sql.c_str());
}

absl::Status migrate(Database& database, const Schema& schema) {
  absl::StatusOr<int64_t> found = database.query("PRAGMA user_version");
  if (!found.ok()) return found.status();
  if (*found == schema.version) return absl::OkStatus();
  if (*found > schema.version) {
    return absl::FailedPreconditionError(absl::StrCat("was written by a newer fairlead: its schema is ", *found,
                                                      ", this build knows ", schema.version,
                                                      " at most; use the newer one, or another state directory"));
  }
  if (absl::Status begun = database.run("BEGIN IMMEDIATE"); !begun.ok()) return begun;
  for (int64_t version = *found; version < schema.version; ++version) {
    auto step =
        std::ranges::find(schema.migrations, version, [](const Migration& migration) { return migration.from; });
    if (step == schema.migrations.end()) {
      return absl::FailedPreconditionError(absl::StrCat("has schema ", *found, ", which this build cannot read"));
    }
    if (absl::Status done = database.run(step->sql); !done.ok()) return done;
  }
  return database.run(absl::StrCat("PRAGMA user_version = ", schema.version).c_str());
}

}  // namespace fairlead::journal
