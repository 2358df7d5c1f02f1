#include "api/tls_fields.h"

#include "config/text.h"
#include "tls/server_context.h"

namespace fairlead::api {
namespace {

using config::concat;

constexpr int kProtocolsMax = 16;
constexpr size_t kProtocolSizeMax = 255;
constexpr size_t kAuthoritiesMax = 1 << 20;
constexpr size_t kTextMax = 4096;

}  // namespace

std::optional<config::TlsVersion> decode_tls_version(FieldChecker& checker, v1::TlsVersion version) {
  switch (version) {
    case v1::TLS_VERSION_UNSPECIFIED:
      return std::nullopt;
    case v1::TLS_VERSION_1_2:
      return config::TlsVersion::kTls12;
    case v1::TLS_VERSION_1_3:
      return config::TlsVersion::kTls13;
    default:
      checker.unknown_enum("tls.min_version", version, "TLS_VERSION_1_2, TLS_VERSION_1_3");
      return std::nullopt;
  }
}

v1::TlsVersion encode(config::TlsVersion version) {
  return version == config::TlsVersion::kTls13 ? v1::TLS_VERSION_1_3 : v1::TLS_VERSION_1_2;
}

std::string decode_tls_text(FieldChecker& checker, std::string_view field, const std::string& text,
                            std::string (*check)(const std::string&)) {
  if (text.empty() || !checker.ok()) return text;
  std::string problem = text.size() > kTextMax ? concat("is longer than ", kTextMax, " bytes") : check(text);
  if (!problem.empty()) checker.fail(field, problem);
  return text;
}

std::vector<std::string> decode_alpn(FieldChecker& checker, const google::protobuf::RepeatedPtrField<std::string>& alpn,
                                     const std::string& field) {
  std::vector<std::string> protocols(alpn.begin(), alpn.end());
  if (alpn.size() > kProtocolsMax) {
    checker.fail(field, concat("has ", alpn.size(), " protocols, at most ", kProtocolsMax, " are allowed"));
  }
  for (size_t i = 0; i < protocols.size() && checker.ok(); ++i) {
    if (!protocols[i].empty() && protocols[i].size() <= kProtocolSizeMax) continue;
    checker.fail(concat(field, "[", i, "]"),
                 concat("has ", protocols[i].size(), " bytes; it is out of range [1, ", kProtocolSizeMax, "]"));
  }
  return protocols;
}

void check_authorities(FieldChecker& checker, std::string_view field, const std::string& pem) {
  if (pem.empty() || !checker.ok()) return;
  std::string problem =
      pem.size() > kAuthoritiesMax ? concat("is longer than ", kAuthoritiesMax, " bytes") : tls::check_authorities(pem);
  if (!problem.empty()) checker.fail(field, problem);
}

}  // namespace fairlead::api
