#include "ctl/usage.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "ctl/program.h"

namespace fairlead::ctl {
namespace {

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(text.size() < width ? width - text.size() : 0, ' ');
}

std::string option_text(const Option& option) {
  std::string text = option.letter != 0 ? absl::StrCat("-", std::string(1, option.letter), ", ") : "    ";
  absl::StrAppend(&text, "--", option.name);
  if (!option.value.empty()) absl::StrAppend(&text, " ", option.value);
  return text;
}

// Lines of at most 80 columns; where the first begins, and with what blanks the others do, is `indent`.
std::string wrapped(const std::string& text, std::size_t indent = 0) {
  std::string result;
  std::size_t column = indent;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (column > indent && column + 1 + word.size() > 80) {
      absl::StrAppend(&result, "\n", std::string(indent, ' '));
      column = indent;
    }
    absl::StrAppend(&result, column > indent ? " " : "", word);
    column += word.size() + (column > indent ? 1 : 0);
  }
  return result + "\n";
}

// Two columns, the second wrapped.
void add_row(std::string& text, const std::string& name, std::size_t width, const std::string& help) {
  absl::StrAppend(&text, "  ", padded(name, width), "  ", wrapped(help, width + 4));
}

std::string options_text(const std::vector<Option>& options) {
  std::size_t width = 0;
  for (const Option& option : options) width = std::max(width, option_text(option).size());
  std::string text;
  for (const Option& option : options) add_row(text, option_text(option), width, option.help);
  return text;
}

std::string first_word(const Command& command) { return command.name.substr(0, command.name.find(' ')); }

// How many letters it takes from one to the other (Levenshtein).
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}

}  // namespace

std::string usage_line(const Command& command) {
  return absl::StrCat("fairleadctl ", command.name, command.operands.empty() ? "" : " ", command.operands,
                      " [options]");
}

std::string command_help(const Command& command) {
  std::string text =
      absl::StrCat("Usage: ", usage_line(command), "\n\n", wrapped(command.name + " " + command.summary + "."));
  if (!command.options.empty()) absl::StrAppend(&text, "\nOptions:\n", options_text(command.options));
  absl::StrAppend(&text, "\nOptions of every command:\n", options_text(common_options()));
  if (!command.details.empty()) absl::StrAppend(&text, "\n", wrapped(command.details));
  if (!command.examples.empty()) text += "\nExamples:\n";
  for (const std::string& example : command.examples) absl::StrAppend(&text, "  ", example, "\n");
  return text;
}

std::string program_help(const std::string& group) {
  std::string text =
      absl::StrCat("Usage: fairleadctl ", group.empty() ? "COMMAND" : group + " VERB", " [operands] [options]\n\n");
  if (group.empty()) text += "Changes and shows a running Fairlead data plane.\n\n";
  text += "Commands:\n";
  std::size_t width = 0;
  for (const Command& command : commands()) width = std::max(width, command.name.size() + command.operands.size() + 1);
  bool verbs = false;
  std::string before;
  for (const Command& command : commands()) {
    if (!group.empty() && !command.name.starts_with(group + " ")) continue;
    // Those with verbs stand in blocks.
    const std::string word = first_word(command);
    const bool has_verb = word != command.name;
    if (!before.empty() && word != before && (verbs || has_verb)) text += "\n";
    add_row(text, absl::StrCat(command.name, " ", command.operands), width, command.summary);
    verbs = has_verb;
    before = word;
  }
  absl::StrAppend(&text, "\nOptions:\n", options_text(common_options()));
  absl::StrAppend(&text,
                  "\nExit status: 0 done, 1 refused (the reason is on standard error), 2 wrong usage.\n"
                  "More: fairleadctl COMMAND --help\n");
  return text;
}

std::string similar_command(const std::vector<std::string>& words) {
  constexpr std::size_t kTypingErrorsMax = 3;
  std::size_t least = kTypingErrorsMax + 1;
  std::string best;
  for (const Command& command : commands()) {
    const bool has_verb = first_word(command) != command.name;
    const std::string typed = has_verb && words.size() > 1 ? absl::StrCat(words[0], " ", words[1]) : words[0];
    const std::size_t errors = distance(typed, command.name);
    // A word of which hardly a letter is right was not meant.
    if (errors >= least || 2 * errors > command.name.size()) continue;
    least = errors;
    best = command.name;
  }
  return best;
}

std::string completion_script(const std::string& shell) {
  if (shell != "bash" && shell != "zsh") return {};
  std::string cases;
  std::vector<std::string> firsts;
  for (const Command& command : commands()) {
    const std::string first = first_word(command);
    if (std::ranges::find(firsts, first) == firsts.end()) firsts.push_back(first);
    std::string words;
    for (const Option& option : command.options) absl::StrAppend(&words, " --", option.name);
    for (const Option& option : common_options()) absl::StrAppend(&words, " --", option.name);
    absl::StrAppend(&cases, "    '", command.name, "') words='", words.substr(1), "' ;;\n");
  }
  std::string first_words;
  for (const std::string& first : firsts) {
    absl::StrAppend(&first_words, first_words.empty() ? "" : " ", first);
    std::string verbs;
    for (const Command& command : commands()) {
      if (command.name.starts_with(first + " ")) absl::StrAppend(&verbs, " ", command.name.substr(first.size() + 1));
    }
    if (!verbs.empty()) absl::StrAppend(&cases, "    '", first, " '*) words='", verbs.substr(1), "' ;;\n");
  }
  const std::string zsh = shell == "zsh" ? "#compdef fairleadctl\nautoload -U +X bashcompinit && bashcompinit\n" : "";
  return absl::StrCat(zsh, "_fairleadctl() {\n  local current=\"${COMP_WORDS[COMP_CWORD]}\" words=''\n",
                      "  local command=\"${COMP_WORDS[1]}\"\n",
                      "  case \"$command\" in\n    server | backend | listener | certificate) command=\"$command "
                      "${COMP_WORDS[2]}\" ;;\n",
                      "  esac\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    words='", first_words,
                      "'\n  else\n    case \"$command\" in\n", cases, "    esac\n  fi\n",
                      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n",
                      "  [ ${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- \"$current\"))\n}\n",
                      "complete -F _fairleadctl fairleadctl\n");
}

}  // namespace fairlead::ctl
