#include "server/ready_file.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/ready_file.h"

namespace fairlead::server {
namespace {

std::string list_of(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) absl::StrAppend(&out, out.size() > 1 ? "," : "", base::json_string(text));
  return out + "]";
}

}  // namespace

absl::Status write_ready_file(const std::string& path, const BoundAddresses& addresses) {
  std::string listeners = "{";
  for (auto& [name, bound] : addresses.listeners) {
    absl::StrAppend(&listeners, listeners.size() > 1 ? "," : "", base::json_string(name), ":", list_of(bound));
  }
  std::string text = absl::StrCat("{\"listeners\":", listeners, "},\"management\":", list_of(addresses.management));
  if (!addresses.observation.empty())
    absl::StrAppend(&text, ",\"observation\":", base::json_string(addresses.observation));
  absl::StrAppend(&text, ",\"pid\":", getpid(), "}\n");

  return base::write_ready_file(path, text);
}

}  // namespace fairlead::server
