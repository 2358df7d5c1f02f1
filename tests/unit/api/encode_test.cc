// What was decoded and encoded again is the same, and decodes to equal settings.
#include "api/encode.h"

#include "api/canonical.h"
#include "api/decode.h"
#include "config/settings.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace fairlead::api {
namespace {

template <typename Message>
Message from_text(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

TEST(EncodeTest, AServerWithEveryField) {
  auto message = from_text<v1::Server>(R"(backend: "web" name: "s1" address: "[::1]:80" weight: 0
    admin_state: ADMIN_STATE_DRAIN health_check { disabled: true port: 7 } labels { key: "zone" value: "a" } labels { key: "rack" value: "" } priority: 15)");
  Decoded<ServerDraft> draft = decode_server(message);
  ASSERT_TRUE(draft) << draft.error().text();
  v1::Server encoded;
  encode(*draft->record, draft->backend, encoded);
  encoded.clear_metadata();
  EXPECT_EQ(encoded.DebugString(), message.DebugString());
  EXPECT_TRUE(config::same_settings(*decode_server(encoded)->record, *draft->record));
}

TEST(EncodeTest, OutlierDetectionThatSaysNothingIsNone) {
  for (const char* text : {"outlier_detection {}", "outlier_detection { success_rate {} failure_percentage {} }"}) {
    auto message = from_text<v1::Backend>(std::string("name: \"web\" ") + text);
    Decoded<base::Ref<config::Backend>> draft = decode_backend(message);
    ASSERT_TRUE(draft) << draft.error().text();
    EXPECT_FALSE((*draft)->outlier_detection) << text;
  }
}

TEST(EncodeTest, AServerThatFollowsAnother) {
  auto message =
      from_text<v1::Server>(R"(backend: "web" name: "s1" address: "[::1]:80" health_check { track: "api/s2" })");
  Decoded<ServerDraft> draft = decode_server(message);
  ASSERT_TRUE(draft) << draft.error().text();
  v1::Server encoded;
  encode(*draft->record, draft->backend, encoded);
  encoded.clear_metadata();
  EXPECT_EQ(encoded.DebugString(), message.DebugString());
  message.mutable_health_check()->set_track("api/s3");
  EXPECT_FALSE(config::same_settings(*decode_server(message)->record, *draft->record));
}

// What few servers say is a record of its own.
TEST(EncodeTest, WhatFewServersSayIsToldApart) {
  const char* texts[] = {"",
                         "min_connections: 0",
                         "min_connections: 5",
                         "health_check { disabled: true }",
                         "health_check { port: 7 } min_connections: 5",
                         "health_check { track: \"a/b\" } min_connections: 5"};
  for (const char* text : texts) {
    auto message = from_text<v1::Server>(std::string("backend: \"web\" name: \"s1\" address: \"[::1]:80\" ") + text);
    Decoded<ServerDraft> draft = decode_server(message);
    ASSERT_TRUE(draft) << draft.error().text();
    EXPECT_EQ(draft->record->extras == nullptr, text[0] == 0);
    v1::Server encoded;
    encode(*draft->record, draft->backend, encoded);
    encoded.clear_metadata();
    EXPECT_EQ(encoded.DebugString(), message.DebugString());
    std::string bytes = canonical(*draft->record, "web");
    EXPECT_EQ(bytes, message.SerializeAsString());
    config::Server read;
    ASSERT_TRUE(read_canonical(bytes, read)) << text;
    for (const char* other : texts) {
      auto changed = from_text<v1::Server>(std::string("backend: \"web\" name: \"s1\" address: \"[::1]:80\" ") + other);
      EXPECT_EQ(config::same_settings(*decode_server(changed)->record, read), other == text) << text << ", " << other;
    }
  }
  auto message = from_text<v1::Server>(R"(backend: "web" name: "s1" address: "[::1]:80" health_check {})");
  EXPECT_EQ(decode_server(message)->record->extras, nullptr) << "nothing is said there";
}

TEST(EncodeTest, AServersNameHasOneSpelling) {
  auto message = from_text<v1::Server>(R"(backend: "web" name: "s1" address: "App.Internal.:80")");
  Decoded<ServerDraft> draft = decode_server(message);
  ASSERT_TRUE(draft) << draft.error().text();
  v1::Server encoded;
  encode(*draft->record, draft->backend, encoded);
  EXPECT_EQ(encoded.address(), "app.internal:80");
  config::Server read;
  ASSERT_TRUE(read_canonical(canonical(*draft->record, "web"), read));
  EXPECT_TRUE(config::same_settings(read, *draft->record));
}

TEST(EncodeTest, ABackendWithEveryField) {
  auto message = from_text<v1::Backend>(R"(name: "web" balance { algorithm: ALGORITHM_RANDOM }
    server_defaults { weight: 3 min_connections: 1 full_connections: 0 } timeouts { connect { nanos: 1000000 } response { seconds: 2 } idle { seconds: 3 } }
    retry {
      attempts: 0 conditions: RETRY_CONDITION_RESET conditions: RETRY_CONDITION_REFUSED statuses: 503 statuses: 429
      non_idempotent: true per_try_timeout { seconds: 1 } back_off { base { nanos: 5 } max { seconds: 2 } }
      budget_percent: 20 hedge_after { nanos: 20000000 }
    } drain { timeout { seconds: 4 } jitter { seconds: 1 nanos: 5 } }
    health_check { http { path: "/x?y" method: HTTP_CHECK_METHOD_OPTIONS host: "[::1]:80" headers { key: "a" value: "b" }
                          expected_statuses { first: 200 last: 204 } expected_statuses { first: 404 last: 404 }
                          body_contains: "ok" }
                   interval { seconds: 5 } timeout { seconds: 4 } rise: 1 fall: 100 fast_interval { seconds: 1 }
                   down_interval { seconds: 60 } address: "unix:/run/x" initial_state: INITIAL_STATE_UP proxy_header: PROXY_HEADER_V2
                   agent { port: 9 interval { seconds: 7 } send: "hi" } }
    connection_pool { idle_timeout {} max_idle: 0 reuse: POOL_REUSE_SAFE max_requests: 0 source_address: "2001:db8::1"
                      purge_delay { seconds: 1 } min_idle: 0 warm: 7 transparent: true }
    labels { key: "a" value: "b" }
    persistence { cookie { name: "SRV" mode: COOKIE_MODE_INSERT secret: "x" indirect: true nocache: true path: "/a"
                           domain: ".example.com" secure: true http_only: true same_site: SAME_SITE_NONE
                           max_age { seconds: 60 } max_idle { seconds: 1 } max_life { seconds: 2 } }
                  table { key: "{source}" max_entries: 5 expire { seconds: 1 } } }
    queue { max_waiting: 0 max_waiting_per_server: 3 timeout { seconds: 7 } }
    circuit { max_requests: 0 max_retries: 5 max_connections: 7 }
    failover { overprovisioning: 100 backups: BACKUP_USE_ALL zones { prefer_near: true label: "rack" min_near: 1 }
               panic_threshold: 0 }
    slow_start { window { seconds: 1 } exponent: 2 min_percent: 1 }
    on_marked_down: ON_MARKED_DOWN_CLOSE on_marked_up: ON_MARKED_UP_CLOSE_BACKUPS
    outlier_detection {
      observe: OBSERVED_CONNECTIONS consecutive_errors: 0 consecutive_gateway_errors: 1000 on_error: ON_ERROR_MARK_DOWN
      interval { nanos: 10000000 } success_rate { min_requests: 1 min_servers: 2 deviation_percent: 1000 }
      failure_percentage { threshold: 100 min_requests: 1000000 min_servers: 1 } base_ejection_time { seconds: 1 }
      max_ejection_time { seconds: 1 } max_ejected_percent: 0 return_by_check: false
    } discovery { srv: "_HTTP._tcp.app." max_servers: 1 also: "b.app" also: "a.app" }
    send_proxy_protocol { version: PROXY_HEADER_V2 crc32c: true authority: true unique_id: true }
    tcp { keep_alive { time { seconds: 60 } interval { seconds: 10 } probes: 3 } user_timeout { seconds: 30 } })");
  Decoded<base::Ref<config::Backend>> draft = decode_backend(message);
  ASSERT_TRUE(draft) << draft.error().text();
  v1::Backend encoded;
  encode(**draft, encoded);
  encoded.clear_metadata();
  EXPECT_EQ(encoded.DebugString(), message.DebugString());
}

TEST(EncodeTest, AChecksKindIsAChoice) {
  for (const char* text : {"health_check { tcp {} }", "health_check { http {} port: 1 }", "health_check { grpc {} }",
                           "health_check { agent { address: \"[::1]:9\" } }",
                           "health_check { grpc { service: \"a\" authority: \"b\" } }"}) {
    auto message = from_text<v1::Backend>(std::string("name: \"web\" ") + text);
    Decoded<base::Ref<config::Backend>> draft = decode_backend(message);
    ASSERT_TRUE(draft) << draft.error().text();
    v1::Backend encoded;
    encode(**draft, encoded);
    encoded.clear_metadata();
    EXPECT_EQ(encoded.DebugString(), message.DebugString());
  }
}

TEST(EncodeTest, TheTlsOfABackend) {
  auto message = from_text<v1::Backend>(R"(name: "web" health_check { tcp {} tls: false } tls {
    verify: false name: "a.example" sni: "b.example" pins: "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg="
    client_certificate: "own" min_version: TLS_VERSION_1_2 ciphers: "ECDHE+AESGCM"
    cipher_suites: "TLS_AES_256_GCM_SHA384" alpn: "http/1.1" alpn: "x" session_reuse: false })");
  Decoded<base::Ref<config::Backend>> draft = decode_backend(message);
  ASSERT_TRUE(draft) << draft.error().text();
  v1::Backend encoded;
  encode(**draft, encoded);
  encoded.clear_metadata();
  EXPECT_EQ(encoded.DebugString(), message.DebugString());
  message.mutable_tls()->clear_verify();
  EXPECT_FALSE(config::same_settings(**decode_backend(message), **draft));
}

TEST(EncodeTest, TlsThatIsPassedThrough) {
  auto message = from_text<v1::Listener>(R"(name: "web" bind: "[::1]:443" protocol: PROTOCOL_TCP default_backend: "a"
    tls { handshake_timeout { seconds: 3 } pass_through {
      routes { hosts: "a.example" hosts: "*.b.example" alpn: "h2" backend: "b" } routes { alpn: "x" backend: "c" } } })");
  Decoded<base::Ref<config::Listener>> draft = decode_listener(message);
  ASSERT_TRUE(draft) << draft.error().text();
  v1::Listener encoded;
  encode(**draft, encoded);
  encoded.clear_metadata();
  EXPECT_EQ(encoded.DebugString(), message.DebugString());
  message.mutable_tls()->mutable_pass_through()->mutable_routes(0)->set_backend("c");
  EXPECT_FALSE(config::same_settings(**decode_listener(message), **draft));
}

TEST(EncodeTest, TheTlsOfAListener) {
  auto message = from_text<v1::Listener>(R"(name: "web" bind: "[::1]:443" protocol: PROTOCOL_HTTP tls {
    certificates: "b" certificates: "a" min_version: TLS_VERSION_1_3 ciphers: "ECDHE-RSA-AES128-GCM-SHA256:!aNULL"
    cipher_suites: "TLS_AES_128_GCM_SHA256" alpn: "http/1.1" strict_sni: true handshake_timeout { seconds: 3 }
    session_tickets: false })");
  Decoded<base::Ref<config::Listener>> draft = decode_listener(message);
  ASSERT_TRUE(draft) << draft.error().text();
  v1::Listener encoded;
  encode(**draft, encoded);
  encoded.clear_metadata();
  EXPECT_EQ(encoded.DebugString(), message.DebugString());
  EXPECT_TRUE(config::same_settings(**decode_listener(encoded), **draft));
  message.mutable_tls()->set_strict_sni(false);
  EXPECT_FALSE(config::same_settings(**decode_listener(message), **draft));
}

