// What the access log will say of an exchange, gathered on its way. Does nothing where there is no access log.
#pragma once

#include "proxy/client.h"

namespace fairlead::proxy {

class ExchangeLog {
 public:
  ExchangeLog(Client&, const http::RequestHead&) {}
  explicit ExchangeLog(Client&) {}
  void server(const config::Server&) {}
  void connected(runtime::TimePoint) {}
  void response_began(runtime::TimePoint) {}
  void retried() {}
  void end(runtime::TimePoint, uint16_t, std::string_view) {}
};

inline void log_refusal(Client&, uint16_t, std::string_view) {}

}  // namespace fairlead::proxy
