#include "ctl/usage.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
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

namespace {

std::string names_of(const std::vector<Option>& options) {
  return absl::StrJoin(options, " ", [](std::string* out, const Option& option) { *out += "--" + option.name; });
}

// What stands behind an option, by the option as it is written: "--output". Choices are empty where it may be anything.
std::map<std::string, std::vector<std::string>> completed_values() {
  std::map<std::string, std::vector<std::string>> values;
  const auto add = [&](const Option& option) {
    if (option.value.empty()) return;
    values["--" + option.name] = option.choices;
    if (option.letter != 0) values[std::string{'-', option.letter}] = option.choices;
  };
  for (const Option& option : common_options()) add(option);
  for (const Command& command : commands()) std::ranges::for_each(command.options, add);
  return values;
}

// "    'server add') words='--weight --help' ;;", and of a group its verbs.
std::string completion_cases() {
  std::string cases;
  std::map<std::string, std::vector<std::string>> verbs;
  for (const Command& command : commands()) {
    const bool has_choices = absl::StrContains(command.operands, "|");
    const std::string words = has_choices ? absl::StrReplaceAll(command.operands, {{"|", " "}})
                                          : absl::StrCat(names_of(command.options), command.options.empty() ? "" : " ",
                                                         names_of(common_options()));
    absl::StrAppend(&cases, "    '", command.name, "') words='", words, "' ;;\n");
    const std::string first = first_word(command);
    if (first != command.name) verbs[first].push_back(command.name.substr(first.size() + 1));
  }
  for (const auto& [group, words] : verbs) {
    absl::StrAppend(&cases, "    '", group, "') words='", absl::StrJoin(words, " "), "' ;;\n");
  }
  return cases;
}

std::string first_words() {
  std::vector<std::string> firsts;
  for (const Command& command : commands()) {
    const std::string first = first_word(command);
    if (std::ranges::find(firsts, first) == firsts.end()) firsts.push_back(first);
  }
  return absl::StrJoin(firsts, " ");
}

// Bash splits a word at ":" and "="; what follows these belongs to the option before.
constexpr char kCompletion[] = R"(_fairleadctl() {
  local current="${COMP_WORDS[COMP_CWORD]}" words='' command='' option='' word i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word="${COMP_WORDS[i]}"
    if [ "$word" = ':' ]; then i=$((i + 1)); continue; fi
    if [ "$word" = '=' ]; then continue; fi
    if [ -n "$option" ]; then option=''; continue; fi
    case "$word" in
    $valued) option="$word" ;;
    -*) ;;
    *)
      case "$command" in
      '') command="$word" ;;
      $groups) command="$command $word" ;;
      esac ;;
    esac
  done
  [ "$current" = '=' ] && current=''
  if [ -n "$option" ]; then
    case "$option" in
$values    esac
  elif [ -z "$command" ]; then
    case "$current" in
    -*) words='$common' ;;
    *) words='$firsts' ;;
    esac
  else
    case "$command" in
$cases    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ ${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "$current"))
}
complete -F _fairleadctl fairleadctl
)";

}  // namespace

std::string completion_script(const std::string& shell) {
  if (shell != "bash" && shell != "zsh") return {};
  std::string values;
  std::vector<std::string> valued;
  for (const auto& [option, choices] : completed_values()) {
    valued.push_back(option);
    if (!choices.empty()) absl::StrAppend(&values, "    ", option, ") words='", absl::StrJoin(choices, " "), "' ;;\n");
  }
  std::set<std::string> groups;
  for (const Command& command : commands()) {
    if (first_word(command) != command.name) groups.insert(first_word(command));
  }
  const std::string zsh = shell == "zsh" ? "#compdef fairleadctl\nautoload -U +X bashcompinit && bashcompinit\n" : "";
  return zsh + absl::StrReplaceAll(kCompletion, {{"$valued", absl::StrJoin(valued, "|")},
                                                 {"$groups", absl::StrJoin(groups, "|")},
                                                 {"$values", values},
                                                 {"$common", names_of(common_options())},
                                                 {"$firsts", first_words()},
                                                 {"$cases", completion_cases()}});
}

}  // namespace fairlead::ctl
