#include "ctl/input_file.h"

#include <iostream>
#include <iterator>

#include "absl/status/statusor.h"
#include "api/yaml.h"
#include "ctl/table.h"

namespace fairlead::ctl {
namespace {

Result<std::string> read_text(const std::string& name) {
  if (name == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  absl::StatusOr<std::string> text = api::read_yaml_file(name);
  if (!text.ok()) return refused(std::string(text.status().message()));
  return *std::move(text);
}

}  // namespace

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

}  // namespace fairlead::ctl
