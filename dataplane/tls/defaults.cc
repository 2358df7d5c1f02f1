#include "tls/defaults.h"

#include <string>
#include <vector>

#include "base/check.h"

namespace fairlead::tls {

void set_up(SSL_CTX* context, bool tls13_only, const std::string& ciphers, const std::string& suites) {
  SSL_CTX_set_min_proto_version(context, tls13_only ? TLS1_3_VERSION : TLS1_2_VERSION);
  // Of the ciphers that both know ours that comes first is taken; but one that puts ChaCha20 first has no fast AES.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
  FAIRLEAD_CHECK(SSL_CTX_set_cipher_list(context, ciphers.empty() ? kCiphers : (ciphers + kNeverUsed).c_str()) == 1 &&
                 SSL_CTX_set_ciphersuites(context, suites.empty() ? kCipherSuites : suites.c_str()) == 1 &&
                 SSL_CTX_set1_groups_list(context, kGroups) == 1);
  SSL_CTX_set_verify_depth(context, kChainMax);
}

void believe_as_they_are(SSL_CTX* context) {
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
}

std::string alpn_bytes(const std::vector<std::string>& protocols) {
  std::string bytes;
  for (const std::string& protocol : protocols) {
    bytes += static_cast<char>(protocol.size());
    bytes += protocol;
  }
  return bytes;
}

}  // namespace fairlead::tls