TEST(EncodeTest, AListenerWithEveryField) {
  auto message = from_text<v1::Listener>(R"(name: "l" bind: "127.0.0.1:0" bind: "unix:/run/a.sock"
    protocol: PROTOCOL_HTTP default_backend: "web"
    routes { hosts: "a.example.com" hosts: "*.example.com" path_prefix: "/v1" backend: "api" priority: 0 rate_limit { requests: 5 } }
    routes { hosts: "b.example.com" redirect { status: 308 scheme: "https" host: "c.example.com" port: 8443
                                               path_prefix: "/x" drop_query: true }
             response_headers { set { name: "A" value: "b c" } } }
    routes { path_prefix: "/ok" respond { status: 200 content_type: "text/html" body: "<p>" } }
    routes { path_prefix: "/v2" backend: "api" rewrite { path_prefix: "/" host: "api:80" }
             request_headers { remove: "B" set { name: "C" } add { name: "D" value: "1" } add { name: "D" value: "2" } } }
    timeouts { request_head { seconds: 1 } keep_alive { seconds: 2 } idle { seconds: 3 } proxy_header { nanos: 1000000 } }
    max_connections: 0
    http { max_head_bytes: 1024 max_headers: 1 forwarded: FORWARDED_POLICY_KEEP
           path { dot_segments: PATH_ACTION_NORMALIZE repeated_slashes: PATH_ACTION_REFUSE
                  encoded_slashes: PATH_ACTION_KEEP escapes: PATH_ACTION_NORMALIZE }
           quirks: HTTP_QUIRK_EMPTY_LINES quirks: HTTP_QUIRK_BARE_LINE_FEED
           forwarded_format: FORWARDED_FORMAT_BOTH trusted_hops: 0 max_body_bytes: 0 }
    labels { key: "a" value: "b" }
    error_pages { statuses: 503 statuses: 502 content_type: "text/plain" body: "later" } error_pages { statuses: 404 }
    rate_limit { requests: 0 per { nanos: 1000000 } burst: 1 }
    client_rate_limit { limit { requests: 7 } max_addresses: 64 }
    proxy_protocol { trusted: "10.0.0.0/8" trusted: "unix" trusted: "2001:DB8::/32" allow_others: true }
    access { rules { action: ACCESS_ACTION_ALLOW networks: "10.1.2.3" networks: "::1/128" }
             rules { action: ACCESS_ACTION_DENY networks: "0.0.0.0/0" } otherwise: ACCESS_ACTION_DENY }
    max_connections_per_client: 0 minimum_rates { head: 0 body: 500 send: 1000 grace { seconds: 5 } }
    tcp { keep_alive { time { seconds: 60 } interval { seconds: 10 } probes: 3 } user_timeout { nanos: 1000000 }
          backlog: 128 defer_accept { seconds: 1 } fast_open: 0 })");
  Decoded<base::Ref<config::Listener>> draft = decode_listener(message);
  ASSERT_TRUE(draft) << draft.error().text();
  v1::Listener encoded;
  encode(**draft, encoded);
  encoded.clear_metadata();
  EXPECT_EQ(encoded.DebugString(), message.DebugString());
}

}  // namespace
}  // namespace fairlead::api
