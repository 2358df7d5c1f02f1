#include "base/ready_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace fairlead::base {

std::string json_string(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte >= 0x7f) {
      absl::StrAppend(&result, "\\u", absl::Hex(byte, absl::kZeroPad4));
    } else {
      result.push_back(c);
    }
  }
  result.push_back('"');
  return result;
}

absl::Status write_ready_file(const std::string& path, std::string_view content) {
  std::string unfinished = path + ".unfinished";
  std::ofstream file(unfinished, std::ios::trunc);
  file << content;
  file.close();
  if (!file || std::rename(unfinished.c_str(), path.c_str()) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("cannot write ", path, ": ", std::strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace fairlead::base
