// A caller's memory that a head is written into, piece by piece, never past its end.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "http/header.h"

namespace fairlead::codec {

class HeadOutput {
 public:
  explicit HeadOutput(std::span<char> out) : begin_(out.data()), at_(out.data()), end_(out.data() + out.size()) {}

  // Inlined so that a literal becomes a few moves.
  [[gnu::always_inline]] inline void put(std::string_view text) {
    if (text.empty()) return;
    if (static_cast<size_t>(end_ - at_) < text.size()) {
      overflow();
      return;
    }
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }

  void put_number(uint64_t number) {
    std::array<char, 20> digits;
    const auto [last, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    put({digits.data(), static_cast<size_t>(last - digits.data())});
  }

  void put_header(std::string_view name, std::string_view value) {
    put(name);
    put(": ");
    put(value);
    put("\r\n");
  }

  // All headers but those in `dropped` and those for one hop. Neighbouring lines that stood in the input as they are to
  // stand here are copied at once.
  void put_headers(const http::HeaderList& headers, http::HeaderIdSet dropped) {
    const char* run = nullptr;
    const char* run_end = nullptr;
    for (const http::Header& header : headers) {
      if (dropped.contains(header.id) || header.hop_by_hop) continue;
      if (header.copyable && header.name.data() == run_end) {
        run_end = header.value.data() + header.value.size() + 2;
        continue;
      }
      put({run, static_cast<size_t>(run_end - run)});
      run = run_end = nullptr;
      if (header.copyable) {
        run = header.name.data();
        run_end = header.value.data() + header.value.size() + 2;
      } else {
        put_header(header.name, header.value);
      }
    }
    put({run, static_cast<size_t>(run_end - run)});
  }

  // The bytes written, or nothing if they did not fit.
  std::optional<size_t> finish() const {
    if (overflowed_) return std::nullopt;
    return static_cast<size_t>(at_ - begin_);
  }

 private:
  // No later, shorter piece may fit either.
  void overflow() {
    overflowed_ = true;
    at_ = end_;
  }

  char* begin_;
  char* at_;
  char* end_;
  bool overflowed_ = false;
};

}  // namespace fairlead::codec
