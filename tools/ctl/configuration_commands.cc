#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "api/yaml.h"
#include "api/yaml_text.h"
#include "ctl/apply.h"
#include "ctl/change_text.h"
#include "ctl/command.h"
#include "ctl/history_commands.h"
#include "ctl/input_file.h"
#include "ctl/refusal.h"
#include "ctl/resource_set.h"

namespace fairlead::ctl {
namespace {

Result<void> run_diff(Context& context) {
  if (!context.arguments.operands().empty()) {
    if (!context.arguments.has("file")) return run_version_diff(context);
    return usage_error("diff: takes a file (-f) or versions, not both");
  }
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

std::string election_id_text(const v1::ElectionId& id) {
  return id.high() == 0 ? absl::StrCat(id.low()) : absl::StrCat(id.high(), ":", id.low());
}

// "writing, /var/lib/fairlead/journal.db, 12 MiB, 1000 resources loaded in 0.013s".
std::string journal_text(const v1::Journal& journal) {
  if (journal.path().empty()) return "none: what is changed ends with the process";
  std::string state = v1::JournalState_Name(journal.state()).substr(sizeof("JOURNAL_STATE_") - 1);
  absl::AsciiStrToLower(&state);
  std::string text =
      absl::StrCat(state, ", ", journal.path(), ", ", (journal.bytes() + (1 << 20) - 1) >> 20, " MiB, ",
                   journal.loaded_resources(), " resources loaded in ", api::format_duration(journal.load_time()));
  if (!journal.problem().empty()) absl::StrAppend(&text, ": ", journal.problem());
  return text;
}

std::string caller_text(const v1::Caller& caller) {
  if (caller.role() == v1::ROLE_UNSPECIFIED) return "unknown: the data plane does not say";
  std::string role = v1::Role_Name(caller.role()).substr(sizeof("ROLE_") - 1);
  absl::AsciiStrToLower(&role);
  return absl::StrCat(caller.name(), " (", role, ")");
}

Result<void> run_info(Context& context) {
  auto info = context.client.call(&Client::Management::GetInfo, v1::GetInfoRequest());
  if (!info) return std::unexpected(info.error());
  if (print_message(context, *info)) return {};
  std::string capabilities;
  for (const std::string& capability : info->capabilities()) {
    absl::StrAppend(&capabilities, capabilities.empty() ? "" : " ", capability);
  }
  google::protobuf::Duration uptime = info->uptime();
  uptime.set_nanos(0);
  const std::pair<const char*, std::string> lines[] = {
      {"data plane", context.client.address()},
      {"caller", caller_text(info->caller())},
      {"build", info->build()},
      {"uptime", api::format_duration(uptime)},
      {"workers", absl::StrCat(info->workers())},
      {"version", absl::StrCat(info->version())},
      {"epoch", absl::StrCat(info->epoch())},
      {"digest", absl::BytesToHexString(info->digest())},
      {"election id", info->has_highest_election_id() ? election_id_text(info->highest_election_id()) : "none"},
      {"journal", journal_text(info->journal())},
      {"listeners", absl::StrCat(info->listeners(), " of at most ", info->limits().listeners())},
      {"backends", absl::StrCat(info->backends(), " of at most ", info->limits().backends())},
      {"servers", absl::StrCat(info->servers(), " of at most ", info->limits().servers())},
      {"transaction", absl::StrCat("at most ", info->limits().operations_per_transaction(), " operations, ",
                                   info->limits().message_bytes() >> 20, " MiB")},
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
       .operands = "-f FILE",
       .summary = "makes the data plane have what a file says",
       .details =
           "All at once or not at all. The file is a configuration file, of which `resources` count, or a document "
           "with only listeners, "
           "backends and servers. What the data plane has beside it stays, unless --prune is given. More changes "
           "than fit into one transaction (see info) go in several, deletes last; the first that is refused "
           "ends it, and what went before it holds.",
       .options = {file_option(),
                   {.name = "dry-run", .help = "shows what would change, and changes nothing"},
                   {.name = "prune", .help = "also deletes what the file does not name"}},
       .examples = {"fairleadctl apply -f config.yaml --dry-run",
                    "fairleadctl export | fairleadctl apply -f - --prune"},
       .run = run_apply},
      {.name = "diff",
       .operands = "-f FILE | V1 [V2]",
       .operands_max = 2,
       .summary = "shows what apply would change, or what differs between versions",
       .details = "Of two versions that `history` reaches; without V2, to the present one.",
       .options = {file_option(),
                   {.name = "prune", .help = "counts what the file does not name as removed"},
                   {.name = "fail", .help = "exits with 1 where there is a difference"}},
       .examples = {"fairleadctl diff -f config.yaml", "fairleadctl diff 41 44"},
       .run = run_diff},
      {.name = "export",
       .summary = "prints the whole configuration as a file",
       .details = "apply and fairlead --config take it.",
       .examples = {"fairleadctl export > config.yaml"},
       .run = run_export},
      {.name = "info",
       .summary = "shows build, uptime, counts and limits",
       .examples = {"fairleadctl info -o json"},
       .run = run_info},
  };
}

}  // namespace fairlead::ctl
