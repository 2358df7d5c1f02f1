// What handshakes with a listener's clients go by: made by the writing half from a listener and its certificates,
// published with the listener, used by all workers. Immutable, but for the ticket keys. Any thread.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "config/listener_tls.h"
#include "tls/identity.h"

namespace fairlead::tls {

class TicketKeys;

// What is wrong with a text of these settings, in words; empty where nothing is.
std::string check_ciphers(const std::string& ciphers);
std::string check_cipher_suites(const std::string& suites);
// PEM certificates of whom to believe, and lists of what they have revoked.
std::string check_authorities(std::string_view pem);

class ServerContext {
 public:
  using Identities = std::span<const std::shared_ptr<const Identity>>;

  // `settings` has been checked; `identities` are those that it names, in that order. `former`: the listener's until
  // now, or null: who came by it may go on with its tickets where nothing but certificates has changed.
  static std::shared_ptr<const ServerContext> make(const config::ListenerTls& settings, bool http,
                                                   Identities identities, const ServerContext* former);
  ~ServerContext();
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;

  SSL_CTX* openssl() const { return context_; }
  TicketKeys& ticket_keys() const { return *ticket_keys_; }
  // Some certificate is for this host, which is in lower case.
  bool has_name(std::string_view host) const { return find(host) != nullptr; }

 private:
  // For one name, of each key type the first.
  using Set = std::vector<const Identity*>;

  ServerContext() = default;
  void add_names();
  void set_protocols(bool http);
  void ask_for_certificates();
  void use_tickets();
  // As it is in sessions; empty where no certificate is for it.
  std::string known_name(std::string_view host) const;
  // Null where no certificate is for it.
  const Set* find(std::string_view host) const;
  static int choose_certificate(SSL* connection, void* self);
  static int check_server_name(SSL* connection, int* alert, void* self);
  static int choose_protocol(SSL* connection, const unsigned char** out, unsigned char* out_size,
                             const unsigned char* in, unsigned in_size, void* self);
  static int staple(SSL* connection, void* self);
  static SSL_TICKET_RETURN may_resume(SSL* connection, SSL_SESSION* session, const unsigned char* key_name, size_t size,
                                      SSL_TICKET_STATUS status, void* self);

  SSL_CTX* context_ = nullptr;
  config::ListenerTls settings_;
  std::vector<std::shared_ptr<const Identity>> identities_;
  Set default_;
  absl::flat_hash_map<std::string, Set> exact_;
  // By what follows "*.".
  absl::flat_hash_map<std::string, Set> wildcard_;
  // Each with its size before it.
  std::string alpn_;
  std::shared_ptr<TicketKeys> ticket_keys_;
};

}  // namespace fairlead::tls
