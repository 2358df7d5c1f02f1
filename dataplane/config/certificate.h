// A certificate as a resource, and what is known of it.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "config/model.h"

namespace fairlead::tls {
class Identity;
}

namespace fairlead::config {

// Of the first certificate of a chain, but for `expires`.
struct CertificateFacts {
  std::string subject;
  std::string issuer;
  // Hosts in lower case, "*.example.com" among them, and addresses.
  std::vector<std::string> names;
  WallTime not_before;
  WallTime not_after;
  // SHA-256, in hexadecimal digits.
  std::string fingerprint;
  // "RSA 2048", "EC P-256", "ED25519".
  std::string key_type;
  // The first end of any certificate of the chain.
  WallTime expires;
};

struct Certificate : base::RefCounted {
  std::string name;
  Metadata metadata;
  // PEM, nothing but certificates.
  std::string chain;
  // PEM. Empty only in what was asked for: the key stays then that is there.
  std::string private_key;
  // The same as the journal has it, encrypted; empty where nothing is kept.
  std::string sealed_key;
  // Base64; may be empty.
  std::string ocsp_response;
  Labels labels;
  CertificateFacts facts;
  // All of that as handshakes use it; null where there is no key.
  std::shared_ptr<const tls::Identity> identity;
};

}  // namespace fairlead::config
