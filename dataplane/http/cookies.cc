#include "http/cookies.h"

#include <cstring>
#include <utility>

namespace fairlead::http {
namespace {

constexpr Word kCookie("cookie");
constexpr Word kSetCookie("set-cookie");

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t";
  size_t first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

// The next pair of a field with the blanks around it; the field begins behind it then.
std::string_view take_pair(std::string_view& field) {
  size_t end = field.find(';');
  std::string_view pair = field.substr(0, end);
  field.remove_prefix(end == std::string_view::npos ? field.size() : end + 1);
  return pair;
}

// Of "name=value", with blanks around it.
std::optional<std::string_view> value_of(std::string_view pair, std::string_view name) {
  pair = trimmed(pair);
  if (pair.size() <= name.size() || pair[name.size()] != '=' || !pair.starts_with(name)) return std::nullopt;
  return pair.substr(name.size() + 1);
}

bool has(std::string_view field, std::string_view name) {
  while (!field.empty()) {
    if (value_of(take_pair(field), name)) return true;
  }
  return false;
}

std::string_view text_between(const char* begin, const char* end) { return {begin, static_cast<size_t>(end - begin)}; }

void leave_out(Header& header) { header.hop_by_hop = true; }

void replace_value(Header& header, std::string_view value) {
  header.value = value;
  header.copyable = false;
}

std::string_view without(std::string_view value, CookiePrefix prefix) {
  bool has_prefix = value.size() > prefix.size && value[prefix.size] == prefix.end;
  return has_prefix ? value.substr(prefix.size + 1) : value;
}

// Nothing becomes longer, so there is room. `prefix` unset: the cookies go.
void change_cookies(HeaderList& headers, std::string_view name, std::optional<CookiePrefix> prefix, CookieText& text) {
  for (Header& header : headers) {
    if (!kCookie.matches(header.name) || !has(header.value, name)) continue;
    bool any = false;
    for (std::string_view left = header.value; !left.empty();) {
      std::string_view pair = take_pair(left);
      std::optional<std::string_view> value = value_of(pair, name);
      if (trimmed(pair).empty() || (value && !prefix)) continue;
      if (any) text.add(";");
      if (!value) {
        text.add(any ? pair : trimmed(pair));
      } else {
        std::string_view before = pair.substr(0, static_cast<size_t>(value->data() - pair.data()));
        text.add(any ? before : trimmed(before));
        text.add(without(*value, *prefix));
      }
      any = true;
    }
    std::optional<std::string_view> line = text.take();
    if (any && line) {
      replace_value(header, trimmed(*line));
    } else {
      leave_out(header);
    }
  }
}

// Of a Set-Cookie field: the value that it sets, if it is of that name.
std::optional<std::string_view> set_value(const Header& header, std::string_view name) {
  if (!kSetCookie.matches(header.name)) return std::nullopt;
  std::string_view field = header.value;
  return value_of(take_pair(field), name);
}

}  // namespace

void CookieText::add(std::string_view more) {
  if (!bytes_) bytes_ = std::make_unique_for_overwrite<char[]>(kSize);
  if (more.size() > kSize - size_) {
    is_lost_ = true;
    return;
  }
  if (!more.empty()) std::memcpy(bytes_.get() + size_, more.data(), more.size());
  size_ += more.size();
}

std::optional<std::string_view> CookieText::take() {
  std::string_view line(bytes_.get() + begin_, size_ - begin_);
  begin_ = size_;
  if (std::exchange(is_lost_, false)) return std::nullopt;
  return line;
}

size_t cookie_values(const HeaderList& headers, std::string_view name, std::span<std::string_view> values) {
  size_t found = 0;
  for (const Header& header : headers) {
    if (!kCookie.matches(header.name)) continue;
    for (std::string_view left = header.value; !left.empty() && found < values.size();) {
      if (auto value = value_of(take_pair(left), name)) values[found++] = *value;
    }
  }
  return found;
}

void remove_cookies(HeaderList& headers, std::string_view name, CookieText& text) {
  change_cookies(headers, name, std::nullopt, text);
}

void cut_cookies(HeaderList& headers, std::string_view name, CookiePrefix prefix, CookieText& text) {
  change_cookies(headers, name, prefix, text);
}

void remove_set_cookies(HeaderList& headers, std::string_view name) {
  for (Header& header : headers) {
    if (set_value(header, name)) leave_out(header);
  }
}

bool write_set_cookies(HeaderList& headers, std::string_view name, std::string_view value, std::optional<char> end,
                       CookieText& text) {
  for (Header& header : headers) {
    std::optional<std::string_view> theirs = set_value(header, name);
    if (!theirs) continue;
    const char* begin = header.value.data();
    text.add(text_between(begin, theirs->data()));
    text.add(value);
    if (end) {
      text.add({&*end, 1});
      text.add(*theirs);
    }
    text.add(text_between(theirs->data() + theirs->size(), begin + header.value.size()));
    std::optional<std::string_view> line = text.take();
    if (!line) return false;
    replace_value(header, *line);
  }
  return true;
}

}  // namespace fairlead::http
