#include "codec/framing_fields.h"

#include <limits>
#include <optional>

#include "http/header.h"
#include "http/text.h"

namespace fairlead::codec {
namespace {

using http::HeaderId;
using http::Word;

constexpr Refusal kBadLength{400, "Content-Length is not one plain decimal number", RefusalKind::kContentLength};
constexpr Refusal kLengthTooLarge{400, "Content-Length above 2^63-1", RefusalKind::kContentLength};
constexpr Refusal kSecondLength{400, "more than one Content-Length", RefusalKind::kContentLength};
constexpr Refusal kBothFramings{400, "Content-Length and Transfer-Encoding together", RefusalKind::kTransferEncoding};
constexpr Refusal kSecondCoding{400, "more than one Transfer-Encoding", RefusalKind::kTransferEncoding};
constexpr Refusal kBadCoding{400, "Transfer-Encoding is malformed or chunked is not its last coding",
                             RefusalKind::kTransferEncoding};
constexpr Refusal kUnknownCoding{501, "Transfer-Encoding other than chunked", RefusalKind::kTransferEncoding};
constexpr Refusal kBadConnection{400, "Connection is not a list of tokens", RefusalKind::kConnection};
constexpr Refusal kConnectionNamesEndToEnd{400, "Connection names a framing, routing or forwarding header",
                                           RefusalKind::kConnection};
constexpr Refusal kConnectionTooLong{400, "Connection names more than 16 headers", RefusalKind::kConnection};
constexpr Refusal kSecondExpect{400, "more than one Expect", RefusalKind::kExpect};
constexpr Refusal kUnknownExpectation{417, "Expect other than 100-continue", RefusalKind::kExpect};
constexpr Refusal kBadMaxForwards{400, "Max-Forwards is not one decimal number", RefusalKind::kMaxForwards};

// What a client could harm others with, if it had us remove it.
constexpr http::HeaderIdSet kNeverNominated(HeaderId::kHost, HeaderId::kContentLength, HeaderId::kTransferEncoding,
                                            HeaderId::kExpect, HeaderId::kVia, HeaderId::kMaxForwards,
                                            HeaderId::kForwarded, HeaderId::kXForwardedFor, HeaderId::kXForwardedProto);

// At most nine digits, so that it cannot wrap.
std::optional<uint32_t> small_number(std::string_view text) {
  if (text.empty() || text.size() > 9) return std::nullopt;
  uint32_t number = 0;
  for (const char c : text) {
    if (!is_digit(static_cast<unsigned char>(c))) return std::nullopt;
    number = number * 10 + static_cast<uint32_t>(c - '0');
  }
  return number;
}

Verdict nominate(std::string_view name, SectionFacts& facts) {
  if (!is_token(name)) return &kBadConnection;
  if (kNeverNominated.contains(http::identify_header(name))) return &kConnectionNamesEndToEnd;
  if (facts.nominated_count == SectionFacts::kMaxNominated) return &kConnectionTooLong;
  facts.nominated_names[facts.nominated_count++] = {name.data(), name.size()};
  return kGoOn;
}

}  // namespace

Verdict read_content_length(std::string_view value, SectionFacts& facts) {
  if (facts.chunked) return &kBothFramings;
  if (facts.length) return &kSecondLength;
  // No leading zeros: some reader takes them for octal.
  if (value.empty() || (value.size() > 1 && value[0] == '0')) return &kBadLength;
  uint64_t length = 0;
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  for (const char c : value) {
    if (!is_digit(static_cast<unsigned char>(c))) return &kBadLength;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (length > (kMax - digit) / 10) return &kLengthTooLarge;
    length = length * 10 + digit;
  }
  facts.length = length;
  return kGoOn;
}

Verdict read_transfer_encoding(std::string_view value, SectionFacts& facts) {
  if (facts.length) return &kBothFramings;
  if (facts.chunked) return &kSecondCoding;
  if (Word("chunked").matches(value)) {
    facts.chunked = true;
    return kGoOn;
  }
  bool chunked_seen = false;
  for (std::string_view rest = value; rest.data() != nullptr;) {
    const std::string_view coding = take_list_element(rest);
    if (chunked_seen || !is_token(coding)) return &kBadCoding;
    chunked_seen = Word("chunked").matches(coding);
  }
  return &kUnknownCoding;
}

Verdict read_connection(std::string_view value, SectionFacts& facts) {
  // What nearly all senders say.
  if (Word("keep-alive").matches(value)) {
    facts.keep_alive = true;
    return kGoOn;
  }
  for (std::string_view rest = value; rest.data() != nullptr;) {
    const std::string_view option = take_list_element(rest);
    if (option.empty()) continue;
    if (Word("keep-alive").matches(option)) {
      facts.keep_alive = true;
    } else if (Word("close").matches(option)) {
      facts.close = true;
    } else if (Word("upgrade").matches(option)) {
      facts.upgrade_option = true;
    } else if (const Verdict verdict = nominate(option, facts)) {
      return verdict;
    }
  }
  return kGoOn;
}

Verdict read_expect(std::string_view value, SectionFacts& facts) {
  if (facts.expect_continue) return &kSecondExpect;
  if (!Word("100-continue").matches(value)) return &kUnknownExpectation;
  facts.expect_continue = true;
  return kGoOn;
}

Verdict read_max_forwards(std::string_view value, SectionFacts& facts) {
  const std::optional<uint32_t> hops = small_number(value);
  if (!hops || facts.max_forwards) return &kBadMaxForwards;
  facts.max_forwards = hops;
  return kGoOn;
}

void read_keep_alive(std::string_view value, SectionFacts& facts) {
  for (std::string_view rest = value; rest.data() != nullptr;) {
    const std::string_view parameter = take_list_element(rest);
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = trim_whitespace(parameter.substr(0, equals));
    const std::string_view number = trim_whitespace(parameter.substr(equals + 1));
    if (Word("timeout").matches(name)) facts.keep_alive_timeout_seconds = small_number(number);
    if (Word("max").matches(name)) facts.keep_alive_max = small_number(number);
  }
}

}  // namespace fairlead::codec
