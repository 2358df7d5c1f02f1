#include "tls/server_context.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/check.h"
#include "base/quoted.h"
#include "config/text.h"
#include "tls/defaults.h"
#include "tls/openssl.h"
#include "tls/ticket_keys.h"
#include "tls/transport.h"

namespace fairlead::tls {
namespace {

constexpr unsigned char kSessionIdContext[] = {'f', 'a', 'i', 'r', 'l', 'e', 'a', 'd'};

// Of a hello that is being looked at (RFC 6066: a list of one); empty where it names nobody.
std::string_view name_in_hello(SSL* connection) {
  constexpr size_t kBefore = 5;  // the list's size, that it is a host, and the name's size
  const unsigned char* bytes = nullptr;
  size_t size = 0;
  if (SSL_client_hello_get0_ext(connection, TLSEXT_TYPE_server_name, &bytes, &size) != 1 || size < kBefore) return {};
  return {reinterpret_cast<const char*>(bytes) + kBefore, size - kBefore};
}

SslContextPtr scratch_context() { return SslContextPtr(SSL_CTX_new(TLS_server_method())); }

}  // namespace

std::string check_ciphers(const std::string& ciphers) {
  SslContextPtr context = scratch_context();
  // OpenSSL passes over what it does not know as long as it knows one.
  for (size_t at = 0; at <= ciphers.size();) {
    size_t end = std::min(ciphers.find(':', at), ciphers.size());
    std::string one = ciphers.substr(at, end - at);
    bool is_rule = one.starts_with('!') || one.starts_with('-') || one.starts_with('+') || one.starts_with('@');
    if (!is_rule && SSL_CTX_set_cipher_list(context.get(), one.c_str()) != 1) {
      ERR_clear_error();
      return config::concat("knows no cipher ", base::quoted(one), " (openssl ciphers lists them)");
    }
    at = end + 1;
  }
  if (SSL_CTX_set_cipher_list(context.get(), ciphers.c_str()) != 1) return take_error();
  if (SSL_CTX_set_cipher_list(context.get(), (ciphers + kNeverUsed).c_str()) == 1) return "";
  ERR_clear_error();
  return "has only ciphers without a certificate or without encryption, and those are never used";
}

std::string check_cipher_suites(const std::string& suites) {
  SslContextPtr context = scratch_context();
  if (SSL_CTX_set_ciphersuites(context.get(), suites.c_str()) == 1) return "";
  ERR_clear_error();
  return config::concat("has a cipher suite that is not known: ", base::quoted(suites));
}

std::string check_authorities(std::string_view pem) {
  if (for_each_authority(pem, [](X509*) {})) {
    if (for_each_revocation_list(pem, [](X509_CRL*) {})) return "";
    return config::concat("has a list of revoked certificates that cannot be read: ", take_error());
  }
  std::string error = ERR_peek_error() != 0 ? take_error() : "";
  return error.empty() ? "has no certificate in PEM" : config::concat("cannot be read: ", error);
}

std::shared_ptr<const ServerContext> ServerContext::make(const config::ListenerTls& settings, bool http,
                                                         Identities identities, const ServerContext* former) {
  std::shared_ptr<ServerContext> self(new ServerContext);
  self->settings_ = settings;
  self->identities_.assign(identities.begin(), identities.end());
  SSL_CTX* context = self->context_ = SSL_CTX_new(TLS_server_method());
  FAIRLEAD_CHECK(context);
  set_up(context, settings.effective_min_version() == config::TlsVersion::kTls13, settings.ciphers,
         settings.cipher_suites);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_keylog_callback(context, &Transport::on_secret);
  self->add_names();
  self->set_protocols(http);
  bool same_clients = former && former->settings_.client_certificates == settings.client_certificates;
  self->ticket_keys_ = same_clients ? former->ticket_keys_ : std::make_shared<TicketKeys>();
  self->use_tickets();
  if (settings.client_certificates) self->ask_for_certificates();
  SSL_CTX_set_cert_cb(context, &ServerContext::choose_certificate, self.get());
  SSL_CTX_set_tlsext_servername_callback(context, &ServerContext::check_server_name);
  SSL_CTX_set_tlsext_servername_arg(context, self.get());
  SSL_CTX_set_tlsext_status_cb(context, &ServerContext::staple);
  SSL_CTX_set_tlsext_status_arg(context, self.get());
  ERR_clear_error();
  return self;
}

ServerContext::~ServerContext() { SSL_CTX_free(context_); }

void ServerContext::add_names() {
  auto add = [](Set& set, const Identity* identity) {
    bool has_kind =
        std::ranges::any_of(set, [&](const Identity* one) { return one->key_kind() == identity->key_kind(); });
    if (!has_kind) set.push_back(identity);
  };
  for (const auto& identity : identities_) {
    for (const std::string& name : identity->names()) {
      if (name.starts_with("*.")) {
        add(wildcard_[name.substr(2)], identity.get());
      } else {
        add(exact_[name], identity.get());
      }
    }
  }
  // With it, what is for the same host and has another type of key.
  const Identity& first = *identities_.front();
  add(default_, &first);
  for (const auto& identity : identities_) {
    if (!first.names().empty() && std::ranges::count(identity->names(), first.names().front()) > 0) {
      add(default_, identity.get());
    }
  }
  for (const Identity* identity : default_) {
    FAIRLEAD_CHECK(SSL_CTX_use_cert_and_key(context_, identity->leaf(), identity->key(), identity->further(), 1) == 1);
  }
}

void ServerContext::set_protocols(bool http) {
  alpn_ = alpn_bytes(settings_.alpn.empty() && http ? std::vector<std::string>{"http/1.1"} : settings_.alpn);
  if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(context_, &ServerContext::choose_protocol, this);
}

void ServerContext::ask_for_certificates() {
  const config::ClientCertificates& clients = *settings_.client_certificates;
  believe_as_they_are(context_);
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | (clients.required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  for_each_authority(clients.ca, [&](X509* authority) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), authority);
    SSL_CTX_add_client_CA(context_, authority);
  });
  // Where there is a list, whoever is signed by an authority without a current one is not let in.
  for_each_revocation_list(clients.ca, [&](X509_CRL* list) {
    X509_STORE* store = SSL_CTX_get_cert_store(context_);
    X509_STORE_add_crl(store, list);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  });
}

