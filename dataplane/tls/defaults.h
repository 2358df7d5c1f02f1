// What holds where settings say nothing. For the files of this folder alone.
#pragma once

#include <openssl/pem.h>

#include <string>
#include <string_view>
#include <vector>

#include "tls/openssl.h"

namespace fairlead::tls {

// Mozilla's intermediate configuration, version 5.7.
inline constexpr char kCiphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
inline constexpr char kCipherSuites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
inline constexpr char kGroups[] = "X25519:P-256:P-384";
// At the end of every list: who has no certificate is nobody, and what is not encrypted is not TLS's to carry.
inline constexpr char kNeverUsed[] = ":!aNULL:!eNULL";
// Of the other side.
inline constexpr int kChainMax = 10;

// Versions, options and ciphers of a context; texts have been checked, and empty ones mean the default.
void set_up(SSL_CTX* context, bool tls13_only, const std::string& ciphers, const std::string& suites);

// Whose certificates are believed need not be roots: a chain that reaches one of them is whole.
void believe_as_they_are(SSL_CTX* context);

// Each with its size before it, as ALPN has it.
std::string alpn_bytes(const std::vector<std::string>& protocols);

// Calls visit(certificate) for each; false where there is none, or one cannot be read.
template <typename Visit>
bool for_each_authority(std::string_view pem, Visit visit) {
  BioPtr in = bio_over(pem);
  size_t count = 0;
  while (CertificatePtr certificate{PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)}) {
    ++count;
    visit(certificate.get());
  }
  bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (at_end) ERR_clear_error();
  return at_end && count > 0;
}

// Calls visit(list) for each list of revoked certificates that stands among the others; false where one cannot be read.
template <typename Visit>
bool for_each_revocation_list(std::string_view pem, Visit visit) {
  BioPtr in = bio_over(pem);
  while (RevocationListPtr list{PEM_read_bio_X509_CRL(in.get(), nullptr, nullptr, nullptr)}) visit(list.get());
  bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (at_end) ERR_clear_error();
  return at_end;
}

}  // namespace fairlead::tls
