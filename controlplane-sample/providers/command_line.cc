#include "providers/command_line.h"

#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace fairlead::providers {
namespace {

absl::StatusOr<std::string> expand_word(absl::string_view word, const std::map<std::string, std::string>& values) {
  std::string expanded;
  while (true) {
    const std::size_t open = word.find('{');
    const std::size_t close = open == absl::string_view::npos ? open : word.find('}', open);
    if (close == absl::string_view::npos) return absl::StrCat(expanded, word);
    const std::string name(word.substr(open + 1, close - open - 1));
    const auto value = values.find(name);
    if (value == values.end()) {
      const auto format = [](std::string* out, const auto& entry) { absl::StrAppend(out, "{", entry.first, "}"); };
      return absl::InvalidArgumentError(
          absl::StrCat("\"{", name, "}\" is not known; known are ", absl::StrJoin(values, ", ", format)));
    }
    absl::StrAppend(&expanded, word.substr(0, open), value->second);
    word.remove_prefix(close + 1);
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> expand_command(absl::string_view command,
                                                        const std::map<std::string, std::string>& values) {
  std::vector<std::string> words;
  for (absl::string_view word : absl::StrSplit(command, absl::ByAnyChar(" \t\n"), absl::SkipEmpty())) {
    absl::StatusOr<std::string> expanded = expand_word(word, values);
    if (!expanded.ok()) return expanded.status();
    words.push_back(*std::move(expanded));
  }
  if (words.empty()) return absl::InvalidArgumentError("the command is empty");
  return words;
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return name;
  const std::filesystem::path beside = self.parent_path() / name;
  return access(beside.c_str(), X_OK) == 0 ? beside.string() : name;
}

}  // namespace fairlead::providers
