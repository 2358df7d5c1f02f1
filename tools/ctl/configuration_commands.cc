#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "api/yaml.h"
#include "api/yaml_text.h"
#include "ctl/command.h"
#include "ctl/resource_set.h"

namespace fairlead::ctl {
namespace {

struct Export {
  v1::Resources resources;
  std::uint64_t epoch = 0;
  std::uint64_t version = 0;
};

struct InputFile {
  std::string name;
  std::string text;
  ResourceSet set;
};

Result<Export> export_all(Client& client) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + client.timeout());
  auto reader = client.management().ExportConfig(&context, v1::ExportConfigRequest());
  Export all;
  v1::ExportConfigResponse part;
  while (reader->Read(&part)) {
    all.resources.MergeFrom(part.resources());
    all.epoch = part.epoch();
    all.version = part.version();
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return std::unexpected(client.failure(status));
  return all;
}

Result<std::string> read_text(const std::string& name) {
  if (name == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  absl::StatusOr<std::string> text = api::read_yaml_file(name);
  if (!text.ok()) return refused(std::string(text.status().message()));
  return *std::move(text);
}

Result<InputFile> read_input(const Arguments& arguments) {
  if (!arguments.has("file")) return usage_error("needs -f FILE (- is standard input)");
  const std::string name = arguments.value("file");
  Result<std::string> text = read_text(name);
  if (!text) return std::unexpected(text.error());
  const std::string shown = name == "-" ? "standard input" : name;
  Result<ResourceSet> set = read_resource_set(*text, shown);
  if (!set) return std::unexpected(Failure{kExitRefused, printable(set.error().text)});
  return InputFile{shown, *std::move(text), *std::move(set)};
}

std::string failure_text(const v1::OperationFailure& failure) {
  std::string text = failure.message();
  if (!failure.field().empty() && !text.starts_with(failure.field())) text = absl::StrCat(failure.field(), ": ", text);
  if (failure.resource().empty() || failure.message().starts_with(failure.resource()))
    return printable(failure.message());
  return printable(absl::StrCat(failure.resource(), ": ", text));
}

// One line for each operation that failed, with its place where it comes from a file.
Failure refusal(const v1::TransactionResult& result, const InputFile* file, const std::vector<std::string>& origins) {
  std::string text;
  for (const v1::OperationFailure& failure : result.failures()) {
    if (!text.empty()) text += "\n";
    const bool placed =
        file != nullptr && failure.has_index() && failure.index() < origins.size() && !origins[failure.index()].empty();
    if (placed) {
      const std::string path = absl::StrCat(origins[failure.index()], ".", failure.field());
      text += printable(api::yaml_location(file->text, file->name, path)) + ": ";
    }
    text += failure_text(failure);
  }
  const auto shown = static_cast<std::uint32_t>(result.failures_size());
  if (result.failures_total() > shown) absl::StrAppend(&text, "\nand ", result.failures_total() - shown, " more");
  return {kExitRefused, text.empty() ? "refused, without a reason" : text};
}

bool is_refused(const v1::TransactionResult& result) {
  return result.outcome() == v1::OUTCOME_REFUSED || result.outcome() == v1::OUTCOME_PARTIAL;
}

bool is_version_mismatch(const v1::TransactionResult& result) {
  return is_refused(result) && result.failures_size() == 1 &&
         result.failures(0).reason() == v1::REASON_VERSION_MISMATCH;
}

char sign_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kAdded:
      return '+';
    case ChangeKind::kChanged:
      return '~';
    case ChangeKind::kRemoved:
      return '-';
  }
  return ' ';
}

Colour colour_of(char sign) {
  if (sign == '+') return Colour::kGreen;
  if (sign == '-') return Colour::kRed;
  return sign == '~' ? Colour::kYellow : Colour::kNone;
}

