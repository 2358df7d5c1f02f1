// Header fields: which ones a proxy has to understand, one field, and the list of a head.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/text.h"

namespace fairlead::http {

// The fields that change what the proxy does. All others are kOther and pass untouched.
enum class HeaderId : uint8_t {
  kOther,
  kConnection,
  kContentLength,
  kContentType,
  kDate,
  kExpect,
  kForwarded,
  kHost,
  kHttp2Settings,
  kKeepAlive,
  kMaxForwards,
  kProxyAuthenticate,
  kProxyAuthorization,
  kProxyConnection,
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kVia,
  kXForwardedFor,
  kXForwardedProto,
};

// A set of HeaderId.
class HeaderIdSet {
 public:
  template <std::same_as<HeaderId>... Ids>
  constexpr explicit HeaderIdSet(Ids... ids) : bits_((0u | ... | bit(ids))) {}

  constexpr bool contains(HeaderId id) const { return (bits_ & bit(id)) != 0; }
  constexpr bool contains_any(HeaderIdSet other) const { return (bits_ & other.bits_) != 0; }
  constexpr void insert(HeaderId id) { bits_ |= bit(id); }
  constexpr HeaderIdSet united_with(HeaderIdSet other) const {
    HeaderIdSet result = *this;
    result.bits_ |= other.bits_;
    return result;
  }

 private:
  static constexpr uint32_t bit(HeaderId id) { return uint32_t{1} << static_cast<unsigned>(id); }

  uint32_t bits_;
};

struct Header {
  std::string_view name = {};
  std::string_view value = {};  // Without the whitespace around it.
  HeaderId id = HeaderId::kOther;
  // Named by a Connection field: meant for the next hop only, never forwarded.
  bool hop_by_hop = false;
  // The bytes before, between and after name and value are exactly `name: value CR LF`, so that a writer may copy the
  // line, and neighbouring lines of the same list in one go. Never set for a header that was not parsed from HTTP/1.
  bool copyable = false;
};

// The headers of one head in the order of arrival. Capacity is fixed and the storage is never cleared: a list is a
// scratch object, large (10 KB) and reused, whose views are valid as long as the bytes that were parsed.
class HeaderList {
 public:
  static constexpr size_t kCapacity = 256;

  void clear() {
    size_ = 0;
    present_ = HeaderIdSet();
  }

  bool full() const { return size_ == kCapacity; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Requires that the list is not full.
  [[gnu::always_inline]] inline Header& push_back(const Header& header) {
    present_.insert(header.id);
    Header& slot = headers_[size_++];
    slot = header;
    return slot;
  }

  // The slot behind the last header, for a parser to fill in place; keep_unfinished makes a header of it, once all its
  // members are set. Both require that the list is not full.
  Header& unfinished() { return headers_[size_]; }
  void keep_unfinished() { present_.insert(headers_[size_++].id); }

  HeaderIdSet present() const { return present_; }
  bool contains(HeaderId id) const { return present_.contains(id); }

  // The first of that name, or null.
  const Header* find(HeaderId id) const {
    if (!contains(id)) return nullptr;
    for (const Header& header : *this) {
      if (header.id == id) return &header;
    }
    return nullptr;
  }
  const Header* find(std::string_view name) const {
    for (const Header& header : *this) {
      if (equals_ignoring_case(header.name, name)) return &header;
    }
    return nullptr;
  }

  const Header& operator[](size_t index) const { return headers_[index]; }
  Header* begin() { return headers_.data(); }
  Header* end() { return headers_.data() + size_; }
  const Header* begin() const { return headers_.data(); }
  const Header* end() const { return headers_.data() + size_; }

 private:
  size_t size_ = 0;
  HeaderIdSet present_;
  std::array<Header, kCapacity> headers_;
};

// Requires a valid token. The length decides which few words it is compared with.
[[gnu::always_inline]] inline HeaderId identify_header(std::string_view name) {
  const auto is = [&](Word word) __attribute__((always_inline)) { return word.matches_bytes(name.data()); };
  switch (name.size()) {
    case 2:
      return is("te") ? HeaderId::kTe : HeaderId::kOther;
    case 3:
      return is("via") ? HeaderId::kVia : HeaderId::kOther;
    case 4:
      if (is("host")) return HeaderId::kHost;
      return is("date") ? HeaderId::kDate : HeaderId::kOther;
    case 6:
      return is("expect") ? HeaderId::kExpect : HeaderId::kOther;
    case 7:
      if (is("upgrade")) return HeaderId::kUpgrade;
      return is("trailer") ? HeaderId::kTrailer : HeaderId::kOther;
    case 9:
      return is("forwarded") ? HeaderId::kForwarded : HeaderId::kOther;
    case 10:
      if (is("connection")) return HeaderId::kConnection;
      return is("keep-alive") ? HeaderId::kKeepAlive : HeaderId::kOther;
    case 12:
      if (is("content-type")) return HeaderId::kContentType;
      return is("max-forwards") ? HeaderId::kMaxForwards : HeaderId::kOther;
    case 14:
      if (is("content-length")) return HeaderId::kContentLength;
      return is("http2-settings") ? HeaderId::kHttp2Settings : HeaderId::kOther;
    case 15:
      return is("x-forwarded-for") ? HeaderId::kXForwardedFor : HeaderId::kOther;
    case 16:
      return is("proxy-connection") ? HeaderId::kProxyConnection : HeaderId::kOther;
    case 17:
      if (is("transfer-encoding")) return HeaderId::kTransferEncoding;
      return is("x-forwarded-proto") ? HeaderId::kXForwardedProto : HeaderId::kOther;
    case 18:
      return is("proxy-authenticate") ? HeaderId::kProxyAuthenticate : HeaderId::kOther;
    case 19:
      return is("proxy-authorization") ? HeaderId::kProxyAuthorization : HeaderId::kOther;
    default:
      return HeaderId::kOther;
  }
}

}  // namespace fairlead::http
