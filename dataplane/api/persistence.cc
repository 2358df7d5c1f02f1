#include "api/persistence.h"

#include "api/encode.h"
#include "config/text.h"

namespace fairlead::api {
namespace {

using config::concat;

constexpr DurationRange kAge{std::chrono::seconds(1), config::kCookieAgeMax};
constexpr DurationRange kExpire{config::kStickExpireMin, config::kStickExpireMax};
constexpr config::Range kEntries{1, config::kStickEntriesMax};

std::optional<config::CookieMode> decode_mode(FieldChecker& checker, v1::CookieMode value) {
  switch (value) {
    case v1::COOKIE_MODE_UNSPECIFIED:
      return std::nullopt;
    case v1::COOKIE_MODE_INSERT:
      return config::CookieMode::kInsert;
    case v1::COOKIE_MODE_REWRITE:
      return config::CookieMode::kRewrite;
    case v1::COOKIE_MODE_PREFIX:
      return config::CookieMode::kPrefix;
    default:
      checker.unknown_enum("persistence.cookie.mode", value, "INSERT, REWRITE, PREFIX");
      return std::nullopt;
  }
}

v1::CookieMode encode_mode(config::CookieMode mode) {
  switch (mode) {
    case config::CookieMode::kInsert:
      return v1::COOKIE_MODE_INSERT;
    case config::CookieMode::kRewrite:
      return v1::COOKIE_MODE_REWRITE;
    case config::CookieMode::kPrefix:
      return v1::COOKIE_MODE_PREFIX;
  }
  return v1::COOKIE_MODE_UNSPECIFIED;
}

std::optional<config::SameSite> decode_same_site(FieldChecker& checker, v1::SameSite value) {
  switch (value) {
    case v1::SAME_SITE_UNSPECIFIED:
      return std::nullopt;
    case v1::SAME_SITE_STRICT:
      return config::SameSite::kStrict;
    case v1::SAME_SITE_LAX:
      return config::SameSite::kLax;
    case v1::SAME_SITE_NONE:
      return config::SameSite::kNone;
    default:
      checker.unknown_enum("persistence.cookie.same_site", value, "STRICT, LAX, NONE");
      return std::nullopt;
  }
}

v1::SameSite encode_same_site(config::SameSite same_site) {
  switch (same_site) {
    case config::SameSite::kStrict:
      return v1::SAME_SITE_STRICT;
    case config::SameSite::kLax:
      return v1::SAME_SITE_LAX;
    case config::SameSite::kNone:
      return v1::SAME_SITE_NONE;
  }
  return v1::SAME_SITE_UNSPECIFIED;
}

std::optional<std::chrono::seconds> decode_age(FieldChecker& checker, std::string_view field, bool is_set,
                                               const google::protobuf::Duration& message) {
  std::optional<config::Duration> age = checker.duration(field, is_set, message, kAge);
  if (!age) return std::nullopt;
  auto seconds = std::chrono::floor<std::chrono::seconds>(*age);
  if (seconds != *age) checker.fail(field, config::to_text(*age) + " has a part of a second; a cookie has whole ones");
  return seconds;
}

// Dates are in what we insert: in a server's own cookie there is no place that is ours alone.
void decode_dates(FieldChecker& checker, const v1::CookiePersistence& message, config::CookiePersistence& cookie) {
  constexpr std::string_view kIdle = "persistence.cookie.max_idle";
  constexpr std::string_view kLife = "persistence.cookie.max_life";
  cookie.max_idle = decode_age(checker, kIdle, message.has_max_idle(), message.max_idle());
  cookie.max_life = decode_age(checker, kLife, message.has_max_life(), message.max_life());
  if (!cookie.has_dates() || cookie.effective_mode() == config::CookieMode::kInsert) return;
  checker.fail(cookie.max_idle ? kIdle : kLife, "goes with mode INSERT only");
}

config::CookiePersistence decode_cookie(FieldChecker& checker, const v1::CookiePersistence& message) {
  config::CookiePersistence cookie;
  checker.check("persistence.cookie.name", config::check_cookie_name(message.name()));
  cookie.name = message.name();
  cookie.mode = decode_mode(checker, message.mode());
  if (message.secret().size() > config::kCookieSecretMax) {
    checker.fail("persistence.cookie.secret",
                 concat("has ", message.secret().size(), " bytes, at most ", config::kCookieSecretMax, " are allowed"));
  }
  cookie.secret = message.secret();
  cookie.indirect = message.indirect();
  cookie.nocache = message.nocache();
  checker.check("persistence.cookie.path", config::check_cookie_path(message.path()));
  cookie.path = message.path();
  checker.check("persistence.cookie.domain", config::check_cookie_domain(message.domain()));
  cookie.domain = message.domain();
  cookie.secure = message.secure();
  cookie.http_only = message.http_only();
  cookie.same_site = decode_same_site(checker, message.same_site());
  if (cookie.same_site == config::SameSite::kNone && !cookie.secure) {
    checker.fail("persistence.cookie.same_site", "is NONE without `secure`: browsers drop such a cookie");
  }
  cookie.max_age = decode_age(checker, "persistence.cookie.max_age", message.has_max_age(), message.max_age());
  decode_dates(checker, message, cookie);
  if (checker.ok()) cookie.prepare();
  return cookie;
}

config::StickTableSettings decode_table(FieldChecker& checker, const v1::StickTable& message) {
  config::StickTableSettings table;
  table.max_entries =
      checker.number("persistence.table.max_entries", message.has_max_entries(), message.max_entries(), kEntries);
  table.expire = checker.duration("persistence.table.expire", message.has_expire(), message.expire(), kExpire);
  if (message.key().empty()) {
    checker.fail("persistence.table.key", "is not set; a table needs one, such as \"{source}\"");
    return table;
  }
  std::expected<config::HashKey, std::string> key = config::parse_hash_key(message.key());
  if (!key) {
    checker.fail("persistence.table.key", std::move(key.error()));
    return table;
  }
  table.key_text = message.key();
  table.key = *std::move(key);
  return table;
}

void encode_cookie(const config::CookiePersistence& cookie, v1::CookiePersistence& out) {
  out.set_name(cookie.name);
  if (cookie.mode) out.set_mode(encode_mode(*cookie.mode));
  out.set_secret(cookie.secret);
  out.set_indirect(cookie.indirect);
  out.set_nocache(cookie.nocache);
  out.set_path(cookie.path);
  out.set_domain(cookie.domain);
  out.set_secure(cookie.secure);
  out.set_http_only(cookie.http_only);
  if (cookie.same_site) out.set_same_site(encode_same_site(*cookie.same_site));
  if (cookie.max_age) encode(*cookie.max_age, *out.mutable_max_age());
  if (cookie.max_idle) encode(*cookie.max_idle, *out.mutable_max_idle());
  if (cookie.max_life) encode(*cookie.max_life, *out.mutable_max_life());
}

void encode_table(const config::StickTableSettings& table, v1::StickTable& out) {
  out.set_key(table.key_text);
  if (table.max_entries) out.set_max_entries(*table.max_entries);
  if (table.expire) encode(*table.expire, *out.mutable_expire());
}

}  // namespace

std::optional<config::Persistence> decode_persistence(FieldChecker& checker, const v1::Persistence& message) {
  if (!message.has_cookie() && !message.has_table()) return std::nullopt;
  config::Persistence persistence;
  if (message.has_cookie()) persistence.cookie = decode_cookie(checker, message.cookie());
  if (message.has_table()) persistence.table = decode_table(checker, message.table());
  return persistence;
}

void encode(const config::Persistence& persistence, v1::Persistence& out) {
  if (persistence.cookie) encode_cookie(*persistence.cookie, *out.mutable_cookie());
  if (persistence.table) encode_table(*persistence.table, *out.mutable_table());
}

}  // namespace fairlead::api
