#include "desired/digest.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <bit>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"

namespace fairlead::desired {
namespace {

namespace api = fairlead::v1;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

static_assert(std::endian::native == std::endian::little, "hashes are taken from memory as they stand");

// "2001:DB8:0::1" is "2001:db8::1"; an IPv4 address has one spelling only.
void normalize_ip(std::string& ip) {
  in6_addr parsed{};
  if (inet_pton(AF_INET6, ip.c_str(), &parsed) != 1) return;
  char text[INET6_ADDRSTRLEN];
  ip = inet_ntop(AF_INET6, &parsed, text, sizeof text);
}

// With a port; paths have one spelling only.
void normalize_address(std::string& address) {
  const std::size_t end = address.find("]:");
  if (!absl::StartsWith(address, "[") || end == std::string::npos) return;
  std::string ip = address.substr(1, end - 1);
  normalize_ip(ip);
  address = absl::StrCat("[", ip, address.substr(end));
}

// Which may be a name as well: "App.Internal.:80" is "app.internal:80".
void normalize_server_address(std::string& address) {
  if (absl::StartsWith(address, "unix:")) return;
  if (absl::StartsWith(address, "[")) return normalize_address(address);
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) return;
  std::string host = absl::AsciiStrToLower(address.substr(0, colon));
  if (host.ends_with('.')) host.pop_back();
  address = absl::StrCat(host, address.substr(colon));
}

// Of a message that may be there or not: one that is made here says nothing, and goes.
template <typename HealthCheck>
void normalize_check(HealthCheck& check) {
  normalize_address(*check.mutable_address());
  normalize_address(*check.mutable_agent()->mutable_address());
}

// The certificates alone, as OpenSSL writes them: without words between them, in lines of 64 characters.
void normalize_chain(std::string& pem) {
  const auto free_bio = [](BIO* bio) { BIO_free(bio); };
  const std::unique_ptr<BIO, decltype(free_bio)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<BIO, decltype(free_bio)> out(BIO_new(BIO_s_mem()));
  while (X509* certificate = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) {
    PEM_write_bio_X509(out.get(), certificate);
    X509_free(certificate);
  }
  // The end of the text is an error to it, like any other.
  const bool is_read = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  if (is_read && size > 0) pem.assign(text, static_cast<std::size_t>(size));
}

// A duration: 0 s is a value. TLS, which is on where it is there, and how it is.
bool says_something_by_being_there(const Message& message) {
  const google::protobuf::Descriptor* type = message.GetDescriptor();
  return type->full_name() == "google.protobuf.Duration" || type == api::BackendTls::descriptor() ||
         type == api::ListenerTls::descriptor() || type == api::TlsPassThrough::descriptor() ||
         type == api::ClientCertificates::descriptor();
}

bool is_empty(const Message& message) { return message.ByteSizeLong() == 0 && !says_something_by_being_there(message); }

void clear_empty(Message& message) {
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (field->is_repeated()) {
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        clear_empty(*reflection.MutableRepeatedMessage(&message, field, i));
      }
      continue;
    }
    // An empty member of a oneof is a choice.
    if (field->real_containing_oneof() != nullptr) continue;
    Message& within = *reflection.MutableMessage(&message, field);
    clear_empty(within);
    if (is_empty(within)) reflection.ClearField(&message, field);
  }
}

// The kind's byte, then the message, its maps in the order of their keys.
template <typename Resource>
std::string canonical(char kind, const Resource& resource) {
  std::string bytes(1, kind);
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.SetSerializationDeterministic(true);
  resource.SerializeToCodedStream(&out);
  out.Trim();
  return bytes;
}

std::string canonical(const api::Resource& resource) {
  if (resource.has_listener()) return canonical('\1', resource.listener());
  if (resource.has_backend()) return canonical('\2', resource.backend());
  if (resource.has_certificate()) {
    api::Certificate without_key = resource.certificate();
    without_key.clear_private_key();
    return canonical('\4', without_key);
  }
  return canonical('\3', resource.server());
}

}  // namespace

void normalize(api::Listener& listener) {
  listener.clear_metadata();
  listener.clear_status();
  for (std::string& address : *listener.mutable_bind()) normalize_address(address);
  clear_empty(listener);
}

void normalize(api::Backend& backend) {
  backend.clear_metadata();
  backend.clear_status();
  backend.clear_servers();
  normalize_check(*backend.mutable_health_check());
  normalize_ip(*backend.mutable_connection_pool()->mutable_source_address());
  clear_empty(backend);
}

void normalize(api::Server& server) {
  server.clear_metadata();
  server.clear_status();
  normalize_server_address(*server.mutable_address());
  if (!server.has_health_check()) return;
  normalize_check(*server.mutable_health_check());
  clear_empty(server);
}

void normalize(api::Certificate& certificate) {
  certificate.clear_metadata();
  certificate.clear_status();
  normalize_chain(*certificate.mutable_chain());
  certificate.set_ocsp_response(std::string(absl::StripAsciiWhitespace(certificate.ocsp_response())));
}

Digest::Hash Digest::hash(const api::Resource& resource) {
  const std::string bytes = canonical(resource);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> sha;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), sha.data());
  Hash hash;
  static_assert(sizeof hash == sizeof sha);
  std::memcpy(hash.data(), sha.data(), sizeof hash);
  return hash;
}

std::string Digest::bytes() const { return {reinterpret_cast<const char*>(sum_.data()), sizeof sum_}; }

std::string short_digest(const std::string& bytes) { return absl::BytesToHexString(bytes.substr(0, 8)); }

}  // namespace fairlead::desired
