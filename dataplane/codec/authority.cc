#include "codec/authority.h"

#include <algorithm>

#include "http/text.h"

namespace fairlead::codec {
namespace {

constexpr size_t kMaxHostBytes = 255;

constexpr CharTable kNameTable = make_char_table([](unsigned char c) {
  return is_letter(c) || is_digit(c) || (c != 0 && std::string_view("-._~%!$&'()*+;=").contains(static_cast<char>(c)));
});

constexpr CharTable kAddressTable =
    make_char_table([](unsigned char c) { return is_hex_digit(c) || c == ':' || c == '.'; });

// Each percent sign has two digits behind it (RFC 3986 section 2.1).
bool encodes_well(std::string_view text) {
  for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    const std::string_view digits = text.substr(at + 1, 2);
    if (digits.size() < 2 || !std::ranges::all_of(digits, [](unsigned char c) { return is_hex_digit(c); }))
      return false;
  }
  return true;
}

bool all_in(const CharTable& table, std::string_view text) {
  return std::ranges::all_of(text, [&](char c) { return table[static_cast<unsigned char>(c)]; });
}

// Where the host ends: in front of the port's colon or at the end of the text. 0 if it is not a host.
size_t host_size(const Cursor& within, std::string_view text) {
  if (text.starts_with('[')) {
    const size_t closing = text.find(']');
    if (closing == std::string_view::npos || closing < 3) return 0;
    return all_in(kAddressTable, text.substr(1, closing - 1)) ? closing + 1 : 0;
  }
  // Scans on over the bytes behind the text, which the cursor holds anyway: blocks instead of bytes for short names.
  const char* stop = find_stop<PlainNameStop>(within.begin, text.data(), within.end);
  const size_t plain = std::min(static_cast<size_t>(stop - text.data()), text.size());
  if (plain == text.size() || text[plain] == ':') return plain;
  const size_t size = std::min(text.find(':'), text.size());
  return all_in(kNameTable, text.substr(0, size)) && encodes_well(text.substr(0, size)) ? size : 0;
}

bool parse_port(std::string_view digits, uint32_t& port) {
  port = 0;
  for (const char c : digits) {
    if (!is_digit(static_cast<unsigned char>(c))) return false;
    port = port * 10 + static_cast<uint32_t>(c - '0');
    if (port > 65535) return false;
  }
  return true;
}

}  // namespace

bool parse_authority(const Cursor& within, std::string_view text, Authority& authority) {
  if (text.empty() || text.size() > kMaxHostBytes) return false;
  const size_t size = host_size(within, text);
  if (size == 0) return false;
  authority.text = text;
  authority.name = text.substr(0, size);
  authority.port = 0;
  if (size == text.size()) return true;
  return text[size] == ':' && parse_port(text.substr(size + 1), authority.port);
}

bool same_authority(const Authority& a, const Authority& b, uint32_t default_port) {
  const auto port_of = [&](const Authority& authority) { return authority.port == 0 ? default_port : authority.port; };
  return port_of(a) == port_of(b) && http::equals_ignoring_case(a.name, b.name);
}

}  // namespace fairlead::codec
