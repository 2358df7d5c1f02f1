// A private key with the chain of certificates that says whose it is, as handshakes use them.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/certificate.h"

typedef struct evp_pkey_st EVP_PKEY;
typedef struct x509_st X509;
struct stack_st_X509;

namespace fairlead::tls {

struct CertificateProblem {
  enum class Field : uint8_t { kChain, kPrivateKey, kOcspResponse };
  Field field = Field::kChain;
  std::string text;
};

struct Chain {
  // What was given, without anything that is not a certificate.
  std::string pem;
  config::CertificateFacts facts;
};
// Checks that each certificate has been signed by the one after it, not what time it is.
std::expected<Chain, CertificateProblem> read_chain(std::string_view pem);

// Why it is none, in words; empty for a good one. `der`, if any, gets it.
std::string check_ocsp_response(std::string_view base64, std::string* der = nullptr);

// Whether a key is of a type that is used; `type` as in CertificateFacts.
bool is_used_key_type(std::string_view type);

// An OCSP response beside the certificate that it is given with.
struct Staple {
  std::string der;
  // Why it does not fit the certificate, in words; empty where it does.
  std::string problem;
  // Afterwards it says nothing.
  config::WallTime not_after = config::WallTime::max();
};

// Immutable. Any thread.
class Identity {
 public:
  // `chain` is one that read_chain() has taken.
  static std::expected<std::shared_ptr<const Identity>, CertificateProblem> make(std::string_view chain,
                                                                                 std::string_view private_key,
                                                                                 std::string_view ocsp_response);
  ~Identity();
  Identity(const Identity&) = delete;
  Identity& operator=(const Identity&) = delete;

  const std::vector<std::string>& names() const { return names_; }
  // "RSA", "EC", "ED25519": a client can use one key type and not another.
  std::string_view key_kind() const { return key_kind_; }
  EVP_PKEY* key() const { return key_; }
  X509* leaf() const { return leaf_; }
  stack_st_X509* further() const { return further_; }
  // Null for none.
  const Staple* staple() const { return staple_ ? &*staple_ : nullptr; }

 private:
  Identity() = default;

  EVP_PKEY* key_ = nullptr;
  X509* leaf_ = nullptr;
  stack_st_X509* further_ = nullptr;
  std::vector<std::string> names_;
  std::string key_kind_;
  std::optional<Staple> staple_;
};

}  // namespace fairlead::tls
