#include "ctl/arguments.h"

#include <deque>

#include "absl/strings/str_cat.h"

namespace fairlead::ctl {
namespace {

// "--weight=5" as "--weight" and "5".
struct Word {
  std::string option;
  std::string value;
  bool has_value = false;
};

Word split_word(const std::string& word) {
  if (word.starts_with("--")) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) return {word, "", false};
    return {word.substr(0, equals), word.substr(equals + 1), true};
  }
  if (word.size() > 2) return {word.substr(0, 2), word.substr(2), true};
  return {word, "", false};
}

// "-" alone means standard input and is an operand.
bool is_option(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

}  // namespace

std::string Arguments::value(const std::string& name, const std::string& fallback) const {
  const auto found = options_.find(name);
  return found == options_.end() ? fallback : found->second.back();
}

std::vector<std::string> Arguments::values(const std::string& name) const {
  const auto found = options_.find(name);
  return found == options_.end() ? std::vector<std::string>() : found->second;
}

const Option* ArgumentParser::find(const std::string& word) const {
  for (const Option& option : options_) {
    if (word == absl::StrCat("--", option.name)) return &option;
    if (option.letter != 0 && word == std::string{'-', option.letter}) return &option;
  }
  return nullptr;
}

Result<Arguments> ArgumentParser::parse(std::vector<std::string>& words, bool leading_only) const {
  Arguments arguments;
  std::deque<std::string> rest(words.begin(), words.end());
  bool options_ended = false;
  while (!rest.empty()) {
    if (options_ended || !is_option(rest.front())) {
      if (leading_only) break;
      arguments.operands_.push_back(rest.front());
      rest.pop_front();
      continue;
    }
    Word word = split_word(rest.front());
    rest.pop_front();
    if (word.option == "--" && !word.has_value) {
      options_ended = true;
      continue;
    }
    const Option* option = find(word.option);
    if (option == nullptr) return usage_error(absl::StrCat("unknown option ", word.option));
    if (option->value.empty() && word.has_value) {
      return usage_error(absl::StrCat(word.option, " takes no value"));
    }
    if (!option->value.empty() && !word.has_value) {
      if (rest.empty()) return usage_error(absl::StrCat(word.option, " needs a value: ", option->value));
      word.value = rest.front();
      rest.pop_front();
    }
    std::vector<std::string>& values = arguments.options_[option->name];
    if (!values.empty() && !option->repeatable) return usage_error(absl::StrCat(word.option, " is given twice"));
    values.push_back(word.value);
  }
  words.assign(rest.begin(), rest.end());
  return arguments;
}

}  // namespace fairlead::ctl
