#include "ctl/history_commands.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "ctl/change_text.h"
#include "ctl/refusal.h"
#include "ctl/resource_set.h"

namespace fairlead::ctl {
namespace {

constexpr char kDefaultLimit[] = "20";
// Of what one version changed, a line of the table names so many.
constexpr int kNamedMax = 3;

Result<std::uint64_t> parse_version(const std::string& what, const std::string& text) {
  std::uint64_t version = 0;
  if (!absl::SimpleAtoi(text, &version)) {
    return usage_error(
        absl::StrCat(what, ": \"", printable(text), "\" is not a version, a number as `history` has them"));
  }
  return version;
}

std::string time_text(const google::protobuf::Timestamp& time) {
  const absl::Time value = absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", value, absl::LocalTimeZone());
}

char sign_of(v1::Change change) {
  if (change == v1::CHANGE_CREATED) return '+';
  return change == v1::CHANGE_DELETED ? '-' : '~';
}

// "+ server web/s1, ~ backend web and 7 more".
std::string changes_text(const v1::HistoryEntry& entry) {
  std::string text;
  const int named = std::min(entry.changes_size(), kNamedMax);
  for (int i = 0; i < named; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", std::string(1, sign_of(entry.changes(i).change())), " ",
                    entry.changes(i).resource());
  }
  const auto rest = entry.changes_total() - static_cast<std::uint32_t>(named);
  if (rest > 0) absl::StrAppend(&text, named == 0 ? "" : " and ", rest, " more");
  return text;
}

// As many pages as it takes.
Result<v1::ListHistoryResponse> list_history(Client& client, std::size_t limit) {
  v1::ListHistoryResponse all;
  v1::ListHistoryRequest request;
  while (true) {
    request.set_page_size(static_cast<int>(std::min<std::size_t>(1000, limit - all.entries_size())));
    auto page = client.call(&Client::Management::ListHistory, request);
    if (!page) return std::unexpected(page.error());
    all.mutable_entries()->MergeFrom(page->entries());
    all.set_next_page_token(page->next_page_token());
    all.set_oldest_version(page->oldest_version());
    if (page->next_page_token().empty() || static_cast<std::size_t>(all.entries_size()) >= limit) return all;
    request.set_page_token(page->next_page_token());
  }
}

Result<void> run_history(Context& context) {
  std::uint64_t limit = 0;
  const std::string text = context.arguments.value("limit", kDefaultLimit);
  if (!absl::SimpleAtoi(text, &limit) || limit == 0) {
    return usage_error(absl::StrCat("--limit: \"", printable(text), "\" is not a number above 0"));
  }
  Result<v1::ListHistoryResponse> history = list_history(context.client, limit);
  if (!history) return std::unexpected(history.error());
  if (print_message(context, *history)) return {};
  if (history->entries().empty()) {
    context.streams.err << "nothing was changed yet\n";
    return {};
  }
  Table table({{"VERSION", true}, {"TIME"}, {"BY"}, {"FROM"}, {"TRANSACTION", true}, {"CHANGED"}});
  for (const v1::HistoryEntry& entry : history->entries()) {
    table.add({{absl::StrCat(entry.version())},
               {time_text(entry.time())},
               {entry.actor()},
               {entry.peer()},
               {entry.transaction_id() == 0 ? "" : absl::StrCat(entry.transaction_id())},
               {changes_text(entry)}});
  }
  context.streams.out << table.render(context.streams.colour);
  if (!history->next_page_token().empty()) {
    context.streams.err << "older ones: --limit; versions from " << history->oldest_version() << " on can be reached\n";
  }
  return {};
}

v1::Resource without_output_only(v1::Resource resource) {
  if (resource.has_listener()) {
    resource.mutable_listener()->clear_metadata();
    resource.mutable_listener()->clear_status();
  }
  return resource;
}

Result<ResourceSet> set_of(const std::vector<v1::Resource>& resources) {
  v1::Resources message;
  for (const v1::Resource& resource : resources) {
    if (resource.has_listener()) *message.add_listeners() = without_output_only(resource).listener();
    if (resource.has_certificate()) *message.add_certificates() = resource.certificate();
    if (resource.has_backend()) *message.add_backends() = resource.backend();
    if (resource.has_server()) *message.add_servers() = resource.server();
  }
  return ResourceSet::from(message, "");
}

struct Difference {
  std::vector<v1::Resource> before;
  std::vector<v1::Resource> after;
};

Result<Difference> read_difference(Client& client, const v1::DiffVersionsRequest& request) {
  grpc::ClientContext call;
  call.set_deadline(std::chrono::system_clock::now() + client.timeout());
  auto reader = client.management().DiffVersions(&call, request);
  Difference difference;
  v1::DiffVersionsResponse part;
  while (reader->Read(&part)) {
    for (const v1::ResourceDifference& one : part.differences()) {
      if (one.has_before()) difference.before.push_back(one.before());
      if (one.has_after()) difference.after.push_back(one.after());
    }
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return std::unexpected(client.failure(status));
  return difference;
}

Result<std::vector<ResourceChange>> version_changes(Client& client, const v1::DiffVersionsRequest& request) {
  Result<Difference> difference = read_difference(client, request);
  if (!difference) return std::unexpected(difference.error());
  Result<ResourceSet> before = set_of(difference->before);
  if (!before) return std::unexpected(before.error());
  Result<ResourceSet> after = set_of(difference->after);
  if (!after) return std::unexpected(after.error());
  return changes(*before, *after, /*prune=*/true);
}

Result<void> run_rollback(Context& context) {
  Result<std::uint64_t> version = parse_version("rollback", context.arguments.operand(0));
  if (!version) return std::unexpected(version.error());
  const bool dry_run = context.arguments.has("dry-run");
  if (dry_run && context.format == Format::kTable) {
    // What is there at present, and what would be.
    v1::DiffVersionsRequest difference;
    difference.set_from_version(*version);
    Result<std::vector<ResourceChange>> list = version_changes(context.client, difference);
    if (!list) return std::unexpected(list.error());
    for (ResourceChange& change : *list) {
      std::swap(change.before, change.after);
      if (change.kind != ChangeKind::kChanged) {
        change.kind = change.kind == ChangeKind::kAdded ? ChangeKind::kRemoved : ChangeKind::kAdded;
      }
    }
    print_changes(context.streams, *list);
  }
  v1::RollbackRequest request;
  request.set_version(*version);
  request.set_validate_only(dry_run);
  auto response = context.client.call(&Client::Management::Rollback, request);
  if (!response) return std::unexpected(response.error());
  if (is_refused(response->result())) return std::unexpected(refusal(response->result(), nullptr, {}));
  if (print_message(context, *response)) return {};
  context.streams.out << (dry_run ? "would roll back to version " : "rolled back to version ") << *version << ": "
                      << response->changes_total() << " changed (version " << response->result().version() << ")\n";
  return {};
}

}  // namespace

Result<void> run_version_diff(Context& context) {
  v1::DiffVersionsRequest request;
  Result<std::uint64_t> from = parse_version("diff", context.arguments.operand(0));
  if (!from) return std::unexpected(from.error());
  request.set_from_version(*from);
  if (context.arguments.operands().size() > 1) {
    Result<std::uint64_t> to = parse_version("diff", context.arguments.operand(1));
    if (!to) return std::unexpected(to.error());
    request.set_to_version(*to);
  }
  Result<std::vector<ResourceChange>> list = version_changes(context.client, request);
  if (!list) return std::unexpected(list.error());
  print_changes(context.streams, *list);
  if (list->empty()) context.streams.err << "no differences\n";
  if (!list->empty() && context.arguments.has("fail")) return refused(count_text(*list));
  return {};
}

std::vector<Command> history_commands() {
  return {
      {.name = "history",
       .summary = "shows the last versions: when, by whom, from where, what",
       .options = {{.name = "limit", .value = "N", .help = absl::StrCat("how many; default ", kDefaultLimit)}},
       .examples = {"fairleadctl history", "fairleadctl history --limit 1000 -o json"},
       .run = run_history},
      {.name = "rollback",
       .operands = "VERSION",
       .operands_min = 1,
       .operands_max = 1,
       .summary = "makes the whole configuration what it was at a version",
       .details = "All at once or not at all, as a transaction with a version of its own, which can be rolled back as "
                  "well. Servers that go drain as if they were deleted.",
       .options = {{.name = "dry-run", .help = "shows what would change, and changes nothing"}},
       .examples = {"fairleadctl rollback 41 --dry-run"},
       .run = run_rollback},
  };
}

}  // namespace fairlead::ctl
