#include "observe/access_record.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace fairlead::observe {
namespace {

// Of every text but the target, after escaping; names of resources have at most 255 bytes.
constexpr size_t kTextMax = 256;

bool is_bare(char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != '='; }

// What stands for a byte within quotation marks, in `buffer`.
std::string_view escape(char c, std::array<char, 4>& buffer) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  auto byte = static_cast<unsigned char>(c);
  size_t size = 2;
  buffer[0] = '\\';
  if (c == '"' || c == '\\') {
    buffer[1] = c;
  } else if (c >= ' ' && c <= '~') {
    buffer[0] = c;
    size = 1;
  } else if (c == '\n' || c == '\r' || c == '\t') {
    buffer[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
  } else {
    buffer = {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    size = 4;
  }
  return {buffer.data(), size};
}

class Line {
 public:
  Line(char* out, size_t size) : begin_(out), at_(out), end_(out + size - 1) {}  // the last byte is the line feed's

  void text(std::string_view key, std::string_view value, size_t size_max = kTextMax) {
    begin_field(key);
    if (value.empty()) return put("-");
    if (value != "-" && value.size() <= size_max && std::ranges::all_of(value, is_bare)) return put(value);
    put("\"");
    size_t used = 0;
    for (char c : value) {
      std::array<char, 4> buffer;
      std::string_view escaped = escape(c, buffer);
      used += escaped.size();
      if (used > size_max) {
        put("...");
        break;
      }
      put(escaped);
    }
    put("\"");
  }

  void number(std::string_view key, uint64_t value) {
    begin_field(key);
    std::array<char, 20> digits;
    char* digits_end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    put({digits.data(), digits_end});
  }

  void phase(std::string_view key, const AccessRecord::Phase& phase) {
    if (!phase) return text(key, {});
    number(key, static_cast<uint64_t>(std::max<int64_t>(phase->count(), 0)));
  }

  void time(std::string_view key, std::chrono::system_clock::time_point time) {
    begin_field(key);
    auto day = std::chrono::floor<std::chrono::days>(time);
    std::chrono::year_month_day date(day);
    std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::microseconds>(time - day));
    digits(static_cast<unsigned>(static_cast<int>(date.year())), 4, "-");
    digits(static_cast<unsigned>(date.month()), 2, "-");
    digits(static_cast<unsigned>(date.day()), 2, "T");
    digits(static_cast<uint64_t>(clock.hours().count()), 2, ":");
    digits(static_cast<uint64_t>(clock.minutes().count()), 2, ":");
    digits(static_cast<uint64_t>(clock.seconds().count()), 2, ".");
    digits(static_cast<uint64_t>(clock.subseconds().count()), 6, "Z");
  }

  size_t finish() {
    *at_++ = '\n';
    return static_cast<size_t>(at_ - begin_);
  }

 private:
  void begin_field(std::string_view key) {
    if (at_ != begin_) put(" ");
    put(key);
    put("=");
  }
  // With leading zeros, and what follows.
  void digits(uint64_t value, int width, std::string_view then) {
    std::array<char, 8> text;
    for (int i = width - 1; i >= 0; --i, value /= 10) text[i] = static_cast<char>('0' + value % 10);
    put({text.data(), static_cast<size_t>(width)});
    put(then);
  }
  // As much as fits.
  void put(std::string_view text) {
    size_t size = std::min(text.size(), static_cast<size_t>(end_ - at_));
    std::memcpy(at_, text.data(), size);
    at_ += size;
  }

  char* begin_;
  char* at_;
  char* end_;
};

}  // namespace

size_t format_access_line(const AccessRecord& record, char* out, size_t size) {
  Line line(out, size);
  line.time("time", record.time);
  line.text("client", record.client);
  line.text("listener", record.listener);
  line.text("backend", record.backend);
  line.text("server", record.server);
  line.text("method", record.method);
  line.text("target", record.target, kAccessTargetMax);
  line.text("version", record.version);
  record.status == 0 ? line.text("status", {}) : line.number("status", record.status);
  line.number("bytes_in", record.bytes_in);
  line.number("bytes_out", record.bytes_out);
  line.phase("head_us", record.head);
  line.phase("wait_us", record.wait);
  line.phase("connect_us", record.connect);
  line.phase("first_byte_us", record.first_byte);
  line.phase("total_us", record.total);
  line.number("retries", record.retries);
  line.text("end", record.end);
  return line.finish();
}

}  // namespace fairlead::observe
