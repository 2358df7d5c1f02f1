// What `apply` and `diff` compare: a file, and what the data plane has.
#pragma once

#include <cstdint>
#include <string>

#include "ctl/command.h"
#include "ctl/resource_set.h"

namespace fairlead::ctl {

struct InputFile {
  // As errors call it.
  std::string name;
  std::string text;
  ResourceSet set;
};

struct Export {
  v1::Resources resources;
  std::uint64_t epoch = 0;
  std::uint64_t version = 0;
};

// What --file names; "-" is standard input.
Result<InputFile> read_input(const Arguments& arguments);

Result<Export> export_all(Client& client);

}  // namespace fairlead::ctl
