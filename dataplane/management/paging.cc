#include "management/paging.h"

#include <algorithm>
#include <memory>

#include "absl/strings/escaping.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace fairlead::management {
namespace {

constexpr size_t kChecksumBytes = 8;

// FNV-1a (Fowler, Noll, Vo), 64 bit. Against mistakes, not against forgery: a token gives nothing that a listing does
// not.
uint64_t hash(const std::string& text) {
  uint64_t value = 0xcbf29ce484222325;
  for (char c : text) value = (value ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return value;
}

std::string checksum(const std::string& query, const std::string& after) {
  uint64_t value = hash(query + '\0' + after);
  std::string bytes;
  for (size_t i = 0; i < kChecksumBytes; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

}  // namespace

std::string query_text(const google::protobuf::Message& request) {
  std::unique_ptr<google::protobuf::Message> query(request.New());
  query->CopyFrom(request);
  for (const char* field : {"page_size", "page_token"}) {
    query->GetReflection()->ClearField(query.get(), query->GetDescriptor()->FindFieldByName(field));
  }
  query->DiscardUnknownFields();
  std::string text = query->GetDescriptor()->full_name();
  google::protobuf::io::StringOutputStream stream(&text);
  google::protobuf::io::CodedOutputStream coded(&stream);
  // Maps in the order of their keys.
  coded.SetSerializationDeterministic(true);
  query->SerializeToCodedStream(&coded);
  coded.Trim();
  return text;
}

std::string make_page_token(const std::string& query, const std::string& after) {
  return absl::WebSafeBase64Escape(checksum(query, after) + after);
}

std::optional<std::string> read_page_token(const std::string& query, const std::string& token) {
  std::string bytes;
  if (token.empty()) return "";
  if (!absl::WebSafeBase64Unescape(token, &bytes) || bytes.size() <= kChecksumBytes) return std::nullopt;
  std::string after = bytes.substr(kChecksumBytes);
  if (bytes.substr(0, kChecksumBytes) != checksum(query, after)) return std::nullopt;
  return after;
}

std::optional<size_t> read_page_size(int32_t page_size) {
  if (page_size < 0) return std::nullopt;
  return page_size == 0 ? 100 : std::min<size_t>(page_size, 1000);
}

}  // namespace fairlead::management
