// What understanding and rewriting a head costs: the codec's part of a proxied request. For instructions:
//   valgrind --tool=callgrind --toggle-collect="*typical_request*" bench_codec --benchmark_filter=ParseRequest
#include <benchmark/benchmark.h>

#include <array>
#include <string_view>

#include "codec/body.h"
#include "codec/http1_request.h"
#include "codec/http1_response.h"
#include "codec/http1_writer.h"

namespace fairlead::codec {
namespace {

constexpr std::string_view kRequest =
    "GET /api/v1/items/12345?expand=all HTTP/1.1\r\n"
    "Host: shop.example.com\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/json;q=0.9,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Connection: keep-alive\r\n\r\n";

constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\n"
    "Server: origin/1.0\r\n"
    "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 34\r\n"
    "Connection: keep-alive\r\n\r\n";

http::RequestHead request;
http::ResponseHead response;
std::array<char, 4096> out;
std::array<char, kMaxForwardedLines> client_memory;
const ForwardedLines client = make_forwarded_lines("10.20.30.40", "http", client_memory);
const ViaLine via("fairlead");

// Functions of their own, so that a profiler can count inside them alone.
[[gnu::noinline]] HeadResult parse_typical_request() { return parse_request_head(kRequest, HeadLimits{}, request); }
[[gnu::noinline]] HeadResult parse_typical_response() {
  return parse_response_head(kResponse, HeadLimits{}, {}, response);
}
[[gnu::noinline]] std::optional<size_t> write_typical_request() {
  return write_request_head(request, {.client = client, .via = &via}, out);
}
[[gnu::noinline]] std::optional<size_t> write_typical_response() {
  return write_response_head(response, {.via = &via}, out);
}

template <auto kStep>
void run(benchmark::State& state) {
  parse_typical_request();
  parse_typical_response();
  for (auto _ : state) {
    auto result = kStep();
    benchmark::DoNotOptimize(result);
    benchmark::ClobberMemory();
  }
}

void decode_chunks(benchmark::State& state) {
  constexpr std::string_view kBody = "1f\r\n0123456789012345678901234567890\r\n0\r\n\r\n";
  for (auto _ : state) {
    BodyDecoder decoder({.kind = http::BodyKind::kChunked});
    auto progress = decoder.decode(kBody);
    benchmark::DoNotOptimize(progress);
  }
}

BENCHMARK(run<parse_typical_request>)->Name("ParseRequest");
BENCHMARK(run<write_typical_request>)->Name("WriteRequest");
BENCHMARK(run<parse_typical_response>)->Name("ParseResponse");
BENCHMARK(run<write_typical_response>)->Name("WriteResponse");
BENCHMARK(decode_chunks)->Name("DecodeSmallChunkedBody");

}  // namespace
}  // namespace fairlead::codec
