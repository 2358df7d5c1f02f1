// What connections to a backend's servers go by: made by the writing half, published with the backend. Immutable; any
// thread.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "config/backend_tls.h"
#include "config/endpoint.h"
#include "tls/identity.h"

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;
typedef struct ssl_session_st SSL_SESSION;
typedef struct x509_store_ctx_st X509_STORE_CTX;

namespace fairlead::tls {

// Why it is no pin, in words; empty for a good one.
std::string check_pin(const std::string& base64);

class ClientContext {
 public:
  // `settings` has been checked; `identity` is that of its client_certificate, or null.
  static std::shared_ptr<const ClientContext> make(const config::BackendTls& settings,
                                                   std::shared_ptr<const Identity> identity);
  ~ClientContext();
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;

  SSL_CTX* openssl() const { return context_; }
  // Of a connection to `address`: whom to name, and whose certificate it has to be. `alpn`: in place of the settings'.
  void prepare(SSL* connection, const config::Endpoint& address, const std::string& alpn) const;
  bool reuses_sessions() const { return settings_.effective_session_reuse(); }

 private:
  ClientContext() = default;
  static int verify(X509_STORE_CTX* chain, void* self);

  SSL_CTX* context_ = nullptr;
  config::BackendTls settings_;
  std::shared_ptr<const Identity> identity_;
  std::vector<std::string> pins_;
};

// The session of the last connection to a server, for the next one. Its owner outlives those connections; one thread.
class LastSession {
 public:
  LastSession() = default;
  ~LastSession() { clear(); }
  LastSession(const LastSession&) = delete;
  LastSession& operator=(const LastSession&) = delete;

  // Takes it over.
  void put(SSL_SESSION* session, const std::shared_ptr<const ClientContext>& context);
  // Null where there is none of this context.
  SSL_SESSION* find(const ClientContext& context) const { return &context == context_.get() ? session_ : nullptr; }
  void clear();

 private:
  SSL_SESSION* session_ = nullptr;
  std::shared_ptr<const ClientContext> context_;
};

}  // namespace fairlead::tls
