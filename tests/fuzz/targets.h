// What is fuzzed. Each target checks properties of any input at all and ends the process where one does not hold.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace fairlead {

void fuzz_http1_request(std::string_view input);
void fuzz_http1_response(std::string_view input);
void fuzz_chunked_body(std::string_view input);
void fuzz_path(std::string_view input);
void fuzz_configuration(std::string_view input);
void fuzz_management(std::string_view input);
void fuzz_proxy_header(std::string_view input);
void fuzz_client_hello(std::string_view input);
void fuzz_tls_records(std::string_view input);

inline void demand(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", property);
  std::abort();
}

// A copy alone in memory of its size, so that a sanitizer sees a read behind it.
class Alone {
 public:
  explicit Alone(std::string_view bytes) : memory_(std::make_unique<char[]>(bytes.size())), size_(bytes.size()) {
    bytes.copy(memory_.get(), size_);
  }
  std::string_view text() const { return {memory_.get(), size_}; }

 private:
  std::unique_ptr<char[]> memory_;
  size_t size_;
};

}  // namespace fairlead
