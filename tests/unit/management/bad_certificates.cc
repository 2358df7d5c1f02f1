// Rows of bad_input_test.cc: what is wrong with certificates, and with TLS on either side.
#include "bad_input_rows.h"

namespace fairlead::management {
namespace {

const Row kRows[] = {
    {48, "CertificateWithoutChain", "create { certificate { name: \"c\" } }", kInvalid, kArgument,
     "certificate c: chain: is not set"},
    {48, "CertificateNotPem", "create { certificate { name: \"c\" chain: \"x\" private_key: \"x\" } }", kInvalid,
     kArgument, "certificate c: chain: has no certificate in PEM"},
    {48, "CertificateInTheWrongPlace",
     "patch { resource { certificate { name: \"c\" chain: \"x\" } } update_mask { paths: \"chain\" } }",
     v1::REASON_NOT_FOUND, StatusCode::NOT_FOUND, "certificate c: does not exist"},
    {48, "TlsWithoutCertificate", http("tls {}"), kInvalid, kArgument, "tls.certificates: is empty"},
    {48, "TlsCertificateTwice", http("tls { certificates: \"a\" certificates: \"a\" }"), kInvalid, kArgument,
     "tls.certificates[1]: \"a\" is there twice"},
    {48, "TlsCertificateAbsent", http("tls { certificates: \"a\" }"), v1::REASON_NOT_FOUND, StatusCode::NOT_FOUND,
     "tls.certificates[0]: certificate a does not exist"},
    {48, "TlsVersionUnknown", http("tls { certificates: \"a\" min_version: 9 }"), kInvalid, kArgument,
     "tls.min_version: 9"},
    {48, "TlsCipherUnknown", http("tls { certificates: \"a\" ciphers: \"ECDHE-RSA-AES128-GCM-SHA256:x\" }"), kInvalid,
     kArgument, "tls.ciphers: knows no cipher \"x\""},
    {48, "TlsCipherSuiteUnknown", http("tls { certificates: \"a\" cipher_suites: \"x\" }"), kInvalid, kArgument,
     "tls.cipher_suites: has a cipher suite that is not known"},
    {48, "TlsAlpn", http("tls { certificates: \"a\" alpn: \"h2\" }"), kInvalid, kArgument, "tls.alpn[0]: \"h2\""},
    {48, "TlsClientsWithoutMode", http("tls { certificates: \"a\" client_certificates { ca: \"x\" } }"), kInvalid,
     kArgument, "tls.client_certificates.mode: "},
    {48, "TlsClientsWithoutCa",
     http("tls { certificates: \"a\" client_certificates { mode: CLIENT_CERTIFICATE_MODE_OPTIONAL } }"), kInvalid,
     kArgument, "tls.client_certificates.ca: is not set"},
    {48, "TlsClientsCa",
     http("tls { certificates: \"a\" client_certificates { mode: CLIENT_CERTIFICATE_MODE_OPTIONAL ca: \"x\" } }"),
     kInvalid, kArgument, "tls.client_certificates.ca: has no certificate in PEM"},
    {48, "ServerTlsPin", backend("tls { pins: \"x\" }"), kInvalid, kArgument,
     "tls.pins[0]: is not a SHA-256 in base64"},
    {48, "ServerTlsName", backend("tls { name: \"a..b\" }"), kInvalid, kArgument, "tls.name: "},
    {48, "ServerTlsWildcard", backend("tls { sni: \"*.a.b\" }"), kInvalid, kArgument,
     "tls.sni: \"*.a.b\" is a wildcard"},
    {48, "ServerTlsCa", backend("tls { ca: \"x\" }"), kInvalid, kArgument, "tls.ca: has no certificate in PEM"},
    {48, "ServerTlsCertificate", backend("tls { client_certificate: \"no\" }"), v1::REASON_NOT_FOUND,
     StatusCode::NOT_FOUND, "tls.client_certificate: certificate no does not exist"},
    {48, "PassThroughOfHttp", http("tls { pass_through {} }"), kInvalid, kArgument,
     "tls.pass_through: is for TCP listeners"},
    {48, "TlsHandshakeTimeout", http("tls { certificates: \"a\" handshake_timeout { nanos: 1 } }"), kInvalid, kArgument,
     "tls.handshake_timeout: "},
};

}  // namespace

std::span<const Row> bad_certificates() { return kRows; }

}  // namespace fairlead::management
