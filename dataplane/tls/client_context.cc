#include "tls/client_context.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "tls/defaults.h"
#include "tls/openssl.h"
#include "tls/transport.h"

namespace fairlead::tls {
namespace {

constexpr size_t kPinSize = 32;

// SHA-256 of the public key with what it is.
std::string pin_of(X509* certificate) {
  unsigned char* bytes = nullptr;
  int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &bytes);
  std::string pin(kPinSize, '\0');
  bool made = size > 0 && EVP_Digest(bytes, static_cast<size_t>(size), reinterpret_cast<unsigned char*>(pin.data()),
                                     nullptr, EVP_sha256(), nullptr) == 1;
  OPENSSL_free(bytes);
  return made ? pin : "";
}

// "127.0.0.1" of "127.0.0.1:443"; empty for a path.
std::string ip_of(const config::Endpoint& address) {
  if (address.is_unix()) return "";
  std::string text = address.to_string();
  text.resize(text.rfind(':'));
  if (text.starts_with('[')) text = text.substr(1, text.size() - 2);
  return text;
}

bool is_ip(const std::string& text) {
  std::array<unsigned char, 16> address;
  return inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

}  // namespace

std::string check_pin(const std::string& base64) {
  std::string bytes;
  if (absl::Base64Unescape(base64, &bytes) && bytes.size() == kPinSize) return "";
  return "is not a SHA-256 in base64, 44 characters";
}

std::shared_ptr<const ClientContext> ClientContext::make(const config::BackendTls& settings,
                                                         std::shared_ptr<const Identity> identity) {
  std::shared_ptr<ClientContext> self(new ClientContext);
  self->settings_ = settings;
  self->identity_ = std::move(identity);
  for (const std::string& pin : settings.pins) absl::Base64Unescape(pin, &self->pins_.emplace_back());
  SSL_CTX* context = self->context_ = SSL_CTX_new(TLS_client_method());
  FAIRLEAD_CHECK(context);
  set_up(context, settings.effective_min_version() == config::TlsVersion::kTls13, settings.ciphers,
         settings.cipher_suites);
  if (settings.ca.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else {
    believe_as_they_are(context);
    for_each_authority(settings.ca,
                       [&](X509* authority) { X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority); });
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &ClientContext::verify, self.get());
  if (const Identity* own = self->identity_.get()) {
    FAIRLEAD_CHECK(SSL_CTX_use_cert_and_key(context, own->leaf(), own->key(), own->further(), 1) == 1);
  }
  if (settings.effective_session_reuse()) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, &Transport::on_new_session);
  } else {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  }
  ERR_clear_error();
  return self;
}

ClientContext::~ClientContext() { SSL_CTX_free(context_); }

int ClientContext::verify(X509_STORE_CTX* chain, void* context) {
  const auto& self = *static_cast<const ClientContext*>(context);
  if (self.settings_.effective_verify()) {
    int verified = X509_verify_cert(chain);
    if (verified <= 0) return verified;
  }
  X509* leaf = X509_STORE_CTX_get0_cert(chain);
  bool is_pinned = self.pins_.empty() || (leaf && std::ranges::count(self.pins_, pin_of(leaf)) > 0);
  X509_STORE_CTX_set_error(chain, is_pinned ? X509_V_OK : X509_V_ERR_APPLICATION_VERIFICATION);
  return is_pinned ? 1 : 0;
}

void ClientContext::prepare(SSL* connection, const config::Endpoint& address, const std::string& alpn) const {
  // An address is no host's name there (RFC 6066, section 3).
  if (!settings_.sni.empty() && !is_ip(settings_.sni)) SSL_set_tlsext_host_name(connection, settings_.sni.c_str());
  const std::string& name = settings_.effective_name();
  X509_VERIFY_PARAM* wanted = SSL_get0_param(connection);
  if (is_ip(name)) {
    FAIRLEAD_CHECK(X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1);
  } else if (!name.empty()) {
    SSL_set_hostflags(connection, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(connection, name.c_str());
  } else {
    std::string ip = ip_of(address);
    // A path is nobody's name: what comes from there is believed only where a name was said.
    if (ip.empty() || X509_VERIFY_PARAM_set1_ip_asc(wanted, ip.c_str()) != 1) SSL_set1_host(connection, "unix.invalid");
  }
  const std::string protocols = alpn.empty() ? alpn_bytes(settings_.alpn) : alpn;
  if (!protocols.empty()) {
    SSL_set_alpn_protos(connection, reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
  }
}

void LastSession::put(SSL_SESSION* session, const std::shared_ptr<const ClientContext>& context) {
  SSL_SESSION* former = std::exchange(session_, session);
  context_ = context;
  SSL_SESSION_free(former);
}

void LastSession::clear() {
  SSL_SESSION_free(std::exchange(session_, nullptr));
  context_.reset();
}

}  // namespace fairlead::tls
