#include "providers/whole_file.h"

#include <cerrno>
#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace fairlead::providers {

absl::Status write_whole_file(const std::string& path, const std::string& text) {
  const std::string temporary = absl::StrCat(path, ".new");
  errno = 0;
  std::ofstream file(temporary, std::ios::trunc);
  file << text;
  file.close();
  // A stream need not say why it failed, and status of no error would be success.
  if (!file.good()) return absl::ErrnoToStatus(errno == 0 ? EIO : errno, absl::StrCat("cannot write ", temporary));
  if (std::rename(temporary.c_str(), path.c_str()) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
}

}  // namespace fairlead::providers
