#include "journal/history.h"

#include "absl/strings/str_cat.h"
#include "base/varint.h"
#include "journal/checksum.h"

namespace fairlead::journal {
namespace {

void put_text(std::string& out, std::string_view text) {
  base::append_varint(out, text.size());
  out += text;
}

// Of the two bits that a change has for it.
Kind kind_of(unsigned bits) { return bits == 0 ? Kind::kCertificate : static_cast<Kind>(bits); }

constexpr const char* kColumns = "version, time, actor, peer, transaction_id, fingerprint, changes, sum";

absl::StatusOr<HistoryRow> read_row(const Statement& statement) {
  HistoryRow row{.version = statement.number(0),
                 .time = statement.signed_number(1),
                 .actor = std::string(statement.bytes(2)),
                 .peer = std::string(statement.bytes(3)),
                 .transaction_id = statement.number(4),
                 .fingerprint = std::string(statement.bytes(5)),
                 .changes = std::string(statement.bytes(6))};
  if (checksum(row) == statement.signed_number(7)) return row;
  return absl::DataLossError(absl::StrCat("history: version ", row.version, " is damaged"));
}

}  // namespace

// Uids of one transaction are most often each the next after the one before: a byte each.
void ChangeWriter::add(const HistoryChange& change) {
  bytes_.push_back(static_cast<char>(static_cast<uint8_t>(change.what) << 2 | (static_cast<uint8_t>(change.kind) & 3)));
  // As a difference, its sign in the lowest bit.
  auto step = static_cast<int64_t>(change.uid - last_uid_);
  base::append_varint(bytes_, static_cast<uint64_t>(step) << 1 ^ static_cast<uint64_t>(step >> 63));
  last_uid_ = change.uid;
  ++count_;
  if (change.what == HistoryChange::What::kCreated) {
    return put_text(bytes_, count_ <= kNamed ? change.name : std::string_view());
  }
  base::append_varint(bytes_, change.before.backend);
  base::append_varint(bytes_, change.before.version);
  base::append_varint(bytes_, static_cast<uint64_t>(change.before.create_time));
  base::append_varint(bytes_, static_cast<uint64_t>(change.before.update_time));
  put_text(bytes_, change.before.content);
  put_text(bytes_, change.before.bound);
}

std::string ChangeWriter::take() {
  count_ = 0;
  last_uid_ = 0;
  return std::exchange(bytes_, {});
}

uint64_t ChangeReader::number() {
  if (std::optional<uint64_t> value = base::take_varint(left_)) return *value;
  damaged_ = true;
  return 0;
}

std::string_view ChangeReader::text() {
  uint64_t size = number();
  if (size > left_.size()) {
    damaged_ = true;
    return {};
  }
  std::string_view text = left_.substr(0, size);
  left_.remove_prefix(size);
  return text;
}

std::optional<HistoryChange> ChangeReader::next() {
  if (left_.empty() || damaged_) return std::nullopt;
  auto head = static_cast<uint8_t>(left_.front());
  left_.remove_prefix(1);
  HistoryChange change{.what = static_cast<HistoryChange::What>(head >> 2), .kind = kind_of(head & 3)};
  uint64_t step = number();
  last_uid_ += step >> 1 ^ (~(step & 1) + 1);
  change.uid = last_uid_;
  if (change.what == HistoryChange::What::kCreated) {
    change.name = text();
  } else {
    change.before = {.uid = change.uid, .kind = change.kind};
    change.before.backend = number();
    change.before.version = number();
    change.before.create_time = static_cast<int64_t>(number());
    change.before.update_time = static_cast<int64_t>(number());
    change.before.content = text();
    change.before.bound = text();
  }
  bool is_known = change.what >= HistoryChange::What::kCreated && change.what <= HistoryChange::What::kDeleted;
  damaged_ |= !is_known;
  if (damaged_) return std::nullopt;
  return change;
}

absl::StatusOr<HistoryReader> HistoryReader::open(const std::string& path) {
  absl::StatusOr<Database> database = Database::open(path, Database::Mode::kReadOnly);
  if (!database.ok()) return database.status();
  return HistoryReader(*std::move(database));
}

absl::StatusOr<uint64_t> HistoryReader::oldest() {
  absl::StatusOr<int64_t> oldest = database_.query("SELECT min(version) FROM history");
  if (!oldest.ok()) return oldest.status();
  return static_cast<uint64_t>(*oldest);
}

absl::StatusOr<std::vector<HistoryRow>> HistoryReader::list(uint64_t before, size_t count) {
  std::string sql =
      absl::StrCat("SELECT ", kColumns, " FROM history WHERE version < ?1 ORDER BY version DESC LIMIT ?2");
  absl::StatusOr<Statement> statement = database_.prepare(sql.c_str());
  if (!statement.ok()) return statement.status();
  statement->bind(1, before == 0 ? INT64_MAX : static_cast<int64_t>(before));
  statement->bind(2, uint64_t{count});
  std::vector<HistoryRow> rows;
  int code;
  while ((code = statement->step()) == SQLITE_ROW) {
    absl::StatusOr<HistoryRow> row = read_row(*statement);
    if (!row.ok()) return row.status();
    rows.push_back(*std::move(row));
  }
  if (code != SQLITE_DONE) return database_.status();
  return rows;
}

absl::Status HistoryReader::read_back_to(uint64_t version,
                                         const std::function<absl::Status(const HistoryRow&)>& visit) {
  std::string sql = absl::StrCat("SELECT ", kColumns, " FROM history WHERE version > ?1 ORDER BY version DESC");
  absl::StatusOr<Statement> statement = database_.prepare(sql.c_str());
  if (!statement.ok()) return statement.status();
  statement->bind(1, version);
  int code;
  while ((code = statement->step()) == SQLITE_ROW) {
    absl::StatusOr<HistoryRow> row = read_row(*statement);
    if (!row.ok()) return row.status();
    if (absl::Status visited = visit(*row); !visited.ok()) return visited;
  }
  return code == SQLITE_DONE ? absl::OkStatus() : database_.status();
}

absl::StatusOr<std::optional<HistoryRow>> HistoryReader::find(const std::string& actor, uint64_t transaction_id) {
  std::string sql = absl::StrCat("SELECT ", kColumns,
                                 " FROM history WHERE actor = ?1 AND transaction_id = ?2 AND transaction_id != 0"
                                 " ORDER BY version DESC LIMIT 1");
  absl::StatusOr<Statement> statement = database_.prepare(sql.c_str());
  if (!statement.ok()) return statement.status();
  statement->bind_text(1, actor);
  statement->bind(2, transaction_id);
  int code = statement->step();
  if (code == SQLITE_DONE) return std::nullopt;
  if (code != SQLITE_ROW) return database_.status();
  absl::StatusOr<HistoryRow> row = read_row(*statement);
  if (!row.ok()) return row.status();
  return *std::move(row);
}

absl::StatusOr<uint64_t> HistoryReader::last_transaction_of(const std::string& actor) {
  absl::StatusOr<Statement> statement =
      database_.prepare("SELECT max(transaction_id) FROM history WHERE actor = ?1 AND transaction_id != 0");
  if (!statement.ok()) return statement.status();
  statement->bind_text(1, actor);
  int code = statement->step();
  if (code == SQLITE_ROW) return statement->number(0);
  return database_.status();
}

absl::Status HistoryReader::hold_still() { return database_.run("BEGIN"); }

absl::StatusOr<uint64_t> HistoryReader::present() {
  absl::StatusOr<int64_t> version = database_.query("SELECT version FROM state WHERE id = 1");
  if (!version.ok()) return version.status();
  return static_cast<uint64_t>(*version);
}

absl::StatusOr<std::optional<std::string>> HistoryReader::content_of(uint64_t uid) {
  absl::StatusOr<Statement> statement = database_.prepare("SELECT content FROM resources WHERE uid = ?1");
  if (!statement.ok()) return statement.status();
  statement->bind(1, uid);
  int code = statement->step();
  if (code == SQLITE_DONE) return std::nullopt;
  if (code != SQLITE_ROW) return database_.status();
  return std::string(statement->bytes(0));
}

}  // namespace fairlead::journal
