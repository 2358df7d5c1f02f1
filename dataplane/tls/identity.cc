#include "tls/identity.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "base/quoted.h"
#include "config/text.h"
#include "tls/openssl.h"

namespace fairlead::tls {
namespace {

using config::concat;
using Field = CertificateProblem::Field;

constexpr size_t kChainMax = 10;

std::unexpected<CertificateProblem> problem(Field field, std::string text) {
  return std::unexpected(CertificateProblem{field, std::move(text)});
}

std::string name_text(const X509_NAME* name) {
  BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  return text_of(out.get());
}

std::string subject_of(const X509* certificate) { return name_text(X509_get_subject_name(certificate)); }

config::WallTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(timegm(&parts));
}

// Each certificate of a text that has nothing else; a key in it would be shown to whoever may read.
std::expected<std::vector<CertificatePtr>, CertificateProblem> parse(std::string_view pem) {
  std::vector<CertificatePtr> chain;
  BioPtr in = bio_over(pem);
  while (true) {
    char* name = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    if (PEM_read_bio(in.get(), &name, &header, &data, &size) != 1) {
      bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
      std::string error = take_error();
      if (!at_end) return problem(Field::kChain, concat("certificate ", chain.size() + 1, " cannot be read: ", error));
      break;
    }
    std::string kind(name);
    const unsigned char* bytes = data;
    CertificatePtr certificate(kind == "CERTIFICATE" ? d2i_X509(nullptr, &bytes, size) : nullptr);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_cleanse(data, static_cast<size_t>(size));
    OPENSSL_free(data);
    if (kind != "CERTIFICATE") {
      return problem(Field::kChain, concat("holds a ", base::quoted(kind), "; it is for certificates alone"));
    }
    if (!certificate) {
      return problem(Field::kChain, concat("certificate ", chain.size() + 1, " cannot be read: ", take_error()));
    }
    if (chain.size() == kChainMax) {
      return problem(Field::kChain, concat("has more than ", kChainMax, " certificates, the most that are allowed"));
    }
    chain.push_back(std::move(certificate));
  }
  if (chain.empty()) return problem(Field::kChain, "has no certificate in PEM");
  return chain;
}

// A host as clients may name it, or a wildcard for one label.
bool is_host(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.empty() || name.size() > 253 || name.front() == '.' || name.find("..") != name.npos) return false;
  return std::ranges::all_of(name, [](char c) { return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_'; });
}

std::expected<std::vector<std::string>, CertificateProblem> names_of(const X509* certificate) {
  std::vector<std::string> names;
  std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type != GEN_DNS && name->type != GEN_IPADD) continue;
    const ASN1_STRING* text = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    std::string bytes(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                      static_cast<size_t>(ASN1_STRING_length(text)));
    if (name->type == GEN_IPADD) {
      std::array<char, INET6_ADDRSTRLEN> address{};
      if (bytes.size() != 4 && bytes.size() != 16) return problem(Field::kChain, "is for an address that is none");
      inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), address.data(), address.size());
      names.emplace_back(address.data());
      continue;
    }
    if (!is_host(bytes)) {
      return problem(Field::kChain, concat("is for ", base::quoted(bytes), ", which is no host's name"));
    }
    names.push_back(absl::AsciiStrToLower(bytes));
  }
  return names;
}

std::string key_kind_of(const EVP_PKEY* key) { return EVP_PKEY_get0_type_name(key); }

std::string key_type_of(const EVP_PKEY* key) {
  std::string kind = key_kind_of(key);
  if (kind == "RSA") return concat("RSA ", EVP_PKEY_get_bits(key));
  std::array<char, 64> group{};
  if (kind != "EC" || EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) != 1) return kind;
  std::string_view name(group.data());
  if (name == "prime256v1") name = "P-256";
  if (name == "secp384r1") name = "P-384";
  if (name == "secp521r1") name = "P-521";
  return concat("EC ", name);
}

std::string fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  X509_digest(certificate, EVP_sha256(), digest.data(), &size);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), size});
}

bool has_signed(X509* issuer, X509* certificate) {
  bool is_issuer =
      X509_check_issued(issuer, certificate) == X509_V_OK && X509_verify(certificate, X509_get0_pubkey(issuer)) == 1;
  ERR_clear_error();
  return is_issuer;
}

int refuse_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

