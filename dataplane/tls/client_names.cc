#include "tls/client_names.h"

#include <openssl/x509v3.h>

#include <memory>

#include "tls/openssl.h"

namespace fairlead::tls {
namespace {

std::string bytes_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<size_t>(ASN1_STRING_length(text))};
}

std::string common_name_of(const X509_NAME* subject) {
  int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return "";
  unsigned char* utf8 = nullptr;
  int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  ERR_clear_error();
  if (size < 0) return "";
  std::string name(reinterpret_cast<const char*>(utf8), static_cast<size_t>(size));
  OPENSSL_free(utf8);
  return name;
}

}  // namespace

ClientNames names_in(const X509* certificate) {
  ClientNames names;
  if (!certificate) return names;
  std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type == GEN_URI) names.uris.push_back(bytes_of(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) names.hosts.push_back(bytes_of(name->d.dNSName));
  }
  names.common_name = common_name_of(X509_get_subject_name(certificate));
  ERR_clear_error();
  return names;
}

}  // namespace fairlead::tls
