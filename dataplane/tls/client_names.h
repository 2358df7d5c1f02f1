// The names in a client's certificate, for who goes by them.
#pragma once

#include <string>
#include <vector>

typedef struct x509_st X509;

namespace fairlead::tls {

// As they stand there, which may be any bytes.
struct ClientNames {
  // Subject alternative names.
  std::vector<std::string> uris;
  std::vector<std::string> hosts;
  // Empty where the subject has none, or more than one.
  std::string common_name;
};

// Nothing of null.
ClientNames names_in(const X509* certificate);

}  // namespace fairlead::tls
