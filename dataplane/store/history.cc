#include "store/history.h"

#include <algorithm>
#include <map>
#include <ranges>
#include <utility>

#include "api/encode.h"
#include "api/failure.h"
#include "config/text.h"
#include "config/validate.h"
#include "store/answers.h"

namespace fairlead::store {
namespace {

using config::concat;
using journal::HistoryChange;

// As ListHistory shows.
constexpr int kChangesShown = 20;

google::protobuf::Timestamp to_timestamp(int64_t nanoseconds) {
  google::protobuf::Timestamp time;
  api::encode(config::WallTime(std::chrono::duration_cast<config::WallTime::duration>(config::Duration(nanoseconds))),
              time);
  return time;
}

absl::StatusOr<v1::Resource> parse(journal::Kind kind, std::string_view content) {
  v1::Resource resource;
  google::protobuf::Message* message = nullptr;
  switch (kind) {
    case journal::Kind::kListener:
      message = resource.mutable_listener();
      break;
    case journal::Kind::kBackend:
      message = resource.mutable_backend();
      break;
    case journal::Kind::kServer:
      message = resource.mutable_server();
      break;
    case journal::Kind::kCertificate:
      message = resource.mutable_certificate();
      break;
  }
  if (message && message->ParseFromArray(content.data(), static_cast<int>(content.size()))) return resource;
  return absl::DataLossError("history: a resource in it cannot be read");
}

std::string title_of(const v1::Resource& resource) {
  if (resource.has_listener()) return api::listener_title(resource.listener().name());
  if (resource.has_backend()) return api::backend_title(resource.backend().name());
  if (resource.has_certificate()) return api::certificate_title(resource.certificate().name());
  return api::server_title(resource.server().backend(), resource.server().name());
}

std::string_view kind_word(journal::Kind kind) {
  if (kind == journal::Kind::kListener) return "listener ";
  if (kind == journal::Kind::kCertificate) return "certificate ";
  return kind == journal::Kind::kBackend ? "backend " : "server ";
}

absl::StatusOr<std::string> title_of(const HistoryChange& change) {
  if (change.what == HistoryChange::What::kCreated) return concat(kind_word(change.kind), change.name);
  absl::StatusOr<v1::Resource> resource = parse(change.kind, change.before.content);
  if (!resource.ok()) return resource.status();
  return title_of(*resource);
}

absl::Status damaged(uint64_t version) {
  return absl::DataLossError(concat("history: version ", version, " cannot be read"));
}

absl::StatusOr<v1::HistoryEntry> to_entry(const journal::HistoryRow& row) {
  v1::HistoryEntry entry;
  entry.set_version(row.version);
  *entry.mutable_time() = to_timestamp(row.time);
  entry.set_actor(row.actor);
  entry.set_peer(row.peer);
  entry.set_transaction_id(row.transaction_id);
  journal::ChangeReader reader(row.changes);
  uint32_t total = 0;
  for (; auto change = reader.next(); ++total) {
    if (entry.changes_size() == kChangesShown) continue;
    absl::StatusOr<std::string> title = title_of(*change);
    if (!title.ok()) return title.status();
    v1::HistoryChange& shown = *entry.add_changes();
    shown.set_change(static_cast<v1::Change>(change->what));
    shown.set_resource(*std::move(title));
  }
  if (reader.damaged()) return damaged(row.version);
  entry.set_changes_total(total);
  return entry;
}

// What a resource was at some version.
struct Past {
  journal::Kind kind;
  // None: it was not there.
  std::optional<std::string> content;
};

// By uid, of the resources that changed after that version.
using PastResources = std::map<uint64_t, Past>;

absl::Status take_back(const journal::HistoryRow& row, PastResources& resources) {
  // Within a transaction too, the last change is taken back first: what was before the first one stays.
  std::vector<std::pair<uint64_t, Past>> backwards;
  journal::ChangeReader reader(row.changes);
  while (auto change = reader.next()) {
    bool was_there = change->what != HistoryChange::What::kCreated;
    Past past{change->kind, was_there ? std::optional(std::string(change->before.content)) : std::nullopt};
    backwards.emplace_back(change->uid, std::move(past));
  }
  if (reader.damaged()) return damaged(row.version);
  for (auto& [uid, past] : backwards | std::views::reverse) resources.insert_or_assign(uid, std::move(past));
  return absl::OkStatus();
}

// Certificates before backends before servers before listeners, as one refers to another; then by name.
struct Key {
  int order;
  std::string title;
  friend auto operator<=>(const Key&, const Key&) = default;
};

Key key_of(const v1::Resource& resource) {
  int order = resource.has_certificate() ? -1 : resource.has_backend() ? 0 : resource.has_server() ? 1 : 2;
  return {order, title_of(resource)};
}

v1::Change change_of(const v1::ResourceDifference& difference) {
  if (!difference.has_before()) return v1::CHANGE_CREATED;
  return difference.has_after() ? v1::CHANGE_UPDATED : v1::CHANGE_DELETED;
}

bool is_same(const v1::ResourceDifference& difference) {
  return difference.has_before() && difference.has_after() &&
         difference.before().SerializeAsString() == difference.after().SerializeAsString();
}

v1::Operation upsert(const v1::Resource& resource) {
  v1::Operation operation;
  *operation.mutable_upsert() = resource;
  return operation;
}

v1::Operation deletion(const v1::Resource& resource) {
  v1::Operation operation;
  v1::Delete& target = *operation.mutable_delete_();
  if (resource.has_listener()) target.set_listener(resource.listener().name());
  if (resource.has_backend()) target.set_backend(resource.backend().name());
  if (resource.has_certificate()) target.set_certificate(resource.certificate().name());
  if (resource.has_server()) {
    target.mutable_server()->set_backend(resource.server().backend());
    target.mutable_server()->set_name(resource.server().name());
  }
  return operation;
}

}  // namespace

absl::StatusOr<History> History::open(const std::string& path) {
  absl::StatusOr<journal::HistoryReader> reader = journal::HistoryReader::open(path);
  if (!reader.ok()) return reader.status();
  if (absl::Status held = reader->hold_still(); !held.ok()) return held;
  return History(*std::move(reader));
}

absl::StatusOr<uint64_t> History::oldest_reachable() {
  absl::StatusOr<uint64_t> oldest = reader_.oldest();
  if (!oldest.ok()) return oldest.status();
  return *oldest == 0 ? reader_.present() : *oldest - 1;
}

absl::StatusOr<HistoryPage> History::list(uint64_t before, size_t count) {
  absl::StatusOr<uint64_t> oldest = oldest_reachable();
  if (!oldest.ok()) return oldest.status();
  absl::StatusOr<std::vector<journal::HistoryRow>> rows = reader_.list(before, count + 1);
  if (!rows.ok()) return rows.status();
  HistoryPage page{.entries = {}, .oldest_version = *oldest};
  if (rows->size() > count) {
    rows->pop_back();
    page.next = rows->back().version;
  }
  for (const journal::HistoryRow& row : *rows) {
    absl::StatusOr<v1::HistoryEntry> entry = to_entry(row);
    if (!entry.ok()) return entry.status();
    page.entries.push_back(*std::move(entry));
  }
  return page;
}

absl::Status History::check_reachable(std::string_view field, uint64_t version, uint64_t oldest,
                                      uint64_t present) const {
  if (version > present) {
    return absl::OutOfRangeError(
        concat(field, ": ", version, " is not reached yet; there are ", oldest, " to ", present));
  }
  if (version >= oldest) return absl::OkStatus();
  return absl::OutOfRangeError(concat(field, ": ", version, " is forgotten; the oldest that is kept is ", oldest));
}

absl::StatusOr<VersionDifference> History::compare(uint64_t from, uint64_t to, std::string_view from_field) {
  absl::StatusOr<uint64_t> oldest = oldest_reachable();
  if (!oldest.ok()) return oldest.status();
  absl::StatusOr<uint64_t> present = reader_.present();
  if (!present.ok()) return present.status();
  if (to == 0) to = *present;
  if (absl::Status status = check_reachable(from_field, from, *oldest, *present); !status.ok()) return status;
  if (absl::Status status = check_reachable("to_version", to, *oldest, *present); !status.ok()) return status;

  uint64_t older = std::min(from, to);
  uint64_t newer = std::max(from, to);
  PastResources at_newer;
  PastResources at_older;
  uint64_t expected = *present;
  absl::Status walked = reader_.read_back_to(older, [&](const journal::HistoryRow& row) {
    if (row.version != expected--) return damaged(expected + 1);
    absl::Status taken = row.version > newer ? take_back(row, at_newer) : absl::OkStatus();
    return taken.ok() ? take_back(row, at_older) : taken;
  });
  if (!walked.ok()) return walked;

  // By name, because a resource that was deleted and created again is the same to whoever compares.
  std::map<Key, v1::ResourceDifference> by_name;
  auto note = [&](journal::Kind kind, const std::optional<std::string>& content, bool is_before) -> absl::Status {
    if (!content) return absl::OkStatus();
    absl::StatusOr<v1::Resource> resource = parse(kind, *content);
    if (!resource.ok()) return resource.status();
    v1::ResourceDifference& difference = by_name[key_of(*resource)];
    *(is_before ? difference.mutable_before() : difference.mutable_after()) = *std::move(resource);
    return absl::OkStatus();
  };
  for (const auto& [uid, past] : at_older) {
    auto later = at_newer.find(uid);
    absl::StatusOr<std::optional<std::string>> content =
        later != at_newer.end() ? later->second.content : reader_.content_of(uid);
    if (!content.ok()) return content.status();
    bool forwards = from <= to;
    if (absl::Status noted = note(past.kind, past.content, forwards); !noted.ok()) return noted;
    if (absl::Status noted = note(past.kind, *content, !forwards); !noted.ok()) return noted;
  }
  VersionDifference result{.from = from, .to = to, .differences = {}};
  for (auto& [key, difference] : by_name) {
    if (is_same(difference)) continue;
    difference.set_change(change_of(difference));
    result.differences.push_back(std::move(difference));
  }
  return result;
}

absl::StatusOr<v1::GetTransactionResponse> History::find(const std::string& client, uint64_t transaction_id) {
  absl::StatusOr<std::optional<journal::HistoryRow>> row = reader_.find(client, transaction_id);
  if (!row.ok()) return row.status();
  if (!*row) {
    return absl::NotFoundError(concat("transaction ", transaction_id, " of ", config::quoted(client),
                                      ": is not in history: it was not applied, changed nothing, or is too old"));
  }
  v1::GetTransactionResponse response;
  response.set_version((*row)->version);
  *response.mutable_time() = to_timestamp((*row)->time);
  return response;
}

absl::StatusOr<std::optional<Result>> History::answer_to(const Transaction& transaction) {
  absl::StatusOr<std::optional<journal::HistoryRow>> row = reader_.find(transaction.origin->actor, transaction.id);
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  if ((*row)->fingerprint != transaction.fingerprint) return reused_id(transaction, (*row)->version);
  return Result{.id = transaction.id, .outcome = Outcome::kApplied, .version = (*row)->version};
}

// Listeners that go give up their addresses before others take them; what is referred to comes before what refers to
// it, and goes after it.
std::vector<v1::Operation> operations_back(const VersionDifference& difference) {
  std::vector<v1::Operation> operations;
  auto goes = [](const v1::ResourceDifference& one) { return !one.has_before(); };
  auto add = [&](bool deletes, bool (*concerns)(const v1::Resource&)) {
    for (const v1::ResourceDifference& one : difference.differences) {
      if (goes(one) != deletes || !concerns(deletes ? one.after() : one.before())) continue;
      operations.push_back(deletes ? deletion(one.after()) : upsert(one.before()));
    }
  };
  auto is_listener = [](const v1::Resource& resource) { return resource.has_listener(); };
  auto is_backend = [](const v1::Resource& resource) { return resource.has_backend(); };
  auto is_server = [](const v1::Resource& resource) { return resource.has_server(); };
  auto is_certificate = [](const v1::Resource& resource) { return resource.has_certificate(); };
  add(false, is_certificate);
  add(false, is_backend);
  add(false, is_server);
  add(true, is_listener);
  add(false, is_listener);
  add(true, is_server);
  add(true, is_backend);
  add(true, is_certificate);
  return operations;
}

}  // namespace fairlead::store
