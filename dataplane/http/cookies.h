// Cookies that a proxy looks at, changes or takes out (RFC 6265, sections 4.1.1 and 4.2.1): one name at a time.
//
// What is changed is written into a CookieText, and the header refers to it there. Pairs are parted at ";" as clients
// do, whatever quotes stand around. Nothing is allocated once a CookieText has its memory.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "http/header.h"

namespace fairlead::http {

// Memory for changed lines, used again and again.
class CookieText {
 public:
  // For the largest head with a value more in each of its lines.
  static constexpr size_t kSize = 32 * 1024;

  // Forgets what it had.
  void clear() { size_ = begin_ = 0; }
  // Adds to the line that is being written. What is too much is lost, and the line says so.
  void add(std::string_view text);
  // The line; the next one begins. Unset where something of it was lost.
  std::optional<std::string_view> take();

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
  size_t begin_ = 0;
  bool is_lost_ = false;
};

// The values of the first cookies of that name in a request, at most as many as there are places; how many.
size_t cookie_values(const HeaderList& headers, std::string_view name, std::span<std::string_view> values);

// Takes all cookies of that name out of a request; a field that has no other is not sent on.
void remove_cookies(HeaderList& headers, std::string_view name, CookieText& text);
// Takes away the first `size` bytes of their values and the `end` that stands there; values where it does not stay.
struct CookiePrefix {
  size_t size;
  char end;
};
void cut_cookies(HeaderList& headers, std::string_view name, CookiePrefix prefix, CookieText& text);

// A response's fields that set this cookie are not sent on.
void remove_set_cookies(HeaderList& headers, std::string_view name);
// `value` takes the place of what they set; where `end` is given, `value` and `end` come before it. False where there
// was no room.
bool write_set_cookies(HeaderList& headers, std::string_view name, std::string_view value, std::optional<char> end,
                       CookieText& text);

}  // namespace fairlead::http