void print_changes(Streams& streams, const std::vector<ResourceChange>& list) {
  for (const ResourceChange& change : list) {
    const char sign = sign_of(change.kind);
    const std::string title = absl::StrCat(std::string(1, sign), " ", printable(change.title));
    streams.out << coloured(title, colour_of(sign), streams.colour) << "\n";
    if (change.kind == ChangeKind::kRemoved) continue;
    for (const std::string& line : line_difference(change.before, change.after)) {
      streams.out << "    " << coloured(printable(line), colour_of(line[0]), streams.colour) << "\n";
    }
  }
}

// "2 added, 1 changed".
std::string count_text(const std::vector<ResourceChange>& list) {
  const auto count = [&](ChangeKind kind) { return std::ranges::count(list, kind, &ResourceChange::kind); };
  std::string text;
  const auto add = [&](ChangeKind kind, const char* word) {
    if (count(kind) > 0) absl::StrAppend(&text, text.empty() ? "" : ", ", count(kind), word);
  };
  add(ChangeKind::kAdded, " added");
  add(ChangeKind::kChanged, " changed");
  add(ChangeKind::kRemoved, " removed");
  return text.empty() ? "nothing to change" : text;
}

struct Applied {
  v1::TransactionResult result;
  std::vector<ResourceChange> changes;
};

// What is there is read first, and with --prune the transaction holds for that version only: what somebody adds in
// between is neither removed unseen nor forgotten. Then it is read again.
Result<Applied> apply_once(Context& context, const InputFile& file, bool prune, bool dry_run) {
  Result<Export> present = export_all(context.client);
  if (!present) return std::unexpected(present.error());
  Result<ResourceSet> present_set = ResourceSet::from(present->resources, "");
  if (!present_set) return std::unexpected(present_set.error());
  std::vector<std::string> origins;
  v1::ApplyTransactionRequest request;
  *request.mutable_transaction() = transaction_to(*present_set, file.set, prune, origins);
  request.mutable_transaction()->set_validate_only(dry_run);
  if (prune) request.mutable_transaction()->set_expected_version(present->version);
  auto response = context.client.call(&Client::Management::ApplyTransaction, request);
  if (!response) return std::unexpected(response.error());
  if (is_refused(response->result()) && !is_version_mismatch(response->result())) {
    return std::unexpected(refusal(response->result(), &file, origins));
  }
  return Applied{response->result(), changes(*present_set, file.set, prune)};
}

Result<void> run_apply(Context& context) {
  Result<InputFile> file = read_input(context.arguments);
  if (!file) return std::unexpected(file.error());
  const bool prune = context.arguments.has("prune");
  const bool dry_run = context.arguments.has("dry-run");
  if (prune && file->set.empty()) return refused(file->name + " names no resource: --prune would delete everything");
  constexpr int kTries = 5;
  for (int i = 0; i < kTries; ++i) {
    Result<Applied> applied = apply_once(context, *file, prune, dry_run);
    if (!applied) return std::unexpected(applied.error());
    if (is_version_mismatch(applied->result)) continue;
    if (print_message(context, applied->result)) return {};
    if (dry_run) print_changes(context.streams, applied->changes);
    context.streams.out << (dry_run ? "would apply: " : "applied: ") << count_text(applied->changes) << " (version "
                        << applied->result.version() << ")\n";
    return {};
  }
  return refused("others change the configuration all the time; try again, or without --prune");
}

Result<void> run_diff(Context& context) {
  Result<InputFile> file = read_input(context.arguments);
  if (!file) return std::unexpected(file.error());
  Result<Export> present = export_all(context.client);
  if (!present) return std::unexpected(present.error());
  Result<ResourceSet> present_set = ResourceSet::from(present->resources, "");
  if (!present_set) return std::unexpected(present_set.error());
  const bool prune = context.arguments.has("prune");
  const std::vector<ResourceChange> list = changes(*present_set, file->set, prune);
  print_changes(context.streams, list);
  if (list.empty()) context.streams.err << "no differences at version " << present->version << "\n";
  if (!list.empty() && context.arguments.has("fail")) return refused(count_text(list));
  return {};
}

