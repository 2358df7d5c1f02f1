#include "api/yaml.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "api/yaml_reader.h"
#include "api/yaml_tree.h"

namespace fairlead::api {
namespace {

// The distribution builds Abseil with a string_view of its own.
absl::string_view view(std::string_view text) { return {text.data(), text.size()}; }

std::string without_underscores(absl::string_view name) {
  std::string result;
  for (char c : name) {
    if (c != '_') result += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return result;
}

// "servers[1]" as name and index; -1 without an index.
struct PathStep {
  std::string name;
  std::size_t index = std::string::npos;
};

PathStep take_step(absl::string_view& path) {
  PathStep step;
  const std::size_t end = path.find_first_of(".[");
  step.name = std::string(path.substr(0, end));
  path.remove_prefix(end == absl::string_view::npos ? path.size() : end);
  if (absl::ConsumePrefix(&path, "[")) {
    const std::size_t close = path.find(']');
    std::size_t index = 0;
    if (absl::SimpleAtoi(path.substr(0, close), &index)) step.index = index;
    path.remove_prefix(close == absl::string_view::npos ? path.size() : close + 1);
  }
  absl::ConsumePrefix(&path, ".");
  return step;
}

const YamlValue* child(const YamlValue& value, const PathStep& step) {
  if (value.kind != YamlKind::kMap) return nullptr;
  const std::string wanted = without_underscores(step.name);
  for (std::size_t i = 0; i + 1 < value.children.size(); i += 2) {
    if (without_underscores(value.children[i]->text) != wanted) continue;
    const YamlValue* found = value.children[i + 1];
    if (step.index == std::string::npos || found->kind != YamlKind::kList) return found;
    return step.index < found->children.size() ? found->children[step.index] : found;
  }
  return nullptr;
}

}  // namespace

absl::Status parse_yaml(std::string_view text, std::string_view file_name, google::protobuf::Message& message,
                        const YamlLimits& limits) {
  message.Clear();
  absl::StatusOr<std::unique_ptr<YamlTree>> tree = parse_yaml_tree(view(text), view(file_name), limits);
  if (!tree.ok()) return tree.status();
  if ((*tree)->root == nullptr) return absl::OkStatus();
  absl::Status status = YamlReader(view(file_name), limits).read(*(*tree)->root, message);
  if (!status.ok()) message.Clear();
  return status;
}

absl::StatusOr<std::string> read_yaml_file(const std::string& path, const YamlLimits& limits) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  constexpr std::size_t kStep = 1 << 16;
  while (file && text.size() <= limits.bytes) {
    const std::size_t size = text.size();
    text.resize(size + kStep);
    file.read(text.data() + size, kStep);
    text.resize(size + static_cast<std::size_t>(file.gcount()));
  }
  if (text.size() > limits.bytes) {
    return absl::ResourceExhaustedError(absl::StrFormat("%s: larger than the limit of %d bytes", path, limits.bytes));
  }
  if (file.eof() && !file.bad()) return text;
  const std::string reason = errno != 0 ? std::strerror(errno) : "read error";
  return absl::NotFoundError(absl::StrCat(path, ": cannot be read: ", reason));
}

std::string yaml_location(std::string_view text, std::string_view file_name, std::string_view field_path,
                          const YamlLimits& limits) {
  absl::StatusOr<std::unique_ptr<YamlTree>> tree = parse_yaml_tree(view(text), view(file_name), limits);
  if (!tree.ok() || (*tree)->root == nullptr) return std::string(file_name);
  const YamlValue* place = (*tree)->root;
  absl::string_view rest = view(field_path);
  while (!rest.empty()) {
    const YamlValue* next = child(*place, take_step(rest));
    if (next == nullptr) break;
    place = next;
  }
  return absl::StrCat(view(file_name), ":", place->place.line, ":", place->place.column);
}

}  // namespace fairlead::api
