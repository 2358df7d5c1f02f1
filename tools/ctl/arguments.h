// The command line: options and operands of one command.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ctl/result.h"

namespace fairlead::ctl {

struct Option {
  // Without the dashes.
  std::string name = {};
  // What its value is called in help texts; empty for a flag.
  std::string value = {};
  std::string help = {};
  // `-o`; 0 where there is none.
  char letter = 0;
  bool repeatable = false;
  // All that the value can be, for a shell's completion; empty where it is one of many.
  std::vector<std::string> choices = {};
};

// Options and operands, checked against what the command knows.
class Arguments {
 public:
  bool has(const std::string& name) const { return options_.contains(name); }
  // The last one given, or `fallback`.
  std::string value(const std::string& name, const std::string& fallback = "") const;
  // In the order given.
  std::vector<std::string> values(const std::string& name) const;

  const std::vector<std::string>& operands() const { return operands_; }
  // Empty where there are not so many.
  std::string operand(std::size_t index) const { return index < operands_.size() ? operands_[index] : ""; }

 private:
  friend class ArgumentParser;
  std::map<std::string, std::vector<std::string>> options_;
  std::vector<std::string> operands_;
};

// Reads `--name value`, `--name=value`, `-o value`, `-ovalue`, and `--`, after which everything is an operand.
class ArgumentParser {
 public:
  explicit ArgumentParser(std::vector<Option> options) : options_(std::move(options)) {}

  // Stops at the first operand where `leading_only`, and leaves it and what follows in `words`.
  Result<Arguments> parse(std::vector<std::string>& words, bool leading_only) const;

 private:
  const Option* find(const std::string& word) const;

  std::vector<Option> options_;
};

}  // namespace fairlead::ctl