std::expected<KeyPtr, CertificateProblem> parse_key(std::string_view pem) {
  BioPtr in = bio_over(pem);
  bool asked = false;
  KeyPtr key(PEM_read_bio_PrivateKey(in.get(), nullptr, &refuse_passphrase, &asked));
  if (asked) {
    ERR_clear_error();
    return problem(Field::kPrivateKey, "is encrypted with a passphrase; give it without (openssl pkey -in FILE)");
  }
  if (!key && pem.find("-----BEGIN") == std::string_view::npos) {
    ERR_clear_error();
    return problem(Field::kPrivateKey, "has no private key in PEM");
  }
  if (!key) return problem(Field::kPrivateKey, concat("cannot be read: ", take_error()));
  return key;
}

// The part that is about the certificate; null for none. The issuer's key need not be at hand for that.
OCSP_SINGLERESP* find_single(OCSP_BASICRESP* basic, const X509* leaf) {
  for (int i = 0; i < OCSP_resp_count(basic); ++i) {
    OCSP_SINGLERESP* single = OCSP_resp_get0(basic, i);
    ASN1_INTEGER* serial = nullptr;
    auto* id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));
    OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial, id);
    if (serial && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0) return single;
  }
  return nullptr;
}

// By the certificate's issuer, or by whom that one has entitled to it.
bool is_signed_by_issuer(OCSP_BASICRESP* basic, stack_st_X509* further) {
  std::unique_ptr<X509_STORE, decltype(&X509_STORE_free)> issuer(X509_STORE_new(), &X509_STORE_free);
  X509_STORE_add_cert(issuer.get(), sk_X509_value(further, 0));
  return OCSP_basic_verify(basic, further, issuer.get(), OCSP_PARTIAL_CHAIN) == 1;
}

// What is wrong with a response beside this certificate, in words; empty for nothing. `further`: the chain's others;
// where the issuer is not among them nobody knows who has signed. `not_after`: until when it holds.
std::string look_at(const std::string& der, const X509* leaf, stack_st_X509* further, config::WallTime& not_after) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  std::unique_ptr<OCSP_RESPONSE, decltype(&OCSP_RESPONSE_free)> response(
      d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())), &OCSP_RESPONSE_free);
  std::unique_ptr<OCSP_BASICRESP, decltype(&OCSP_BASICRESP_free)> basic(OCSP_response_get1_basic(response.get()),
                                                                        &OCSP_BASICRESP_free);
  if (!basic) return concat("has no status in it: ", take_error());
  OCSP_SINGLERESP* single = find_single(basic.get(), leaf);
  if (!single) return "is about another certificate";
  ASN1_GENERALIZEDTIME* next = nullptr;
  const int status = OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next);
  if (status == V_OCSP_CERTSTATUS_REVOKED) return "says that the certificate is revoked";
  if (status != V_OCSP_CERTSTATUS_GOOD) return "says that the certificate is not known";
  if (next) not_after = time_of(next);
  if (sk_X509_num(further) > 0 && !is_signed_by_issuer(basic.get(), further)) {
    return concat("is not signed by the certificate's issuer: ", take_error());
  }
  return "";
}

// What a handshake would say of it.
std::expected<void, CertificateProblem> try_out(const Identity& identity) {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (SSL_CTX_use_certificate(context.get(), identity.leaf()) != 1) {
    return problem(Field::kChain, concat("cannot be used: ", take_error()));
  }
  if (SSL_CTX_use_PrivateKey(context.get(), identity.key()) != 1) {
    return problem(Field::kPrivateKey, concat("cannot be used: ", take_error()));
  }
  if (SSL_CTX_set1_chain(context.get(), identity.further()) != 1) {
    return problem(Field::kChain, concat("cannot be used: ", take_error()));
  }
  return {};
}

}  // namespace

std::string take_error() {
  unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(error);
  return reason ? reason : "it makes no sense";
}

