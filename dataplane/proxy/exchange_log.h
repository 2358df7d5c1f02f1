// What the access log will say of a request or a TCP connection, gathered on its way. Where there is no access log it
// is one null pointer.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "observe/access_record.h"
#include "proxy/client.h"

namespace fairlead::proxy {

class ExchangeLog {
 public:
  // Of a request whose head is complete.
  ExchangeLog(Client& client, const http::RequestHead& head);
  // Of a TCP connection.
  explicit ExchangeLog(Client& client);

  void backend(const config::Backend& backend) {
    if (line_) line_->backend = backend.name;
  }
  // A server was picked; of several the last one counts.
  void server(const config::Server& server) {
    if (line_) found(server);
  }
  void connected() {
    if (line_) enter(line_->record.connect);
  }
  void response_began() {
    if (line_) enter(line_->record.first_byte);
  }
  void retried() {
    if (line_) ++line_->record.retries;
  }
  // Writes the line. `status` 0: none was sent.
  void end(uint16_t status, std::string_view how, uint64_t bytes_in, uint64_t bytes_out) {
    if (line_) write(status, how, bytes_in, bytes_out);
  }

 private:
  struct Line {
    observe::AccessRecord record;
    runtime::TimePoint started;
    runtime::TimePoint phase_began;
    std::string client;
    std::string listener;
    std::string backend;
    std::string server;
    std::string method;
    std::string target;
  };

  void begin(runtime::TimePoint started);
  void found(const config::Server& server);
  void enter(observe::AccessRecord::Phase& phase);
  void write(uint16_t status, std::string_view how, uint64_t bytes_in, uint64_t bytes_out);

  Client& client_;
  std::unique_ptr<Line> line_;
};

// A line for what never became a request. `head`: null where it has none.
void log_refusal(Client& client, uint16_t status, std::string_view how, const http::RequestHead* head = nullptr);

}  // namespace fairlead::proxy
