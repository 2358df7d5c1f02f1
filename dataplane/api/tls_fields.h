// Fields that listeners' and backends' TLS have alike. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/field_checker.h"
#include "config/listener_tls.h"
#include "fairlead/v1/tls.pb.h"

namespace fairlead::api {

std::optional<config::TlsVersion> decode_tls_version(FieldChecker& checker, v1::TlsVersion version);
v1::TlsVersion encode(config::TlsVersion version);
// `check`: what is wrong in words, or nothing.
std::string decode_tls_text(FieldChecker& checker, std::string_view field, const std::string& text,
                            std::string (*check)(const std::string&));
std::vector<std::string> decode_alpn(FieldChecker& checker, const google::protobuf::RepeatedPtrField<std::string>& alpn,
                                     const std::string& field);
void check_authorities(FieldChecker& checker, std::string_view field, const std::string& pem);

}  // namespace fairlead::api
