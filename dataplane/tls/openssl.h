// OpenSSL's objects with owners. For the files of this folder alone.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace fairlead::tls {

struct Free {
  void operator()(BIO* object) const { BIO_free(object); }
  void operator()(EVP_PKEY* object) const { EVP_PKEY_free(object); }
  void operator()(EVP_CIPHER* object) const { EVP_CIPHER_free(object); }
  void operator()(EVP_CIPHER_CTX* object) const { EVP_CIPHER_CTX_free(object); }
  void operator()(EVP_MAC* object) const { EVP_MAC_free(object); }
  void operator()(EVP_MAC_CTX* object) const { EVP_MAC_CTX_free(object); }
  void operator()(SSL* object) const { SSL_free(object); }
  void operator()(SSL_CTX* object) const { SSL_CTX_free(object); }
  void operator()(X509* object) const { X509_free(object); }
  void operator()(X509_CRL* object) const { X509_CRL_free(object); }
};
using BioPtr = std::unique_ptr<BIO, Free>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free>;
using CipherPtr = std::unique_ptr<EVP_CIPHER, Free>;
using CipherContextPtr = std::unique_ptr<EVP_CIPHER_CTX, Free>;
using MacPtr = std::unique_ptr<EVP_MAC, Free>;
using MacContextPtr = std::unique_ptr<EVP_MAC_CTX, Free>;
using SslPtr = std::unique_ptr<SSL, Free>;
using SslContextPtr = std::unique_ptr<SSL_CTX, Free>;
using CertificatePtr = std::unique_ptr<X509, Free>;
using RevocationListPtr = std::unique_ptr<X509_CRL, Free>;

// To read from; the bytes stay where they are.
inline BioPtr bio_over(std::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

inline std::string text_of(BIO* memory) {
  char* data = nullptr;
  long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<size_t>(size)};
}

// The first of this thread's errors in words; takes all away.
std::string take_error();

}  // namespace fairlead::tls
