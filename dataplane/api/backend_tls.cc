#include "api/backend_tls.h"

#include "api/tls_fields.h"
#include "config/text.h"
#include "tls/client_context.h"
#include "tls/server_context.h"

namespace fairlead::api {
namespace {

using config::concat;

constexpr int kPinsMax = 16;

std::string decode_host(FieldChecker& checker, std::string_view field, const std::string& host) {
  if (host.empty()) return host;
  checker.check(field, config::check_host(host));
  if (host.starts_with("*")) checker.fail(field, concat(config::quoted(host), " is a wildcard; name one host"));
  return host;
}

std::vector<std::string> decode_pins(FieldChecker& checker, const v1::BackendTls& message) {
  std::vector<std::string> pins(message.pins().begin(), message.pins().end());
  if (message.pins_size() > kPinsMax) {
    checker.fail("tls.pins", concat("has ", pins.size(), " pins, at most ", kPinsMax, " are allowed"));
  }
  for (size_t i = 0; i < pins.size() && checker.ok(); ++i) {
    if (std::string problem = tls::check_pin(pins[i]); !problem.empty())
      checker.fail(concat("tls.pins[", i, "]"), problem);
  }
  return pins;
}

}  // namespace

std::optional<config::BackendTls> decode_tls(FieldChecker& checker, const v1::Backend& backend) {
  if (!backend.has_tls()) {
    if (backend.health_check().tls()) checker.fail("health_check.tls", "is true, and the backend has no tls");
    return std::nullopt;
  }
  const v1::BackendTls& message = backend.tls();
  config::BackendTls tls;
  check_authorities(checker, "tls.ca", message.ca());
  tls.ca = message.ca();
  if (message.has_verify()) tls.verify = message.verify();
  tls.name = decode_host(checker, "tls.name", message.name());
  tls.sni = decode_host(checker, "tls.sni", message.sni());
  tls.pins = decode_pins(checker, message);
  tls.client_certificate = message.client_certificate();
  if (!tls.client_certificate.empty())
    checker.check("tls.client_certificate", config::check_name(tls.client_certificate));
  tls.min_version = decode_tls_version(checker, message.min_version());
  tls.ciphers = decode_tls_text(checker, "tls.ciphers", message.ciphers(), &tls::check_ciphers);
  tls.cipher_suites = decode_tls_text(checker, "tls.cipher_suites", message.cipher_suites(), &tls::check_cipher_suites);
  tls.alpn = decode_alpn(checker, message.alpn(), "tls.alpn");
  if (message.has_session_reuse()) tls.session_reuse = message.session_reuse();
  return tls;
}

void encode(const config::BackendTls& tls, v1::BackendTls& out) {
  out.set_ca(tls.ca);
  if (tls.verify) out.set_verify(*tls.verify);
  out.set_name(tls.name);
  out.set_sni(tls.sni);
  for (const std::string& pin : tls.pins) out.add_pins(pin);
  out.set_client_certificate(tls.client_certificate);
  if (tls.min_version) out.set_min_version(encode(*tls.min_version));
  out.set_ciphers(tls.ciphers);
  out.set_cipher_suites(tls.cipher_suites);
  for (const std::string& protocol : tls.alpn) out.add_alpn(protocol);
  if (tls.session_reuse) out.set_session_reuse(*tls.session_reuse);
}

}  // namespace fairlead::api
