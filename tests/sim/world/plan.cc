#include "sim_world/plan.h"

#include <array>
#include <sstream>

namespace fairlead::sim {

using test_support::Random;

std::string body_bytes(uint64_t id, std::string_view kind, size_t size) {
  std::string mark = std::string(kind) + " of " + std::to_string(id) + ";";
  std::string bytes;
  bytes.reserve(size + mark.size());
  // Positions are part of it, so that no piece is like another.
  while (bytes.size() < size) bytes += mark + std::to_string(bytes.size()) + ",";
  bytes.resize(size);
  return bytes;
}

namespace {

std::string in_chunks(const std::string& body, Random& random) {
  std::ostringstream framed;
  for (size_t at = 0; at < body.size();) {
    size_t size = random.between(1, std::min<size_t>(body.size() - at, random.chance(0.5) ? 20 : 20'000));
    framed << std::hex << size << (random.chance(0.1) ? ";note=1" : "") << "\r\n" << body.substr(at, size) << "\r\n";
    at += size;
  }
  framed << "0\r\n" << (random.chance(0.1) ? "x-trailer: 1\r\n" : "") << "\r\n";
  return framed.str();
}

size_t draw_size(Random& random) {
  switch (random.below(6)) {
    case 0:
      return 0;
    case 1:
      return random.below(10);
    case 2:
      return random.below(200'000);
    default:
      return random.below(3'000);
  }
}

}  // namespace

std::string Plan::expected_body() const {
  return has_response_body() ? body_bytes(id, "response", response_size) : std::string();
}

std::string Plan::request_body() const { return body_bytes(id, "request", request_size); }

std::string Plan::request_head(std::string_view host) const {
  std::ostringstream head;
  head << method << " /exchange/" << id << " HTTP/1.1\r\nHost: " << host << "\r\nX-Plan: " << encode() << "\r\n";
  if (request_framing == Framing::kChunked) {
    head << "Transfer-Encoding: chunked\r\n";
  } else if (request_size > 0) {
    head << "Content-Length: " << request_size << "\r\n";
  }
  if (expect_continue) head << "Expect: 100-continue\r\n";
  head << "\r\n";
  return head.str();
}

std::string Plan::framed_request_body(Random& random) const {
  return request_framing == Framing::kChunked ? in_chunks(request_body(), random) : request_body();
}

std::string Plan::response_head() const {
  std::ostringstream head;
  head << "HTTP/1.1 " << status << " Whatever\r\nX-Id: " << id << "\r\n";
  bool bodiless_status = status == 204 || status == 304;
  if (response_framing == Framing::kChunked && !bodiless_status) head << "Transfer-Encoding: chunked\r\n";
  if (response_framing == Framing::kSized && !bodiless_status) head << "Content-Length: " << response_size << "\r\n";
  if (close) head << "Connection: close\r\n";
  if (!set_cookie.empty()) head << "Set-Cookie: " << set_cookie << "\r\n";
  head << "\r\n";
  return head.str();
}

std::string Plan::framed_response_body(Random& random) const {
  if (!has_response_body()) return {};
  return response_framing == Framing::kChunked ? in_chunks(expected_body(), random) : expected_body();
}

std::string Plan::encode() const {
  std::ostringstream text;
  text << id << ' ' << method << ' ' << request_size << ' ' << static_cast<int>(request_framing) << ' '
       << expect_continue << ' ' << status << ' ' << response_size << ' ' << static_cast<int>(response_framing) << ' '
       << interim_responses << ' ' << early << ' ' << close << ' ' << close_silently << ' ' << delay_ms << ' '
       << static_cast<int>(fate) << ' ' << fated_tries;
  return text.str();
}

std::optional<Plan> Plan::decode(std::string_view text) {
  std::istringstream in{std::string(text)};
  Plan plan;
  int request_framing = 0;
  int response_framing = 0;
  int fate = 0;
  in >> plan.id >> plan.method >> plan.request_size >> request_framing >> plan.expect_continue >> plan.status >>
      plan.response_size >> response_framing >> plan.interim_responses >> plan.early >> plan.close >>
      plan.close_silently >> plan.delay_ms >> fate >> plan.fated_tries;
  if (!in) return {};
  plan.request_framing = static_cast<Framing>(request_framing);
  plan.response_framing = static_cast<Framing>(response_framing);
  plan.fate = static_cast<Fate>(fate);
  return plan;
}

Plan Plan::draw(Random& random, uint64_t id) {
  Plan plan{.id = id};
  plan.method = std::array{"GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"}[random.below(8)];
  if (plan.method == "POST" || plan.method == "PUT" || plan.method == "PATCH" || random.chance(0.05)) {
    plan.request_size = draw_size(random);
    if (random.chance(0.5)) plan.request_framing = Framing::kChunked;
    plan.expect_continue = plan.request_size > 0 && random.chance(0.2);
    plan.early = random.chance(0.2);
  }
  plan.status = std::array{200, 200, 200, 200, 201, 204, 304, 404, 500}[random.below(9)];
  plan.response_size = draw_size(random);
  plan.response_framing = static_cast<Framing>(random.below(8) == 0 ? 2 : random.below(2));
  plan.close = random.chance(0.1) || plan.response_framing == Framing::kUntilClose;
  plan.interim_responses = random.chance(0.2) ? static_cast<int>(random.between(1, 3)) : 0;
  plan.delay_ms = random.chance(0.3) ? static_cast<int>(random.below(2'000)) : 0;
  return plan;
}

}  // namespace fairlead::sim
