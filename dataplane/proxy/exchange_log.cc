#include "proxy/exchange_log.h"

#include <array>

#include "observe/access_log.h"

namespace fairlead::proxy {
namespace {

std::chrono::microseconds microseconds_of(runtime::Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration);
}

}  // namespace

ExchangeLog::ExchangeLog(Client& client, const http::RequestHead& head) : client_(client) {
  if (!client.context().access_log) return;
  begin(client.request_began());
  line_->method = head.method_text;
  line_->target = head.target;
  line_->record.version = head.version == http::Version::kHttp11 ? "HTTP/1.1" : "HTTP/1.0";
  enter(line_->record.head);
}

ExchangeLog::ExchangeLog(Client& client) : client_(client) {
  if (client.context().access_log) begin(client.now());
}

void ExchangeLog::begin(runtime::TimePoint started) {
  line_ = std::make_unique<Line>();
  line_->started = line_->phase_began = started;
  line_->record.time = std::chrono::system_clock::now() - microseconds_of(client_.now() - started);
  line_->client = client_.address_and_port();
  line_->listener = client_.settings().name;
}

void ExchangeLog::found(const config::Server& server) {
  line_->server = server.name;
  enter(line_->record.wait);
}

void ExchangeLog::enter(observe::AccessRecord::Phase& phase) {
  phase = microseconds_of(client_.now() - line_->phase_began);
  line_->phase_began = client_.now();
}

void ExchangeLog::write(uint16_t status, std::string_view how, uint64_t bytes_in, uint64_t bytes_out) {
  observe::AccessRecord& record = line_->record;
  record.client = line_->client;
  record.listener = line_->listener;
  record.backend = line_->backend;
  record.server = line_->server;
  record.method = line_->method;
  record.target = line_->target;
  record.status = status;
  record.end = client_.was_cut_off() ? "shutdown_deadline" : how;
  record.bytes_in = bytes_in;
  record.bytes_out = bytes_out;
  record.total = microseconds_of(client_.now() - line_->started);
  client_.context().access_log->write(client_.context().worker, record);
  line_.reset();
}

void log_refusal(Client& client, uint16_t status, std::string_view how, const http::RequestHead* head) {
  ExchangeLog log = head ? ExchangeLog(client, *head) : ExchangeLog(client);
  log.end(status, how, 0, 0);
}

}  // namespace fairlead::proxy
