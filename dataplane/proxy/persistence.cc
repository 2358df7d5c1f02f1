#include "proxy/persistence.h"

#include <array>

#include "proxy/request_key.h"

namespace fairlead::proxy {
namespace {

using config::CookieMode;
using config::CookiePersistence;

constexpr char kPrefixEnd = '~';
// So many cookies of the name are looked at.
constexpr size_t kCookiesMax = 8;

std::optional<config::DatedCookie> value_in(const CookiePersistence& cookie, std::string_view text) {
  if (cookie.effective_mode() == CookieMode::kPrefix) {
    if (text.size() <= config::kCookieValueSize || text[config::kCookieValueSize] != kPrefixEnd) return std::nullopt;
    text = text.substr(0, config::kCookieValueSize);
  }
  return config::parse_cookie(cookie.key, text);
}

}  // namespace

void Persistent::follow_cookie(const CookiePersistence& cookie, const config::BackendSnapshot& members,
                               const http::HeaderList& headers, uint32_t second) {
  std::array<std::string_view, kCookiesMax> values;
  size_t count = http::cookie_values(headers, cookie.name, values);
  for (size_t i = 0; i < count; ++i) {
    std::optional<config::DatedCookie> found = value_in(cookie, values[i]);
    if (!found) continue;
    if (found->dates && config::is_over(cookie, *found->dates, second)) {
      is_expired_ = true;
      continue;
    }
    was_led_ = true;
    const config::Server* server = members.find_kept(found->value);
    if (!server) continue;
    cookie_of_ = server->metadata.uid;
    dates_ = found->dates;
    wanted_ = {server->slot, server->metadata.uid};
    return;
  }
}

void Persistent::look_up(upstream::Backend& backend, const config::BackendSnapshot& members,
                         const http::RequestHead* head, std::string_view source, runtime::TimePoint now,
                         uint32_t second, Looking looking) {
  const config::Persistence& settings = *backend.settings().persistence;
  if (settings.cookie && head) follow_cookie(*settings.cookie, members, head->headers, second);
  if (!settings.table) return;
  key_ = key_of(settings.table->key, head, source);
  if (!key_ || wanted_.uid != 0) return;
  std::optional<Target> found = backend.stick_table().find(*key_, now, *settings.table, looking);
  if (!found) return;
  was_led_ = true;
  wanted_ = remembered_ = *found;
}

void Persistent::picked(upstream::Backend& backend, const config::Server& server, runtime::TimePoint now) {
  Target target{server.slot, server.metadata.uid};
  if (was_led_ && !is_counted_) {
    ++(target == wanted_ ? backend.counters().persisted : backend.counters().persistence_lost);
    is_counted_ = true;
  } else if (is_expired_ && !is_counted_) {
    ++backend.counters().persistence_expired;
    is_counted_ = true;
  }
  const std::optional<config::StickTableSettings>& table = backend.settings().persistence->table;
  if (!table || !key_ || target == remembered_) return;
  remembered_ = target;
  backend.stick_table().put(*key_, target, now, *table);
}

bool Persistent::has_current_cookie(const CookiePersistence& cookie, const config::Server& server,
                                    uint32_t second) const {
  if (cookie_of_ != server.metadata.uid) return false;
  if (!cookie.has_dates()) return true;
  return dates_ && (!cookie.max_idle || dates_->last == second);
}

std::optional<std::string_view> Persistent::set_cookie(const config::Backend& settings, const config::Server& server,
                                                       http::HeaderList& headers, http::CookieText& text,
                                                       uint32_t second) const {
  if (!settings.persistence->cookie) return std::string_view();
  const CookiePersistence& cookie = *settings.persistence->cookie;
  bool inserts = cookie.effective_mode() == CookieMode::kInsert;
  if (inserts) http::remove_set_cookies(headers, cookie.name);
  if (inserts && has_current_cookie(cookie, server, second)) return std::string_view();
  config::CookieValue value = config::cookie_value(cookie.key, settings.name, server.name);
  auto plain = config::to_text(value);
  std::string_view value_text(plain.data(), plain.size());
  text.clear();
  if (inserts) {
    text.add(cookie.before_value);
    if (cookie.has_dates()) {
      auto dated = config::to_text(cookie.key, value, {.last = second, .first = first_use(server, second)});
      text.add({dated.data(), dated.size()});
    } else {
      text.add(value_text);
    }
    text.add(cookie.behind_value);
    return text.take();
  }
  std::optional<char> end;
  if (cookie.effective_mode() == CookieMode::kPrefix) end = kPrefixEnd;
  if (!http::write_set_cookies(headers, cookie.name, value_text, end, text)) return std::nullopt;
  return std::string_view();
}

void hide_cookie(const config::Backend& settings, http::HeaderList& headers, http::CookieText& text) {
  if (!settings.persistence->cookie) return;
  const CookiePersistence& cookie = *settings.persistence->cookie;
  text.clear();
  if (cookie.effective_mode() == CookieMode::kInsert && cookie.indirect) {
    http::remove_cookies(headers, cookie.name, text);
  } else if (cookie.effective_mode() == CookieMode::kPrefix) {
    http::cut_cookies(headers, cookie.name, {config::kCookieValueSize, kPrefixEnd}, text);
  }
}

}  // namespace fairlead::proxy