void ServerContext::use_tickets() {
  // OpenSSL wants one. What tells listeners apart is which tickets their keys open.
  SSL_CTX_set_session_id_context(context_, kSessionIdContext, sizeof kSessionIdContext);
  SSL_CTX_set_timeout(context_, std::chrono::duration_cast<std::chrono::seconds>(TicketKeys::kHolds).count());
  if (!settings_.effective_session_tickets()) {
    SSL_CTX_set_options(context_, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context_, 0);
    return;
  }
  // One is enough for a client that goes on with it, and each costs a record.
  SSL_CTX_set_num_tickets(context_, 1);
  SSL_CTX_set_session_ticket_cb(context_, nullptr, &ServerContext::may_resume, this);
  SSL_CTX_set_app_data(context_, ticket_keys_.get());
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context_, [](SSL* connection, unsigned char* name, unsigned char* iv,
                                                    EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int making) {
    auto* keys = static_cast<TicketKeys*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(connection)));
    return use_ticket_keys(*keys, name, iv, cipher, mac, making == 1);
  });
}

// With TLS 1.2 a connection that is resumed has the host of the former one, whatever its own hello names: that would
// get what is for another host (RFC 6066, section 3), so it is a whole handshake then. (With 1.3 the hello's counts.)
SSL_TICKET_RETURN ServerContext::may_resume(SSL* connection, SSL_SESSION* session, const unsigned char*, size_t,
                                            SSL_TICKET_STATUS status, void* context) {
  const auto& self = *static_cast<const ServerContext*>(context);
  const bool is_opened = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
  if (!is_opened) return SSL_TICKET_RETURN_IGNORE_RENEW;
  const char* former = SSL_SESSION_get0_hostname(session);
  // A session has the host where some certificate was for it.
  const bool is_other = SSL_SESSION_get_protocol_version(session) <= TLS1_2_VERSION &&
                        self.known_name(name_in_hello(connection)) != absl::AsciiStrToLower(former ? former : "");
  if (is_other) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

std::string ServerContext::known_name(std::string_view host) const {
  std::string lower = absl::AsciiStrToLower(config::as_absl(host));
  return has_name(lower) ? lower : "";
}

const ServerContext::Set* ServerContext::find(std::string_view host) const {
  if (auto at = exact_.find(config::as_absl(host)); at != exact_.end()) return &at->second;
  size_t dot = host.find('.');
  if (dot == 0 || dot == host.npos) return nullptr;
  auto at = wildcard_.find(config::as_absl(host.substr(dot + 1)));
  return at == wildcard_.end() ? nullptr : &at->second;
}

int ServerContext::choose_certificate(SSL* connection, void* context) {
  const auto& self = *static_cast<const ServerContext*>(context);
  const char* host = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
  const Set* set = host ? self.find(absl::AsciiStrToLower(host)) : nullptr;
  if (!set || *set == self.default_) return 1;
  SSL_certs_clear(connection);
  for (const Identity* identity : *set) {
    if (SSL_use_cert_and_key(connection, identity->leaf(), identity->key(), identity->further(), 1) != 1) return 0;
  }
  return 1;
}

int ServerContext::check_server_name(SSL* connection, int* alert, void* context) {
  const auto& self = *static_cast<const ServerContext*>(context);
  const char* host = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
  bool is_known = host && self.has_name(absl::AsciiStrToLower(host));
  if (is_known) return SSL_TLSEXT_ERR_OK;
  if (!self.settings_.strict_sni) return SSL_TLSEXT_ERR_NOACK;
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int ServerContext::choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                                   unsigned in_size, void* context) {
  const auto& self = *static_cast<const ServerContext*>(context);
  const auto* ours = reinterpret_cast<const unsigned char*>(self.alpn_.data());
  int found = SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, ours,
                                    static_cast<unsigned>(self.alpn_.size()), in, in_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int ServerContext::staple(SSL* connection, void* context) {
  const auto& self = *static_cast<const ServerContext*>(context);
  const X509* leaf = SSL_get_certificate(connection);
  auto is_it = [&](const auto& identity) { return identity->leaf() == leaf; };
  auto at = std::ranges::find_if(self.identities_, is_it);
  if (at == self.identities_.end() || !(*at)->staple()) return SSL_TLSEXT_ERR_NOACK;
  // Who is shown one that holds no more may refuse what he takes without any.
  if ((*at)->staple()->not_after <= std::chrono::system_clock::now()) return SSL_TLSEXT_ERR_NOACK;
  const std::string& response = (*at)->staple()->der;
  void* copy = OPENSSL_memdup(response.data(), response.size());
  if (!copy) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_tlsext_status_ocsp_resp(connection, copy, static_cast<long>(response.size()));
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace fairlead::tls
