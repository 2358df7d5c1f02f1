// The bytes that an origin answers with, made once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "origin/settings.h"

namespace fairlead::origin {

// What a response depends on.
struct ResponseFacts {
  int status = 200;
  bool head_only = false;
  bool close = false;
  // The request had a body, of so many bytes.
  bool has_body = false;
  uint64_t body_bytes = 0;
};

class Responses {
 public:
  explicit Responses(const Settings& settings);

  // Valid until the next call.
  std::string_view of(const ResponseFacts& facts);

 private:
  std::string compose(const ResponseFacts& facts) const;

  const Settings& settings_;
  std::string body_;
  std::string usual_;
  std::string composed_;
};

}  // namespace fairlead::origin
