#include "tls/identity.h"

#include <openssl/ocsp.h>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "test_support/made_certificate.h"

namespace fairlead::tls {
namespace {

// An OCSP response in base64 that the certificate's own key has signed: of `status`, until so many seconds from now.
std::string ocsp_response(const MadeCertificate& made, int status, long seconds) {
  BIO* chain = BIO_new_mem_buf(made.chain.data(), static_cast<int>(made.chain.size()));
  BIO* text = BIO_new_mem_buf(made.key.data(), static_cast<int>(made.key.size()));
  X509* certificate = PEM_read_bio_X509(chain, nullptr, nullptr, nullptr);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
  OCSP_BASICRESP* basic = OCSP_BASICRESP_new();
  OCSP_CERTID* id = OCSP_cert_to_id(EVP_sha1(), certificate, certificate);
  ASN1_TIME* from = X509_gmtime_adj(nullptr, -7200);
  ASN1_TIME* until = X509_gmtime_adj(nullptr, seconds);
  const bool is_revoked = status == V_OCSP_CERTSTATUS_REVOKED;
  OCSP_basic_add1_status(basic, id, status, OCSP_REVOKED_STATUS_NOSTATUS, is_revoked ? from : nullptr, from, until);
  OCSP_basic_sign(basic, certificate, key, EVP_sha256(), nullptr, 0);
  OCSP_RESPONSE* response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  unsigned char* bytes = nullptr;
  const int size = i2d_OCSP_RESPONSE(response, &bytes);
  std::string base64 = absl::Base64Escape({reinterpret_cast<const char*>(bytes), static_cast<size_t>(size)});
  OPENSSL_free(bytes);
  OCSP_RESPONSE_free(response);
  ASN1_TIME_free(until);
  ASN1_TIME_free(from);
  OCSP_CERTID_free(id);
  OCSP_BASICRESP_free(basic);
  EVP_PKEY_free(key);
  X509_free(certificate);
  BIO_free(text);
  BIO_free(chain);
  return base64;
}

std::shared_ptr<const Identity> identity(const MadeCertificate& made, const std::string& ocsp) {
  auto made_of_it = Identity::make(made.chain, made.key, ocsp);
  EXPECT_TRUE(made_of_it) << made_of_it.error().text;
  return *made_of_it;
}

TEST(IdentityTest, SaysWhatAnOcspResponseIsWorth) {
  const MadeCertificate made = make_certificate("example.com");
  EXPECT_EQ(identity(made, "")->staple(), nullptr);
  auto good = identity(made, ocsp_response(made, V_OCSP_CERTSTATUS_GOOD, 3600));
  EXPECT_EQ(good->staple()->problem, "");
  const auto left = good->staple()->not_after - std::chrono::system_clock::now();
  EXPECT_GT(left, std::chrono::minutes(55));
  EXPECT_LE(left, std::chrono::minutes(60));
  auto ended = identity(made, ocsp_response(made, V_OCSP_CERTSTATUS_GOOD, -60));
  EXPECT_EQ(ended->staple()->problem, "");
  EXPECT_LT(ended->staple()->not_after, std::chrono::system_clock::now());
  auto problem = [&](int status) { return identity(made, ocsp_response(made, status, 3600))->staple()->problem; };
  EXPECT_EQ(problem(V_OCSP_CERTSTATUS_REVOKED), "says that the certificate is revoked");
  EXPECT_EQ(problem(V_OCSP_CERTSTATUS_UNKNOWN), "says that the certificate is not known");
}

TEST(IdentityTest, KeysThatClientsKnow) {
  for (const char* type : {"RSA 2048", "RSA 4096", "EC P-256", "EC P-384", "EC P-521", "ED25519"})
    EXPECT_TRUE(is_used_key_type(type)) << type;
  for (const char* type : {"", "RSA", "RSA-PSS", "EC secp256k1", "EC P-224", "ED448", "DSA"})
    EXPECT_FALSE(is_used_key_type(type)) << type;
}

}  // namespace
}  // namespace fairlead::tls