Result<void> run_export(Context& context) {
  Result<Export> all = export_all(context.client);
  if (!all) return std::unexpected(all.error());
  const v1::Configuration file = as_configuration(all->resources);
  if (context.format == Format::kJson) {
    context.streams.out << to_json(file) << "\n";
    return {};
  }
  context.streams.out << "# " << printable(context.client.address()) << ", version " << all->version << ", epoch "
                      << all->epoch << "\n"
                      << api::to_yaml(file, {.output_only_fields = false});
  return {};
}

Result<void> run_info(Context& context) {
  auto info = context.client.call(&Client::Management::GetInfo, v1::GetInfoRequest());
  if (!info) return std::unexpected(info.error());
  if (print_message(context, *info)) return {};
  std::string capabilities;
  for (const std::string& capability : info->capabilities()) absl::StrAppend(&capabilities, capability, " ");
  google::protobuf::Duration uptime = info->uptime();
  uptime.set_nanos(0);
  const std::pair<const char*, std::string> lines[] = {
      {"data plane", context.client.address()},
      {"build", info->build()},
      {"uptime", api::format_duration(uptime)},
      {"workers", absl::StrCat(info->workers())},
      {"version", absl::StrCat(info->version())},
      {"epoch", absl::StrCat(info->epoch())},
      {"listeners", absl::StrCat(info->listeners(), " of at most ", info->limits().listeners())},
      {"backends", absl::StrCat(info->backends(), " of at most ", info->limits().backends())},
      {"servers", absl::StrCat(info->servers(), " of at most ", info->limits().servers())},
      {"transaction", absl::StrCat("at most ", info->limits().operations_per_transaction(), " operations, ",
                                   info->limits().message_bytes(), " bytes")},
      {"capabilities", capabilities},
  };
  for (const auto& [name, value] : lines) {
    const std::string padded = std::string(name) + std::string(14 - std::string(name).size(), ' ');
    context.streams.out << coloured(padded, Colour::kBold, context.streams.colour) << printable(value) << "\n";
  }
  return {};
}

Option file_option() {
  return {.name = "file", .value = "FILE", .help = "the file; - is standard input", .letter = 'f'};
}

}  // namespace

Result<v1::TransactionResult> apply_transaction(Context& context, v1::ApplyTransactionRequest& request) {
  auto response = context.client.call(&Client::Management::ApplyTransaction, request);
  if (!response) return std::unexpected(response.error());
  if (is_refused(response->result())) return std::unexpected(refusal(response->result(), nullptr, {}));
  return response->result();
}

std::vector<Command> configuration_commands() {
  return {
      {.name = "apply",
       .summary = "makes the data plane have what a file says, all at once or not at all",
       .details = "The file is a configuration file, of which `resources` count, or a document with only listeners, "
                  "backends and servers. What the data plane has beside it stays, unless --prune is given.",
       .options = {file_option(),
                   {.name = "dry-run", .help = "shows what would change, and changes nothing"},
                   {.name = "prune", .help = "also deletes what the file does not name"}},
       .examples = {"fairleadctl apply -f config.yaml --dry-run",
                    "fairleadctl export | fairleadctl apply -f - --prune"},
       .run = run_apply},
      {.name = "diff",
       .summary = "shows what apply would change",
       .options = {file_option(),
                   {.name = "prune", .help = "counts what the file does not name as removed"},
                   {.name = "fail", .help = "exits with 1 where there is a difference"}},
       .examples = {"fairleadctl diff -f config.yaml"},
       .run = run_diff},
      {.name = "export",
       .summary = "prints the whole configuration as a file that apply and fairlead --config take",
       .examples = {"fairleadctl export > config.yaml"},
       .run = run_export},
      {.name = "info",
       .summary = "shows what the data plane is: build, version, limits",
       .examples = {"fairleadctl info -o json"},
       .run = run_info},
  };
}

}  // namespace fairlead::ctl
