#include "server/ready_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace fairlead::server {
namespace {

// Names and addresses are plain by their rules; paths of sockets may hold anything.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      out += absl::StrCat("\\u", absl::Hex(static_cast<int>(c), absl::kZeroPad4));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string list_of(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) absl::StrAppend(&out, out.size() > 1 ? "," : "", quoted(text));
  return out + "]";
}

}  // namespace

absl::Status write_ready_file(const std::string& path, const BoundAddresses& addresses) {
  std::string listeners = "{";
  for (auto& [name, bound] : addresses.listeners) {
    absl::StrAppend(&listeners, listeners.size() > 1 ? "," : "", quoted(name), ":", list_of(bound));
  }
  std::string text = absl::StrCat("{\"listeners\":", listeners, "},\"management\":", list_of(addresses.management));
  if (!addresses.observation.empty()) absl::StrAppend(&text, ",\"observation\":", quoted(addresses.observation));
  absl::StrAppend(&text, ",\"pid\":", getpid(), "}\n");

  std::string beside = absl::StrCat(path, ".", getpid());
  std::ofstream file(beside, std::ios::trunc);
  file << text;
  file.close();
  if (!file || ::rename(beside.c_str(), path.c_str()) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("--ready-file ", path, ": ", strerror(errno)));
  }
  return absl::OkStatus();
}

}  // namespace fairlead::server
