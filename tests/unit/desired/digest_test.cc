// The digest against what was computed by hand, and against the data plane's own, which shares no code with it.
#include "desired/digest.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "api/canonical.h"
#include "api/certificate.h"
#include "api/decode.h"
#include "desired/configuration.h"
#include "desired/yaml.h"
#include "store/digest.h"
#include "test_support/made_certificate.h"

namespace fairlead::desired {
namespace {

std::shared_ptr<const Configuration> parse(const std::string& text) {
  auto parsed = parse_configuration(text, "test.yaml");
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : std::make_shared<Configuration>();
}

// What the data plane makes of the same resources.
std::string digest_of_dataplane(const Configuration& configuration) {
  using Theirs = store::Digest;
  Theirs digest;
  for (const auto& [key, entry] : configuration.entries()) {
    const v1::Resource& resource = entry.resource;
    if (resource.has_listener()) {
      digest.add(Theirs::hash(Theirs::Kind::kListener, api::canonical(**api::decode_listener(resource.listener()))));
    } else if (resource.has_backend()) {
      digest.add(Theirs::hash(Theirs::Kind::kBackend, api::canonical(**api::decode_backend(resource.backend()))));
    } else if (resource.has_certificate()) {
      digest.add(
          Theirs::hash(Theirs::Kind::kCertificate, api::canonical(**api::decode_certificate(resource.certificate()))));
    } else {
      const api::ServerDraft draft = *api::decode_server(resource.server());
      digest.add(Theirs::hash(Theirs::Kind::kServer, api::canonical(*draft.record, draft.backend)));
    }
  }
  return digest.bytes();
}

TEST(Digest, IsZeroWithoutResources) {
  EXPECT_EQ(Configuration().digest(), std::string(32, '\0'));
  EXPECT_EQ(parse("backends: []")->digest(), std::string(32, '\0'));
}

TEST(Digest, OfOneResourceIsItsHash) {
  // printf '\x03\x0a\x03web\x12\x02s1\x1a\x0b10.0.0.1:80\x20\x00' | sha256sum
  v1::Resource resource;
  v1::Server& server = *resource.mutable_server();
  server.set_backend("web");
  server.set_name("s1");
  server.set_address("10.0.0.1:80");
  server.set_weight(0);
  server.mutable_metadata()->set_uid(7);
  normalize(server);
  Digest digest;
  digest.add(Digest::hash(resource));
  EXPECT_EQ(absl::BytesToHexString(digest.bytes()), "5915a502eb7e2f809f721f5a111a59557c9156e3d8c5fb0a4dde55e43bcca600");
  EXPECT_EQ(short_digest(digest.bytes()), "5915a502eb7e2f80");
}

TEST(Digest, IsTheDataPlanesWhateverIsSet) {
  const char* const texts[] = {
      "backends: [{name: app}]",
      // Messages that say nothing, and a duration that does.
      "backends: [{name: app, balance: {}, timeouts: {}, server_defaults: {}, retry: {}, drain: {timeout: 0s}}]",
      "backends: [{name: app, balance: {algorithm: RANDOM}, server_defaults: {weight: 0}, retry: {attempts: 0,"
      " conditions: [RESET, TIMEOUT], statuses: [503, 300], non_idempotent: true},"
      " timeouts: {connect: 250ms, response: 1m30s, idle: 1.5s}, drain: {timeout: 10s, jitter: 1s},"
      " connection_pool: {idle_timeout: 0s, max_idle: 0}, labels: {b: '2', a: '1', c: ''}}]",
      "backends: [{name: app, balance: {algorithm: ALGORITHM_UNSPECIFIED}}]",
      "backends: [{name: app, health_check: {tcp: {}}}, {name: b, health_check: {http: {}, address: '[0:0::1]:80'}},"
      " {name: c, health_check: {agent: {address: '[0:0::1]:80'}}}, {name: d, health_check: {grpc: {}, agent: {port: "
      "1}}}]",
      "backends: [{name: app, persistence: {}}]",
      "backends: [{name: app, discovery: {}}]",
      "backends: [{name: app, discovery: {srv: _HTTP._tcp.app., max_servers: 3}}]",
      "backends: [{name: app, persistence: {cookie: {name: A, mode: PREFIX, secret: s, secure: true, same_site: NONE,"
      " max_age: 60s}, table: {key: '{source}', max_entries: 1, expire: 1s}}}]",
      "backends: [{name: app, outlier_detection: {}}, {name: b, outlier_detection: {success_rate: {}}, on_marked_down:"
      " CLOSE}, {name: c, outlier_detection: {interval: 1s, on_error: EJECT, failure_percentage: {threshold: 50}},"
      " servers: [{name: s1, address: '10.0.0.1:80'}, {name: s2, address: '10.0.0.1:80', health_check: {track: "
      "c/s1}}]}]",
      "backends: [{name: app, health_check: {http: {path: /x, headers: {b: '2', a: '1'}, body_contains: ok,"
      " expected_statuses: [{first: 200, last: 204}]}, interval: 5s, rise: 3, port: 81, initial_state: UP},"
      " servers: [{name: s1, address: '10.0.0.1:80', health_check: {disabled: true}},"
      " {name: s2, address: '10.0.0.1:80', health_check: {}}, {name: s3, address: '10.0.0.1:80', health_check:"
      " {address: '[0:0::1]:80'}}]}]",
      "backends: [{name: app, servers: [{name: s1, address: '10.0.0.1:80'},"
      " {name: s2, address: '[2001:DB8:0:0::1]:80', weight: 0, admin_state: DRAIN, labels: {z: a, a: z}},"
      " {name: s3, address: 'unix:/run/a.sock', weight: 256, admin_state: READY}]}]",
      "backends: [{name: app}]\nservers: [{backend: app, name: s1, address: '[::ffff:10.0.0.1]:80'}]",
      "listeners: [{name: web, bind: ['127.0.0.1:0', '[0:0::1]:80'], protocol: HTTP, default_backend: app,"
      " routes: [{hosts: [A.example, '*.b.example'], path_prefix: /v1, backend: app}, {path_prefix: /x, backend: app}],"
      " timeouts: {}, http: {}, max_connections: 0, labels: {x: y}}]\nbackends: [{name: app}]",
      "listeners: [{name: web, bind: ['127.0.0.1:0'], protocol: HTTP, timeouts: {keep_alive: 1h},"
      " http: {max_head_bytes: 2048, forwarded: KEEP}}, {name: db, bind: ['unix:/x'], protocol: TCP,"
      " default_backend: app, timeouts: {idle: 2s}}]\nbackends: [{name: app}]",
      "listeners: [{name: web, bind: ['127.0.0.1:0'], protocol: HTTP, default_backend: app, proxy_protocol: {trusted:"
      " ['10.0.0.0/8', '2001:DB8::/32']}, access: {rules: [{networks: ['192.168.0.0/16', '0:0::1'], action: DENY}]},"
      " minimum_rates: {head: 10}, tcp: {keep_alive: {time: 10s}}, max_connections_per_client: 5,"
      " routes: [{path_prefix: /old, redirect: {path: /new}}, {path_prefix: /x, backend: app, request_headers: {set:"
      " [{name: x, value: y}], remove: [Z]}}]}]\nbackends: [{name: app, send_proxy_protocol: {version: V2}, tls: {name:"
      " A.example}}]",
      "listeners: [{name: web, bind: ['127.0.0.1:0'], protocol: HTTP, default_backend: app, routes: [{path_prefix: "
      "/old,"
      " redirect: {path: /new, status: 308}}, {path_prefix: /health, respond: {status: 200, body: fine}}]}]\n"
      "backends: [{name: app}]",
      "backends: [{name: app, tls: {}}]",
      // Spellings that a data plane takes and keeps otherwise.
      "backends: [{name: app, connection_pool: {source_address: '2001:DB8::0:1'}, servers: [{name: s1, address:"
      " 'App.Internal.:80'}, {name: s2, address: '10.0.0.1:80', health_check: {agent: {address:"
      " '[2001:DB8::0:1]:9000'}}}, {name: s3, address: 'UPPER:80'}]}]",
      "listeners: [{name: web, bind: ['127.0.0.1:0'], protocol: HTTP, default_backend: app, routes: [{path_prefix: /x,"
      " backend: app, rewrite: {}, request_headers: {}, response_headers: {}, rate_limit: {}}]}]\n"
      "backends: [{name: app}]",
  };
  for (const char* text : texts) {
    SCOPED_TRACE(text);
    const auto configuration = parse(text);
    EXPECT_EQ(absl::BytesToHexString(configuration->digest()),
              absl::BytesToHexString(digest_of_dataplane(*configuration)));
  }
}

TEST(Digest, OfACertificateIsThatOfItsChainHoweverItIsWritten) {
  const tls::MadeCertificate made = tls::make_certificate("a.example");
  v1::Certificate certificate;
  certificate.set_name("a");
  certificate.set_chain(made.chain);
  const auto digest_of = [](const v1::Certificate& certificate) {
    v1::Resources resources;
    *resources.add_certificates() = certificate;
    const auto configuration = *Configuration::make(resources);
    EXPECT_EQ(configuration->digest(), digest_of_dataplane(*configuration));
    return configuration->digest();
  };
  const std::string plain = digest_of(certificate);
  certificate.set_private_key(made.key);
  EXPECT_EQ(digest_of(certificate), plain);
  certificate.set_chain("subject=CN = a.example\n" + absl::StrReplaceAll(made.chain, {{"\n", "\r\n"}}) + "\nthe end\n");
  EXPECT_EQ(digest_of(certificate), plain);
  certificate.set_chain(tls::make_certificate("a.example").chain);
  certificate.clear_private_key();
  EXPECT_NE(digest_of(certificate), plain) << "another key, another certificate";

  certificate.set_chain("nonsense");
  normalize(certificate);
  EXPECT_EQ(certificate.chain(), "nonsense") << "for the data plane to refuse";
}

TEST(Digest, TlsIsOnWhereItIsThereThoughNothingStandsInIt) {
  EXPECT_NE(parse("backends: [{name: app, tls: {}}]")->digest(), parse("backends: [{name: app}]")->digest());
  EXPECT_NE(parse("listeners: [{name: web, tls: {}}]")->digest(), parse("listeners: [{name: web}]")->digest());
  EXPECT_NE(parse("listeners: [{name: web, tls: {pass_through: {}}}]")->digest(),
            parse("listeners: [{name: web, tls: {}}]")->digest());
  EXPECT_NE(parse("listeners: [{name: web, tls: {certificates: [a], client_certificates: {}}}]")->digest(),
            parse("listeners: [{name: web, tls: {certificates: [a]}}]")->digest());
}

TEST(Digest, DoesNotDependOnOrderOrOnWhereAServerIsWritten) {
  EXPECT_EQ(
      parse("backends: [{name: a, servers: [{name: s1, address: '10.0.0.1:80'}]}, {name: b}]")->digest(),
      parse("backends: [{name: b}, {name: a}]\nservers: [{backend: a, name: s1, address: '10.0.0.1:80'}]")->digest());
  EXPECT_NE(parse("backends: [{name: a}]")->digest(), parse("backends: [{name: b}]")->digest());
}

}  // namespace
}  // namespace fairlead::desired
