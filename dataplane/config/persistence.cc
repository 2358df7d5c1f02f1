#include "config/persistence.h"

#include "base/md5.h"
#include "config/text.h"

namespace fairlead::config {
namespace {

std::string_view name_of(SameSite same_site) {
  switch (same_site) {
    case SameSite::kStrict:
      return "Strict";
    case SameSite::kLax:
      return "Lax";
    case SameSite::kNone:
      return "None";
  }
  __builtin_unreachable();
}

}  // namespace

void CookiePersistence::prepare() {
  base::Md5::Words words = base::Md5::of(secret);
  key = {uint64_t{words[1]} << 32 | words[0], uint64_t{words[3]} << 32 | words[2]};
  before_value = concat("Set-Cookie: ", name, "=");
  behind_value = concat("; Path=", path.empty() ? std::string_view("/") : std::string_view(path));
  if (!domain.empty()) behind_value += concat("; Domain=", domain);
  if (max_age) behind_value += concat("; Max-Age=", max_age->count());
  if (secure) behind_value += "; Secure";
  if (http_only) behind_value += "; HttpOnly";
  if (same_site) behind_value += concat("; SameSite=", name_of(*same_site));
  behind_value += "\r\n";
  if (nocache) behind_value += "Cache-Control: private\r\n";
}

}  // namespace fairlead::config
