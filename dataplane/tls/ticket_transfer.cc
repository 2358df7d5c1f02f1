#include "tls/ticket_transfer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "config/text.h"

namespace fairlead::tls {
namespace {

using Key = TicketKeys::Key;

constexpr size_t kKeySize = sizeof(Key::name) + sizeof(Key::encryption) + sizeof(Key::authentication);

std::string text_of(const Key& key) {
  std::string bytes;
  auto add = [&](const auto& part) { bytes.append(part.begin(), part.end()); };
  add(key.name);
  add(key.encryption);
  add(key.authentication);
  const std::chrono::nanoseconds made = key.made.time_since_epoch();
  return absl::StrCat(made.count(), ":", absl::BytesToHexString(bytes));
}

bool read_key(const std::string& text, Key& key) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  int64_t made_ns = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &made_ns) || parts[1].size() != 2 * kKeySize) return false;
  if (!std::ranges::all_of(parts[1], absl::ascii_isxdigit)) return false;
  const std::string bytes = absl::HexStringToBytes(parts[1]);
  auto next = bytes.begin();
  auto take = [&](auto& part) {
    std::copy_n(next, part.size(), part.begin());
    next += static_cast<std::ptrdiff_t>(part.size());
  };
  take(key.name);
  take(key.encryption);
  take(key.authentication);
  key.made = TicketKeys::Clock::time_point(
      std::chrono::duration_cast<TicketKeys::Clock::duration>(std::chrono::nanoseconds(made_ns)));
  return true;
}

}  // namespace

std::string write_tickets(std::span<const ListenerTickets> listeners) {
  std::string text;
  for (const ListenerTickets& listener : listeners) {
    absl::StrAppend(&text, listener.uid, " ", listener.version);
    for (const Key& key : listener.keys) absl::StrAppend(&text, " ", text_of(key));
    text += '\n';
  }
  return text;
}

// What a line says is not repeated: it is secret.
absl::StatusOr<std::vector<ListenerTickets>> read_tickets(std::string_view text) {
  std::vector<ListenerTickets> result;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(std::string(text), '\n', absl::SkipEmpty()))) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    ListenerTickets listener;
    bool is_fine =
        words.size() >= 2 && absl::SimpleAtoi(words[0], &listener.uid) && absl::SimpleAtoi(words[1], &listener.version);
    for (size_t i = 2; is_fine && i < words.size(); ++i) is_fine = read_key(words[i], listener.keys.emplace_back());
    if (!is_fine) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", result.size() + 1, " of the ticket keys is not understood"));
    }
    result.push_back(std::move(listener));
  }
  return result;
}

}  // namespace fairlead::tls
