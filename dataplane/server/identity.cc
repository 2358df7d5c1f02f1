#include "server/identity.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "config/validate.h"

namespace fairlead::server {
namespace {

std::optional<uint32_t> as_number(const std::string& text) {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Both are asked before any other thread runs.
std::optional<Identity> find_user(const std::string& text) {
  const std::optional<uint32_t> number = as_number(text);
  const passwd* entry = number ? getpwuid(*number) : getpwnam(text.c_str());
  if (!entry && number) return Identity{.user = text, .uid = *number, .gid = *number, .groups = {}};
  if (!entry) return std::nullopt;
  Identity identity{.user = text, .uid = entry->pw_uid, .gid = entry->pw_gid, .groups = {}};
  int count = 64;
  std::array<gid_t, 64> groups;
  if (getgrouplist(entry->pw_name, entry->pw_gid, groups.data(), &count) >= 0) {
    identity.groups.assign(groups.begin(), groups.begin() + count);
  }
  return identity;
}

std::optional<gid_t> find_group(const std::string& text) {
  if (std::optional<uint32_t> number = as_number(text)) return *number;
  const group* entry = getgrnam(text.c_str());
  if (!entry) return std::nullopt;
  return entry->gr_gid;
}

absl::Status failed(const char* what, const Identity& identity) {
  return absl::FailedPreconditionError(
      absl::StrCat("user: cannot become ", config::quoted(identity.user), ": ", what, ": ", strerror(errno)));
}

}  // namespace

std::optional<Identity> decode_identity(api::FieldChecker& checker, const v1::Configuration& message) {
  if (message.user().empty()) {
    if (!message.group().empty()) checker.fail("group", "is set and user is not");
    return std::nullopt;
  }
  std::optional<Identity> identity = find_user(message.user());
  if (!identity) {
    checker.fail("user", absl::StrCat(config::quoted(message.user()), " is no user of this system"));
    return std::nullopt;
  }
  if (message.group().empty()) return identity;
  std::optional<gid_t> group = find_group(message.group());
  if (group) {
    identity->gid = *group;
    identity->groups = {*group};
  } else {
    checker.fail("group", absl::StrCat(config::quoted(message.group()), " is no group of this system"));
  }
  return identity;
}

absl::Status give_folder(const std::string& folder, const Identity& identity) {
  if (geteuid() != 0) return absl::OkStatus();
  const auto give = [&](const std::filesystem::path& path) {
    return ::lchown(path.c_str(), identity.uid, identity.gid) == 0;
  };
  std::error_code error;
  bool given = give(folder);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) given &= give(entry.path());
  if (given && !error) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("user: cannot give ", folder, " to ", config::quoted(identity.user), ": ", strerror(errno)));
}

// The C library does each for all threads.
absl::Status become(const Identity& identity) {
  if (geteuid() == identity.uid && getuid() == identity.uid && getegid() == identity.gid) return absl::OkStatus();
  const std::vector<gid_t> groups = identity.groups.empty() ? std::vector<gid_t>{identity.gid} : identity.groups;
  if (setgroups(groups.size(), groups.data()) != 0) return failed("setgroups", identity);
  if (setresgid(identity.gid, identity.gid, identity.gid) != 0) return failed("setresgid", identity);
  if (setresuid(identity.uid, identity.uid, identity.uid) != 0) return failed("setresuid", identity);
  return absl::OkStatus();
}

}  // namespace fairlead::server