std::expected<Chain, CertificateProblem> read_chain(std::string_view pem) {
  auto parsed = parse(pem);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  const std::vector<CertificatePtr>& chain = *parsed;
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    if (has_signed(chain[i + 1].get(), chain[i].get())) continue;
    bool is_reversed = has_signed(chain[i].get(), chain[i + 1].get());
    return problem(Field::kChain, concat("is in the wrong order, or not of one piece: certificate ", i + 2, " (",
                                         subject_of(chain[i + 1].get()), ") has not signed certificate ", i + 1, " (",
                                         subject_of(chain[i].get()), ")", is_reversed ? ", but the reverse" : "",
                                         "; the one for the key comes first"));
  }
  X509* leaf = chain.front().get();
  auto names = names_of(leaf);
  if (!names) return std::unexpected(std::move(names.error()));
  const EVP_PKEY* key = X509_get0_pubkey(leaf);
  if (!key) return problem(Field::kChain, concat("has a key that cannot be read: ", take_error()));
  Chain result{.pem = {},
               .facts = {.subject = subject_of(leaf),
                         .issuer = name_text(X509_get_issuer_name(leaf)),
                         .names = *std::move(names),
                         .not_before = time_of(X509_get0_notBefore(leaf)),
                         .not_after = time_of(X509_get0_notAfter(leaf)),
                         .fingerprint = fingerprint_of(leaf),
                         .key_type = key_type_of(key),
                         .expires = config::WallTime::max()}};
  BioPtr out(BIO_new(BIO_s_mem()));
  for (const CertificatePtr& certificate : chain) {
    result.facts.expires = std::min(result.facts.expires, time_of(X509_get0_notAfter(certificate.get())));
    PEM_write_bio_X509(out.get(), certificate.get());
  }
  result.pem = text_of(out.get());
  return result;
}

std::string check_ocsp_response(std::string_view base64, std::string* der) {
  std::string bytes;
  if (!absl::Base64Unescape(config::as_absl(base64), &bytes)) return "is not base64";
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  std::unique_ptr<OCSP_RESPONSE, decltype(&OCSP_RESPONSE_free)> response(
      d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(bytes.size())), &OCSP_RESPONSE_free);
  if (!response) return concat("is no OCSP response: ", take_error());
  if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return concat("says ", OCSP_response_status_str(OCSP_response_status(response.get())), " instead of a status");
  }
  if (der) *der = std::move(bytes);
  return "";
}

bool is_used_key_type(std::string_view type) {
  return type.starts_with("RSA ") || type == "EC P-256" || type == "EC P-384" || type == "EC P-521" ||
         type == "ED25519";
}

Identity::~Identity() {
  EVP_PKEY_free(key_);
  X509_free(leaf_);
  sk_X509_pop_free(further_, &X509_free);
}

std::expected<std::shared_ptr<const Identity>, CertificateProblem> Identity::make(std::string_view chain,
                                                                                  std::string_view private_key,
                                                                                  std::string_view ocsp_response) {
  auto certificates = parse(chain);
  if (!certificates) return std::unexpected(std::move(certificates.error()));
  auto key = parse_key(private_key);
  if (!key) return std::unexpected(std::move(key.error()));
  for (size_t i = 0; i < certificates->size(); ++i) {
    bool matches = X509_check_private_key((*certificates)[i].get(), key->get()) == 1;
    ERR_clear_error();
    if (matches && i == 0) break;
    if (matches) {
      return problem(Field::kChain, concat("is in the wrong order: private_key belongs to certificate ", i + 1, " (",
                                           subject_of((*certificates)[i].get()), "), which comes first"));
    }
    if (i + 1 == certificates->size()) {
      return problem(Field::kPrivateKey,
                     concat("does not belong to the certificate of ", subject_of(certificates->front().get())));
    }
  }
  std::shared_ptr<Identity> identity(new Identity);
  auto names = names_of(certificates->front().get());
  if (!names) return std::unexpected(std::move(names.error()));
  identity->names_ = *std::move(names);
  identity->key_kind_ = key_kind_of(key->get());
  identity->key_ = key->release();
  identity->leaf_ = certificates->front().release();
  identity->further_ = sk_X509_new_null();
  for (size_t i = 1; i < certificates->size(); ++i) sk_X509_push(identity->further_, (*certificates)[i].release());
  if (!ocsp_response.empty()) {
    Staple staple;
    std::string wrong = check_ocsp_response(ocsp_response, &staple.der);
    if (!wrong.empty()) return problem(Field::kOcspResponse, std::move(wrong));
    staple.problem = look_at(staple.der, identity->leaf(), identity->further(), staple.not_after);
    ERR_clear_error();
    identity->staple_ = std::move(staple);
  }
  if (auto usable = try_out(*identity); !usable) return std::unexpected(std::move(usable.error()));
  return identity;
}

}  // namespace fairlead::tls
