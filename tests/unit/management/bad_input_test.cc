// What clients get wrong: each row is refused with its reason, its status and its text, and changes nothing.
//
// What cannot be said in an operation has a test of its own here or, where it takes a process or a client that no
// library would be, in e2e/management_*_test.py; e2e/management_catalogue_test.py says where each row of the catalogue
// is.
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "management_fixture.h"

namespace fairlead::management {
namespace {

using grpc::StatusCode;
using testing::HasSubstr;

struct Row {
  // Of the catalogue of what clients get wrong; 0: none of it.
  int number;
  const char* name;
  // Text of an Operation.
  std::string operation;
  v1::Reason reason;
  StatusCode status;
  // Part of the text.
  std::string text;
};

std::string server(const std::string& fields) { return "create { server { backend: \"web\" " + fields + " } }"; }
std::string at(const std::string& address) { return server("name: \"x\" address: \"" + address + "\""); }
std::string named(const std::string& name) { return server("address: \"10.0.0.1:80\" name: \"" + name + "\""); }
std::string backend(const std::string& fields) { return "create { backend { name: \"b\" " + fields + " } }"; }
std::string listener(const std::string& fields) {
  return "create { listener { name: \"l\" bind: \"127.0.0.1:0\" " + fields + " } }";
}
std::string http(const std::string& fields) { return listener("protocol: PROTOCOL_HTTP " + fields); }
std::string good(const std::string& fields) { return server("name: \"x\" address: \"10.0.0.1:80\" " + fields); }

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}
std::string labels(int count) {
  std::string all;
  for (int i = 0; i < count; ++i) absl::StrAppend(&all, "labels { key: \"l", i, "\" value: \"\" } ");
  return all;
}

constexpr auto kInvalid = v1::REASON_INVALID;
constexpr auto kArgument = StatusCode::INVALID_ARGUMENT;

const Row kRows[] = {
    {2, "CreateWithOtherContent", server("name: \"s1\" address: \"10.0.0.9:80\""), v1::REASON_ALREADY_EXISTS,
     StatusCode::ALREADY_EXISTS, "server web/s1: exists with other content"},
    {3, "SameNameTwiceInShorthand",
     backend("servers { name: \"a\" address: \"10.0.0.1:80\" } servers { name: \"a\" address: \"10.0.0.2:80\" }"),
     kInvalid, kArgument, "backend b: servers[1].name: \"a\" duplicates servers[0]"},
    {5, "BackendAbsent", "create { server { backend: \"no\" name: \"x\" address: \"10.0.0.1:80\" } }",
     v1::REASON_NOT_FOUND, StatusCode::NOT_FOUND, "server no/x: backend: backend no does not exist"},
    {5, "ReplaceAbsent", "replace { server { backend: \"web\" name: \"x\" address: \"10.0.0.1:80\" } }",
     v1::REASON_NOT_FOUND, StatusCode::NOT_FOUND, "server web/x: does not exist"},
    {7, "MaskOnUnknownField",
     "patch { resource { server { backend: \"web\" name: \"s1\" } } update_mask { paths: \"wieght\" } }", kInvalid,
     kArgument, "server web/s1: update_mask: \"wieght\" is not a field of Server"},
    {7, "MaskOnOutput",
     "patch { resource { server { backend: \"web\" name: \"s1\" } } update_mask { paths: \"status.in_flight\" } }",
     kInvalid, kArgument, "is output only"},
    {7, "MaskOnName", "patch { resource { server { backend: \"web\" name: \"s1\" } } update_mask { paths: \"name\" } }",
     kInvalid, kArgument, "cannot change"},
    {5, "PatchAbsent",
     "patch { resource { server { backend: \"web\" name: \"x\" } } update_mask { paths: \"weight\" } }",
     v1::REASON_NOT_FOUND, StatusCode::NOT_FOUND, "server web/x: does not exist"},
    {16, "PatchOutOfRange",
     "patch { resource { server { backend: \"web\" name: \"s1\" weight: 300 } } update_mask { paths: \"weight\" } }",
     kInvalid, kArgument, "server web/s1: weight: 300 is out of range [0, 256]"},
    {8, "NameEmpty", named(""), kInvalid, kArgument, "name: is empty"},
    {8, "NameTooLong", named(std::string(256, 'a')), kInvalid, kArgument, "has 256 bytes; a name has 1 to 255"},
    {8, "NameWithSlash", named("a/b"), kInvalid, kArgument, "\"a/b\" has other characters than A-Z a-z 0-9 _ . : -"},
    {8, "NameWithSpace", named("a b"), kInvalid, kArgument, "has other characters"},
    {8, "NameWithNul", named("a\\000b"), kInvalid, kArgument, "has other characters"},
    {8, "NameWithNewline", named("a\\nb"), kInvalid, kArgument, "\"a\\nb\" has other characters"},
    {8, "NameOfDots", named(".."), kInvalid, kArgument, "\"..\" is not a name"},
    {10, "NameWithLookAlike", named("\\320\\260"), kInvalid, kArgument, "has other characters"},
    {11, "Octet", at("256.1.1.1:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {11, "ThreeParts", at("1.2.3:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {11, "TwoParts", at("127.1:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {11, "HexAddress", at("0x7f.1:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {11, "OctalAddress", at("010.0.0.1:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {11, "Zone", at("[::1%eth0]:80"), kInvalid, kArgument, "is not an IPv6 address"},
    {11, "OpenBracket", at("[::1"), kInvalid, kArgument, "is not an address"},
    {11, "AddressEmpty", at(""), kInvalid, kArgument, "server web/x: address: \"\" is not an address"},
    {11, "EmptyLabel", at("app..internal:80"), kInvalid, kArgument, "or a name and a port as app.internal:8080"},
    {11, "LabelWithHyphen", at("-app.internal:80"), kInvalid, kArgument, "or a name and a port"},
    {11, "LabelTooLong", at(std::string(64, 'a') + ".internal:80"), kInvalid, kArgument, "or a name and a port"},
    {11, "NameWithSpace", at("app internal:80"), kInvalid, kArgument, "or a name and a port"},
    {11, "NameWithWildcard", at("*.internal:80"), kInvalid, kArgument, "or a name and a port"},
    {11, "NameTooLong", at(std::string(255, 'a') + ":80"), kInvalid, kArgument, "or a name and a port"},
    {12, "NameWithoutPort", at("app.internal"), kInvalid, kArgument, "has no port"},
    {12, "NameWithPort0", at("app.internal:0"), kInvalid, kArgument, "has port 0"},
    {12, "NameWithGreatPort", at("app.internal:65536"), kInvalid, kArgument, "a port is a number from 0 to 65535"},
    {11, "AddressWithNul", at("10.0.0.1\\000:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {12, "PortZero", at("10.0.0.1:0"), kInvalid, kArgument, "has port 0; a server's is 1 to 65535"},
    {12, "PortTooLarge", at("10.0.0.1:65536"), kInvalid, kArgument, "a port is a number from 0 to 65535"},
    {12, "PortNegative", at("10.0.0.1:-1"), kInvalid, kArgument, "a port is a number from 0 to 65535"},
    {12, "PortAbsent", at("10.0.0.1"), kInvalid, kArgument, "has no port"},
    {12, "PortWithLeadingZero", at("10.0.0.1:080"), kInvalid, kArgument, "a port is a number from 0 to 65535"},
    {13, "Unspecified", at("0.0.0.0:80"), kInvalid, kArgument, "unspecified, multicast or broadcast"},
    {13, "Unspecified6", at("[::]:80"), kInvalid, kArgument, "unspecified, multicast or broadcast"},
    {13, "Multicast", at("224.0.0.1:80"), kInvalid, kArgument, "unspecified, multicast or broadcast"},
    {13, "Broadcast", at("255.255.255.255:80"), kInvalid, kArgument, "unspecified, multicast or broadcast"},
    {14, "Loop", at("127.0.0.1:8080"), v1::REASON_LOOP, kArgument,
     "is where listener front of this data plane listens"},
    {14, "LoopOfAListener", "create { listener { name: \"l\" bind: \"10.0.0.5:80\" protocol: PROTOCOL_HTTP } }",
     v1::REASON_LOOP, kArgument, "is the address of server web/s1"},
    {15, "UnixPathTooLong", at("unix:/" + std::string(107, 'p')), kInvalid, kArgument,
     "has a path of 108 bytes; a Unix socket's has at most 107"},
    {15, "UnixPathRelative", at("unix:app.sock"), kInvalid, kArgument, "needs an absolute path"},
    {16, "Weight", good("weight: 300"), kInvalid, kArgument, "server web/x: weight: 300 is out of range [0, 256]"},
    {23, "AdminStateUnspecified", good("admin_state: ADMIN_STATE_UNSPECIFIED"), kInvalid, kArgument,
     "admin_state: is not set; it is one of READY, DRAIN, MAINTENANCE"},
    {23, "AdminStateUnknown", good("admin_state: 77"), kInvalid, kArgument, "admin_state: 77 is not known"},
    {0, "Priority", good("priority: 16"), kInvalid, kArgument, "server web/x: priority: 16 is out of range [0, 15]"},
    {0, "PriorityOfABackup", good("priority: 1 backup: true"), kInvalid, kArgument,
     "priority: is for servers that are no backups"},
    {0, "Overprovisioning", backend("failover { overprovisioning: 99 }"), kInvalid, kArgument,
     "backend b: failover.overprovisioning: 99 is out of range [100, 10000]"},
    {0, "Backups", backend("failover { backups: 77 }"), kInvalid, kArgument,
     "failover.backups: 77 is not known; it is one of FIRST, ALL"},
    {0, "PanicThreshold", backend("failover { panic_threshold: 101 }"), kInvalid, kArgument,
     "failover.panic_threshold: 101 is out of range [0, 100]"},
    {0, "ZoneLabel", backend("failover { zones { label: \"a b\" } }"), kInvalid, kArgument,
     "failover.zones.label: \"a b\""},
    {0, "MinNear", backend("failover { zones { min_near: 0 } }"), kInvalid, kArgument,
     "failover.zones.min_near: 0 is out of range [1, 1000000]"},
    {0, "SlowStartWindow", backend("slow_start { window {} }"), kInvalid, kArgument,
     "slow_start.window: 0 is out of range [10ms, 24h]"},
    {0, "SlowStartWithoutWindow", backend("slow_start { exponent: 2 }"), kInvalid, kArgument,
     "slow_start.window: is not set"},
    {0, "SlowStartExponent", backend("slow_start { window { seconds: 1 } exponent: 11 }"), kInvalid, kArgument,
     "slow_start.exponent: 11 is out of range [1, 10]"},
    {0, "SlowStartLeast", backend("slow_start { window { seconds: 1 } min_percent: 0 }"), kInvalid, kArgument,
     "slow_start.min_percent: 0 is out of range [1, 100]"},
    {0, "MaxConnections", good("max_connections: 1000001"), kInvalid, kArgument,
     "server web/x: max_connections: 1000001 is out of range [0, 1000000]"},
    {0, "DefaultMaxConnections", backend("server_defaults { max_connections: 4294967295 }"), kInvalid, kArgument,
     "backend b: server_defaults.max_connections: 4294967295 is out of range [0, 1000000]"},
    {0, "LabelKey", good("labels { key: \"a b\" value: \"c\" }"), kInvalid, kArgument, "labels: key \"a b\""},
    {0, "LabelValue", good("labels { key: \"a\" value: \"" + std::string(256, 'v') + "\" }"), kInvalid, kArgument,
     "has 256 bytes"},
    {20, "DurationNegative", backend("timeouts { connect { seconds: -1 } }"), kInvalid, kArgument,
     "backend b: timeouts.connect: -1s is out of range [1ms, 24h]"},
    {20, "DurationNanos", backend("timeouts { idle { seconds: 1 nanos: 1000000000 } }"), kInvalid, kArgument,
     "is not a duration"},
    {20, "DurationMixedSigns", backend("timeouts { idle { seconds: 1 nanos: -1 } }"), kInvalid, kArgument,
     "is not a duration"},
    {20, "DurationTenThousandYears", backend("timeouts { idle { seconds: 315576000001 } }"), kInvalid, kArgument,
     "is not a duration"},
    {20, "DurationTooLong", backend("timeouts { response { seconds: 86401 } }"), kInvalid, kArgument, "[1ms, 24h]"},
    {20, "DurationZero", backend("timeouts { response {} }"), kInvalid, kArgument, "0 is out of range [1ms, 24h]"},
    {20, "JitterAboveTimeout", backend("drain { timeout { seconds: 1 } jitter { seconds: 2 } }"), kInvalid, kArgument,
     "drain.jitter: 2s is out of range [0, 1s]"},
    {0, "RetryAttempts", backend("retry { attempts: 11 }"), kInvalid, kArgument, "11 is out of range [0, 10]"},
    {0, "RetryStatus", backend("retry { statuses: 503 statuses: 600 }"), kInvalid, kArgument,
     "retry.statuses[1]: 600 is out of range [100, 599]"},
    {0, "RetryStatusTwice", backend("retry { statuses: 503 statuses: 503 }"), kInvalid, kArgument,
     "retry.statuses[1]: is there twice"},
    {0, "RetryCondition", backend("retry { conditions: RETRY_CONDITION_RESET conditions: 77 }"), kInvalid, kArgument,
     "retry.conditions[1]: 77 is not known; it is one of CONNECT_FAILURE"},
    {0, "RetryHedgeAfter", backend("retry { hedge_after { } }"), kInvalid, kArgument,
     "retry.hedge_after: 0 is out of range [1ms, 24h]"},
    {0, "RetryTryTimeout", backend("retry { per_try_timeout { } }"), kInvalid, kArgument,
     "retry.per_try_timeout: 0 is out of range [1ms, 24h]"},
    {0, "RetryBackOff", backend("retry { back_off { base { seconds: 2 } max { seconds: 1 } } }"), kInvalid, kArgument,
     "retry.back_off.max: 1s is out of range [2s, 10s]"},
    {0, "RetryBudget", backend("retry { budget_percent: 101 }"), kInvalid, kArgument, "101 is out of range [0, 100]"},
    {0, "CookieWithoutName", backend("persistence { cookie { mode: COOKIE_MODE_PREFIX } }"), kInvalid, kArgument,
     "persistence.cookie.name: is not set; a cookie needs a name"},
    {0, "CookieName", backend("persistence { cookie { name: \"a b\" } }"), kInvalid, kArgument,
     "persistence.cookie.name: \"a b\" is not a cookie's name"},
    {0, "CookieNameTooLong", backend("persistence { cookie { name: \"" + std::string(129, 'a') + "\" } }"), kInvalid,
     kArgument, "has 129 bytes, at most 128 are allowed"},
    {0, "CookieMode", backend("persistence { cookie { name: \"a\" mode: 9 } }"), kInvalid, kArgument,
     "persistence.cookie.mode: 9 is not known; it is one of INSERT, REWRITE, PREFIX"},
    {0, "CookieSecret", backend("persistence { cookie { name: \"a\" secret: \"" + std::string(257, 'x') + "\" } }"),
     kInvalid, kArgument, "persistence.cookie.secret: has 257 bytes"},
    {0, "CookiePath", backend("persistence { cookie { name: \"a\" path: \"/a;b\" } }"), kInvalid, kArgument,
     "persistence.cookie.path: \"/a;b\" has other than"},
    {0, "CookieDomain", backend("persistence { cookie { name: \"a\" domain: \"*.a\" } }"), kInvalid, kArgument,
     "persistence.cookie.domain: \"*.a\" is not a domain"},
    {0, "CookieSameSite", backend("persistence { cookie { name: \"a\" same_site: 4 } }"), kInvalid, kArgument,
     "persistence.cookie.same_site: 4 is not known"},
    {0, "CookieSameSiteNone", backend("persistence { cookie { name: \"a\" same_site: SAME_SITE_NONE } }"), kInvalid,
     kArgument, "persistence.cookie.same_site: is NONE without `secure`"},
    {0, "CookieAge", backend("persistence { cookie { name: \"a\" max_age { seconds: 34560001 } } }"), kInvalid,
     kArgument, "persistence.cookie.max_age: 9600h1s is out of range [1s, 9600h]"},
    {0, "CookieAgeInParts", backend("persistence { cookie { name: \"a\" max_age { seconds: 1 nanos: 5 } } }"), kInvalid,
     kArgument, "has a part of a second"},
    {0, "CookieIdle", backend("persistence { cookie { name: \"a\" max_idle {} } }"), kInvalid, kArgument,
     "persistence.cookie.max_idle: 0 is out of range [1s, 9600h]"},
    {0, "CookieIdleInParts", backend("persistence { cookie { name: \"a\" max_idle { seconds: 1 nanos: 5 } } }"),
     kInvalid, kArgument, "persistence.cookie.max_idle: 1.000000005s has a part of a second"},
    {0, "CookieLife", backend("persistence { cookie { name: \"a\" max_life { seconds: 34560001 } } }"), kInvalid,
     kArgument, "persistence.cookie.max_life: 9600h1s is out of range [1s, 9600h]"},
    {0, "CookieIdleElsewhere",
     backend("persistence { cookie { name: \"a\" mode: COOKIE_MODE_REWRITE max_idle { seconds: 1 } } }"), kInvalid,
     kArgument, "persistence.cookie.max_idle: goes with mode INSERT only"},
    {0, "CookieLifeElsewhere",
     backend("persistence { cookie { name: \"a\" mode: COOKIE_MODE_PREFIX max_life { seconds: 1 } } }"), kInvalid,
     kArgument, "persistence.cookie.max_life: goes with mode INSERT only"},
    {0, "SrvUnset", backend("discovery { max_servers: 5 }"), kInvalid, kArgument,
     "backend b: discovery.srv: is not set; a discovery needs a name, such as _http._tcp.app.internal"},
    {0, "SrvName", backend("discovery { srv: \"_http._tcp..app\" }"), kInvalid, kArgument,
     "discovery.srv: \"_http._tcp..app\" is not an SRV name, such as _http._tcp.app.internal"},
    {0, "SrvWildcard", backend("discovery { srv: \"*.app\" }"), kInvalid, kArgument, "discovery.srv: \"*.app\" is not"},
    {0, "SrvPort", backend("discovery { srv: \"_http._tcp.app:80\" }"), kInvalid, kArgument, "discovery.srv: "},
    {0, "SrvRoot", backend("discovery { srv: \".\" }"), kInvalid, kArgument, "discovery.srv: \".\" is not"},
    {0, "SrvTooLong", backend("discovery { srv: \"" + std::string(300, 'a') + "\" }"), kInvalid, kArgument,
     "discovery.srv: "},
    {0, "SrvAlsoAlone", backend("discovery { also: \"a.app\" }"), kInvalid, kArgument, "discovery.srv: is not set; "},
    {0, "SrvAlsoName", backend("discovery { srv: \"a.app\" also: \"b.app\" also: \"*.app\" }"), kInvalid, kArgument,
     "discovery.also[1]: \"*.app\" is not"},
    {0, "SrvAlsoTwice", backend("discovery { srv: \"a.app\" also: \"A.app.\" }"), kInvalid, kArgument,
     "discovery.also[0]: \"A.app.\" is named before"},
    {0, "SrvAlsoMany",
     backend("discovery { srv: \"a\" also: [\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\","
             "\"l\",\"m\",\"n\",\"o\",\"p\",\"q\"] }"),
     kInvalid, kArgument, "discovery.also: has 16 names, at most 15"},
    {0, "SrvServersZero", backend("discovery { srv: \"a\" max_servers: 0 }"), kInvalid, kArgument,
     "discovery.max_servers: 0 is out of range [1, 1000]"},
    {0, "SrvServers", backend("discovery { srv: \"a\" max_servers: 1001 }"), kInvalid, kArgument,
     "discovery.max_servers: 1001 is out of range [1, 1000]"},
    {0, "StickWithoutKey", backend("persistence { table {} }"), kInvalid, kArgument,
     "persistence.table.key: is not set; a table needs one"},
    {0, "StickKey", backend("persistence { table { key: \"{host}\" } }"), kInvalid, kArgument,
     "persistence.table.key: \"{host}\" is not known"},
    {0, "StickEntries", backend("persistence { table { key: \"{source}\" max_entries: 0 } }"), kInvalid, kArgument,
     "persistence.table.max_entries: 0 is out of range [1, 10000000]"},
    {0, "StickExpire", backend("persistence { table { key: \"{source}\" expire {} } }"), kInvalid, kArgument,
     "persistence.table.expire: 0 is out of range [1s, 720h]"},
    {0, "QueueMaxWaiting", backend("queue { max_waiting: 1000001 }"), kInvalid, kArgument,
     "queue.max_waiting: 1000001 is out of range [0, 1000000]"},
    {0, "QueueTimeout", backend("queue { timeout { } }"), kInvalid, kArgument,
     "queue.timeout: 0 is out of range [1ms, 24h]"},
    {0, "MinConnections", backend("server_defaults { min_connections: 1000001 }"), kInvalid, kArgument,
     "server_defaults.min_connections: 1000001 is out of range [0, 1000000]"},
    {0, "FullConnections", backend("server_defaults { full_connections: 1000001 }"), kInvalid, kArgument,
     "server_defaults.full_connections: 1000001 is out of range [0, 1000000]"},
    {0, "CircuitRequests", backend("circuit { max_requests: 1000001 }"), kInvalid, kArgument,
     "circuit.max_requests: 1000001 is out of range [0, 1000000]"},
    {0, "CircuitRetries", backend("circuit { max_retries: 1000001 }"), kInvalid, kArgument,
     "circuit.max_retries: 1000001 is out of range [0, 1000000]"},
    {0, "PoolReuse", backend("connection_pool { reuse: 9 }"), kInvalid, kArgument,
     "connection_pool.reuse: 9 is not known; it is one of NEVER, SAFE, ALWAYS"},
    {0, "PoolMaxRequests", backend("connection_pool { max_requests: 1000000001 }"), kInvalid, kArgument,
     "connection_pool.max_requests: 1000000001 is out of range [0, 1000000000]"},
    {0, "PoolSource", backend("connection_pool { source_address: \"10.0.0.1:80\" }"), kInvalid, kArgument,
     "connection_pool.source_address: \"10.0.0.1:80\" is not an IP address without a port"},
    {0, "PoolMaxIdle", backend("connection_pool { max_idle: 100001 }"), kInvalid, kArgument, "[0, 100000]"},
    {21, "CheckOfNoKind", backend("health_check {}"), kInvalid, kArgument,
     "backend b: health_check: says not how to check; set one of http, tcp, grpc, or agent"},
    {22, "CheckIntervalZero", backend("health_check { tcp {} interval {} }"), kInvalid, kArgument,
     "backend b: health_check.interval: 0 is out of range [10ms, 24h]"},
    {22, "CheckIntervalTooLong", backend("health_check { tcp {} interval { seconds: 86401 } }"), kInvalid, kArgument,
     "health_check.interval: 24h1s is out of range"},
    {22, "CheckFastInterval", backend("health_check { tcp {} fast_interval { nanos: 9999999 } }"), kInvalid, kArgument,
     "health_check.fast_interval: 9.999999ms is out of range [10ms, 24h]"},
    {22, "CheckDownInterval", backend("health_check { tcp {} down_interval { seconds: -1 } }"), kInvalid, kArgument,
     "health_check.down_interval: -1s is out of range"},
    {22, "CheckTimeoutAboveInterval",
     backend("health_check { tcp {} interval { seconds: 1 } timeout { seconds: 1 nanos: 1 } }"), kInvalid, kArgument,
     "backend b: health_check.timeout: 1.000000001s is out of range [1ms, 1s]"},
    {22, "CheckTimeoutAboveTheDefaultInterval", backend("health_check { tcp {} timeout { seconds: 3 } }"), kInvalid,
     kArgument, "health_check.timeout: 3s is out of range [1ms, 2s]"},
    {22, "CheckTimeoutZero", backend("health_check { tcp {} timeout {} }"), kInvalid, kArgument,
     "health_check.timeout: 0 is out of range"},
    {22, "CheckRiseZero", backend("health_check { tcp {} rise: 0 }"), kInvalid, kArgument,
     "backend b: health_check.rise: 0 is out of range [1, 100]"},
    {22, "CheckFallZero", backend("health_check { tcp {} fall: 0 }"), kInvalid, kArgument,
     "backend b: health_check.fall: 0 is out of range [1, 100]"},
    {22, "CheckRiseTooLarge", backend("health_check { tcp {} rise: 101 }"), kInvalid, kArgument, "[1, 100]"},
    {0, "CheckPortZero", backend("health_check { tcp {} port: 0 }"), kInvalid, kArgument,
     "backend b: health_check.port: 0 is out of range [1, 65535]"},
    {0, "CheckPortTooLarge", backend("health_check { tcp {} port: 65536 }"), kInvalid, kArgument, "[1, 65535]"},
    {0, "CheckPortBesideAddress", backend("health_check { tcp {} port: 80 address: \"10.0.0.1:81\" }"), kInvalid,
     kArgument, "health_check.port: is set beside an address, which has one"},
    {0, "CheckAddress", backend("health_check { tcp {} address: \"localhost:80\" }"), kInvalid, kArgument,
     "health_check.address: \"localhost:80\""},
    {0, "CheckAddressUnspecified", backend("health_check { tcp {} address: \"0.0.0.0:80\" }"), kInvalid, kArgument,
     "health_check.address: \"0.0.0.0:80\" is an unspecified"},
    {0, "CheckInitialState", backend("health_check { tcp {} initial_state: 9 }"), kInvalid, kArgument,
     "health_check.initial_state: 9 is not known; it is one of PENDING, UP"},
    {0, "CheckMethod", backend("health_check { http { method: 9 } }"), kInvalid, kArgument,
     "health_check.http.method: 9 is not known; it is one of GET, HEAD, OPTIONS, POST"},
    {0, "CheckPathRelative", backend("health_check { http { path: \"healthz\" } }"), kInvalid, kArgument,
     "health_check.http.path: \"healthz\" does not begin with"},
    {0, "CheckPathWithSpace", backend("health_check { http { path: \"/a b\" } }"), kInvalid, kArgument,
     "health_check.http.path: \"/a b\" has other than visible ASCII"},
    {0, "CheckPathWithLineEnd", backend("health_check { http { path: \"/a\\r\\nX: y\" } }"), kInvalid, kArgument,
     "has other than visible ASCII"},
    {0, "CheckPathWithFragment", backend("health_check { http { path: \"/a#b\" } }"), kInvalid, kArgument,
     "has other than visible ASCII characters, or"},
    {0, "CheckPathTooLong", backend("health_check { http { path: \"/" + std::string(1024, 'p') + "\" } }"), kInvalid,
     kArgument, "has 1025 bytes, at most 1024 are allowed"},
    {0, "CheckHost", backend("health_check { http { host: \"a b\" } }"), kInvalid, kArgument,
     "health_check.http.host: \"a b\" is not a host"},
    {0, "CheckHostWildcard", backend("health_check { http { host: \"*.example.com\" } }"), kInvalid, kArgument,
     "is a wildcard"},
    {0, "CheckHostPort", backend("health_check { http { host: \"a:b\" } }"), kInvalid, kArgument,
     "is not a host with a port"},
    {0, "CheckHeaderName", backend("health_check { http { headers { key: \"a b\" value: \"\" } } }"), kInvalid,
     kArgument, "health_check.http.headers: \"a b\" is not a header's name"},
    {0, "CheckHeaderHost", backend("health_check { http { headers { key: \"HOST\" value: \"a\" } } }"), kInvalid,
     kArgument, "\"HOST\" is set by the field `host`"},
    {0, "CheckHeaderFraming", backend("health_check { http { headers { key: \"Content-Length\" value: \"1\" } } }"),
     kInvalid, kArgument, "\"Content-Length\" frames the message"},
    {0, "CheckHeaderTwice",
     backend("health_check { http { headers { key: \"X-A\" value: \"1\" } headers { key: \"x-a\" value: \"2\" } } }"),
     kInvalid, kArgument, "\"x-a\" is there twice"},
    {0, "CheckHeaderValue", backend("health_check { http { headers { key: \"a\" value: \"b\\r\\nc: d\" } } }"),
     kInvalid, kArgument, "the value of \"a\" has other than visible ASCII"},
    {0, "CheckHeaderValuePadded", backend("health_check { http { headers { key: \"a\" value: \" b\" } } }"), kInvalid,
     kArgument, "or a blank at an end"},
    {0, "CheckStatusLow", backend("health_check { http { expected_statuses { first: 99 last: 200 } } }"), kInvalid,
     kArgument, "health_check.http.expected_statuses[0].first: 99 is out of range [100, 599]"},
    {0, "CheckStatusHigh", backend("health_check { http { expected_statuses { first: 200 last: 600 } } }"), kInvalid,
     kArgument, "health_check.http.expected_statuses[0].last: 600 is out of range [200, 599]"},
    {0, "CheckStatusBackwards",
     backend("health_check { http { expected_statuses { first: 200 last: 200 } expected_statuses { first: 300 "
             "last: 299 } } }"),
     kInvalid, kArgument, "expected_statuses[1].last: 299 is out of range [300, 599]"},
    {0, "CheckStatusesTooMany",
     backend("health_check { http { " + repeated("expected_statuses { first: 200 last: 200 } ", 17) + "} }"), kInvalid,
     kArgument, "expected_statuses: has 17 ranges, at most 16 are allowed"},
    {0, "CheckBodyTooLong", backend("health_check { http { body_contains: \"" + std::string(1025, 'b') + "\" } }"),
     kInvalid, kArgument, "health_check.http.body_contains: has 1025 bytes, at most 1024 are allowed"},
    {0, "CheckBodyOfHead", backend("health_check { http { method: HTTP_CHECK_METHOD_HEAD body_contains: \"x\" } }"),
     kInvalid, kArgument, "body_contains: looks for a body, which a response to HEAD has not"},
    {0, "CheckGrpcService", backend("health_check { grpc { service: \"" + std::string(256, 's') + "\" } }"), kInvalid,
     kArgument, "health_check.grpc.service: has 256 bytes, at most 255 are allowed"},
    {0, "CheckGrpcAuthority", backend("health_check { grpc { authority: \"a b\" } }"), kInvalid, kArgument,
     "health_check.grpc.authority: \"a b\" is not a host"},
    {0, "CheckProxyHeader", backend("health_check { tcp {} proxy_header: 3 }"), kInvalid, kArgument,
     "health_check.proxy_header: 3 is not known; it is one of V1, V2"},
    {0, "AgentNowhere", backend("health_check { tcp {} agent {} }"), kInvalid, kArgument,
     "backend b: health_check.agent.port: is not set, nor is an address"},
    {0, "AgentPortZero", backend("health_check { agent { port: 0 } }"), kInvalid, kArgument,
     "health_check.agent.port: 0 is out of range [1, 65535]"},
    {0, "AgentPortBesideAddress", backend("health_check { agent { port: 1 address: \"10.0.0.1:2\" } }"), kInvalid,
     kArgument, "health_check.agent.port: is set beside an address"},
    {0, "AgentAddress", backend("health_check { agent { address: \"10.0.0.1\" } }"), kInvalid, kArgument,
     "health_check.agent.address: \"10.0.0.1\" has no port"},
    {0, "AgentInterval", backend("health_check { agent { port: 1 interval {} } }"), kInvalid, kArgument,
     "health_check.agent.interval: 0 is out of range [10ms, 24h]"},
    {0, "AgentSend", backend("health_check { agent { port: 1 send: \"" + std::string(256, 's') + "\" } }"), kInvalid,
     kArgument, "health_check.agent.send: has 256 bytes, at most 255 are allowed"},
    {0, "OutlierObserve", backend("outlier_detection { observe: 3 }"), kInvalid, kArgument,
     "backend b: outlier_detection.observe: 3 is not known; it is one of RESPONSES, CONNECTIONS"},
    {0, "OutlierErrors", backend("outlier_detection { consecutive_errors: 1001 }"), kInvalid, kArgument,
     "outlier_detection.consecutive_errors: 1001 is out of range [0, 1000]"},
    {0, "OutlierGatewayErrors", backend("outlier_detection { consecutive_gateway_errors: 1001 }"), kInvalid, kArgument,
     "outlier_detection.consecutive_gateway_errors: 1001 is out of range [0, 1000]"},
    {0, "OutlierOnError", backend("health_check { tcp {} } outlier_detection { on_error: 5 }"), kInvalid, kArgument,
     "outlier_detection.on_error: 5 is not known"},
    {0, "OutlierOnErrorUnchecked", backend("outlier_detection { on_error: ON_ERROR_MARK_DOWN }"), kInvalid, kArgument,
     "outlier_detection.on_error: is about checks, and the backend has none; set health_check"},
    {0, "OutlierOnErrorOfAnAgent",
     backend("health_check { agent { port: 9 } } outlier_detection { on_error: ON_ERROR_FAIL_CHECK }"), kInvalid,
     kArgument, "outlier_detection.on_error: is about checks, and the backend has none; set health_check"},
    {0, "OutlierIntervalZero", backend("outlier_detection { interval {} }"), kInvalid, kArgument,
     "outlier_detection.interval: 0 is out of range [10ms, 1h]"},
    {0, "OutlierInterval", backend("outlier_detection { interval { seconds: 3601 } }"), kInvalid, kArgument,
     "[10ms, 1h]"},
    {0, "OutlierRequests", backend("outlier_detection { success_rate { min_requests: 0 } }"), kInvalid, kArgument,
     "outlier_detection.success_rate.min_requests: 0 is out of range [1, 1000000]"},
    {0, "OutlierServers", backend("outlier_detection { failure_percentage { min_servers: 0 } }"), kInvalid, kArgument,
     "outlier_detection.failure_percentage.min_servers: 0 is out of range [1, 1000000]"},
    {0, "OutlierDeviation", backend("outlier_detection { success_rate { deviation_percent: 1001 } }"), kInvalid,
     kArgument, "outlier_detection.success_rate.deviation_percent: 1001 is out of range [1, 1000]"},
    {0, "OutlierThreshold", backend("outlier_detection { failure_percentage { threshold: 101 } }"), kInvalid, kArgument,
     "outlier_detection.failure_percentage.threshold: 101 is out of range [1, 100]"},
    {0, "EjectionTime", backend("outlier_detection { base_ejection_time {} }"), kInvalid, kArgument,
     "outlier_detection.base_ejection_time: 0 is out of range [10ms, 24h]"},
    {0, "EjectionTimeMax",
     backend("outlier_detection { base_ejection_time { seconds: 9 } max_ejection_time { seconds: 8 } }"), kInvalid,
     kArgument, "outlier_detection.max_ejection_time: 8s is out of range [9s, 24h]"},
    {0, "EjectedPercent", backend("outlier_detection { max_ejected_percent: 101 }"), kInvalid, kArgument,
     "outlier_detection.max_ejected_percent: 101 is out of range [0, 100]"},
    {0, "OnMarkedUp", backend("on_marked_up: 3"), kInvalid, kArgument,
     "on_marked_up: 3 is not known; it is one of KEEP, CLOSE_BACKUPS"},
    {0, "PurgeDelay", backend("connection_pool { purge_delay { nanos: 1 } }"), kInvalid, kArgument,
     "connection_pool.purge_delay: is above 0 and below 100ms"},
    {0, "PurgeDelayMax", backend("connection_pool { purge_delay { seconds: 3601 } }"), kInvalid, kArgument,
     "connection_pool.purge_delay: "},
    {0, "MinIdle", backend("connection_pool { min_idle: 100001 }"), kInvalid, kArgument,
     "connection_pool.min_idle: 100001 is out of range [0, 100000]"},
    {0, "Warm", backend("connection_pool { warm: 1001 }"), kInvalid, kArgument,
     "connection_pool.warm: 1001 is out of range [0, 1000]"},
    {0, "MinConnectionsOfAServer", good("min_connections: 1000001"), kInvalid, kArgument,
     "server web/x: min_connections: 1000001 is out of range [0, 1000000]"},
    {0, "OnMarkedDown", backend("on_marked_down: 3"), kInvalid, kArgument,
     "on_marked_down: 3 is not known; it is one of KEEP, CLOSE"},
    {0, "TrackNoName", good("health_check { track: \"x\" }"), kInvalid, kArgument,
     "server web/x: health_check.track: \"x\" is not a server's name, \"backend/server\""},
    {0, "TrackBadName", good("health_check { track: \"a/b/c\" }"), kInvalid, kArgument, "health_check.track: "},
    {0, "TrackEmptyBackend", good("health_check { track: \"/c\" }"), kInvalid, kArgument, "health_check.track: "},
    {0, "TrackAndDisabled", good("health_check { track: \"a/b\" disabled: true }"), kInvalid, kArgument,
     "health_check.track: is set beside how the server is checked, which it is not then"},
    {0, "TrackAndPort", good("health_check { track: \"a/b\" port: 7 }"), kInvalid, kArgument, "health_check.track: "},
    {0, "TrackUnknown", good("health_check { track: \"web/nobody\" }"), kInvalid, kArgument,
     "server web/x: health_check.track: \"web/nobody\" does not exist; add it first"},
    {0, "TrackItself", good("health_check { track: \"web/x\" }"), kInvalid, kArgument,
     "server web/x: health_check.track: \"web/x\" is the server itself"},
    {0, "ServerCheckPort", good("health_check { port: 65536 }"), kInvalid, kArgument,
     "server web/x: health_check.port: 65536 is out of range [1, 65535]"},
    {0, "ServerCheckAddress", good("health_check { address: \"10.0.0.1\" }"), kInvalid, kArgument,
     "server web/x: health_check.address: \"10.0.0.1\" has no port"},
    {23, "AlgorithmUnknown", backend("balance { algorithm: 99 }"), kInvalid, kArgument, "99 is not known"},
    {0, "Draws", backend("balance { draws: 17 }"), kInvalid, kArgument,
     "backend b: balance.draws: 17 is out of range [1, 16]"},
    {0, "NoDraws", backend("balance { draws: 0 }"), kInvalid, kArgument, "balance.draws: 0 is out of range [1, 16]"},
    {0, "EwmaDecay", backend("balance { peak_ewma { decay { nanos: 1 } } }"), kInvalid, kArgument,
     "balance.peak_ewma.decay: 1ns is out of range [10ms, 1h]"},
    {0, "PrequalPool", backend("balance { prequal { pool_size: 1 } }"), kInvalid, kArgument,
     "balance.prequal.pool_size: 1 is out of range [2, 64]"},
    {0, "PrequalProbes", backend("balance { prequal { probes: 17 } }"), kInvalid, kArgument,
     "balance.prequal.probes: 17 is out of range [1, 16]"},
    {0, "PrequalHot", backend("balance { prequal { hot_percent: 101 } }"), kInvalid, kArgument,
     "balance.prequal.hot_percent: 101 is out of range [0, 100]"},
    {0, "HashWithoutKey", backend("balance { algorithm: ALGORITHM_HASH }"), kInvalid, kArgument,
     "backend b: balance.hash.key: is not set; HASH needs it: text with {source}, {path}, {uri}, {query:NAME}"},
    {0, "HashKeyWithoutField", backend("balance { hash { key: \"path\" } }"), kInvalid, kArgument,
     "backend b: balance.hash.key: \"path\" has no field"},
    {0, "HashKeyOpen", backend("balance { hash { key: \"{path\" } }"), kInvalid, kArgument,
     "balance.hash.key: \"{path\" has a \"{\" alone"},
    {0, "HashKeyUnknown", backend("balance { hash { key: \"{host}\" } }"), kInvalid, kArgument,
     "balance.hash.key: \"{host}\" is not known; a field is {source}"},
    {0, "HashKeyHeader", backend("balance { hash { key: \"{header:a b}\" } }"), kInvalid, kArgument,
     "balance.hash.key: \"a b\" is no name of a header"},
    {0, "HashKeyTooLong", backend("balance { hash { key: \"" + std::string(1'025, 'x') + "\" } }"), kInvalid, kArgument,
     "balance.hash.key: has 1025 bytes, at most 1024 are allowed"},
    {0, "HashKeyTooManyFields", backend("balance { hash { key: \"" + repeated("{path}", 17) + "\" } }"), kInvalid,
     kArgument, "balance.hash.key: has 17 fields, at most 16 are allowed"},
    {0, "HashType", backend("balance { hash { type: 99 } }"), kInvalid, kArgument,
     "backend b: balance.hash.type: 99 is not known; it is one of CONSISTENT, RING, MAGLEV, MODULO"},
    {0, "HashTableSmall", backend("balance { hash { table_size: 241 } }"), kInvalid, kArgument,
     "backend b: balance.hash.table_size: 241 is out of range [251, 5000011]"},
    {0, "HashTableLarge", backend("balance { hash { table_size: 4294967295 } }"), kInvalid, kArgument,
     "balance.hash.table_size: 4294967295 is out of range [251, 5000011]"},
    {0, "HashTableNoPrime", backend("balance { hash { table_size: 65536 } }"), kInvalid, kArgument,
     "backend b: balance.hash.table_size: 65536 is not a prime; 65537 is"},
    {0, "HashBalanceFactor", backend("balance { hash { balance_factor: 100 } }"), kInvalid, kArgument,
     "backend b: balance.hash.balance_factor: 100 is out of range [101, 10000], and is not 0, which is no bound"},
    {0, "HashBalanceFactorLarge", backend("balance { hash { balance_factor: 10001 } }"), kInvalid, kArgument,
     "balance.hash.balance_factor: 10001 is out of range [101, 10000]"},
    {0, "PrequalAge", backend("balance { prequal { probe_age {} } }"), kInvalid, kArgument,
     "balance.prequal.probe_age: 0 is out of range [1ms, 1m]"},
    {23, "ProtocolUnset", listener(""), kInvalid, kArgument, "protocol: is not set; it is one of TCP, HTTP"},
    {0, "BindAbsent", "create { listener { name: \"l\" protocol: PROTOCOL_HTTP } }", kInvalid, kArgument,
     "bind: has 0 addresses"},
    {0, "BindTwice", http("bind: \"127.0.0.1:9\" bind: \"127.0.0.1:9\""), kInvalid, kArgument,
     "bind[2]: \"127.0.0.1:9\" duplicates bind[1]"},
    {46, "BindTaken", http("bind: \"127.0.0.1:99\""), v1::REASON_BIND_FAILED, StatusCode::FAILED_PRECONDITION,
     "127.0.0.1:99: Address already in use"},
    {46, "BindOfAnother", http("bind: \"127.0.0.1:8080\""), v1::REASON_BIND_FAILED, StatusCode::FAILED_PRECONDITION,
     "is in use by listener front"},
    {24, "TcpWithoutBackend", listener("protocol: PROTOCOL_TCP"), kInvalid, kArgument, "a TCP listener needs one"},
    {24, "TcpWithRoutes",
     listener("protocol: PROTOCOL_TCP default_backend: \"web\" routes { path_prefix: \"/\" backend: \"web\" }"),
     kInvalid, kArgument, "routes: are for HTTP listeners"},
    {41, "DanglingRoute", http("routes { path_prefix: \"/\" backend: \"no\" }"), v1::REASON_NOT_FOUND,
     StatusCode::NOT_FOUND, "listener l: routes[0].backend: backend no does not exist"},
    {0, "RouteTwice",
     http("routes { path_prefix: \"/a\" backend: \"web\" } routes { path_prefix: \"/a/\" backend: \"web\" }"), kInvalid,
     kArgument, "routes[1]: matches the same host and path as routes[0]"},
    {0, "RoutePriority", http("routes { path_prefix: \"/a\" backend: \"web\" priority: 8 }"), kInvalid, kArgument,
     "routes[0].priority: 8 is out of range [0, 7]"},
    {0, "RateRequests", http("rate_limit { requests: 1000001 }"), kInvalid, kArgument,
     "rate_limit.requests: 1000001 is out of range [0, 1000000]"},
    {0, "RatePer", http("rate_limit { requests: 1 per { seconds: 3601 } }"), kInvalid, kArgument,
     "rate_limit.per: 1h1s is out of range [1ms, 1h]"},
    {0, "RateBurst", http("rate_limit { requests: 1 burst: 0 }"), kInvalid, kArgument,
     "rate_limit.burst: 0 is out of range [1, 1000000]"},
    {0, "ClientRate", http("client_rate_limit { limit { requests: 1000001 } }"), kInvalid, kArgument,
     "client_rate_limit.limit.requests: 1000001 is out of range [0, 1000000]"},
    {0, "ClientRateAddresses", http("client_rate_limit { max_addresses: 63 }"), kInvalid, kArgument,
     "client_rate_limit.max_addresses: 63 is out of range [64, 16777216]"},
    {0, "RouteRate", http("routes { path_prefix: \"/a\" backend: \"web\" rate_limit { burst: 0 } }"), kInvalid,
     kArgument, "routes[0].rate_limit.burst: 0 is out of range [1, 1000000]"},
    {0, "ProxyTrusted", http("proxy_protocol { trusted: \"10.0.0.0/8\" trusted: \"10.0.0.1/8\" }"), kInvalid, kArgument,
     "proxy_protocol.trusted[1]: \"10.0.0.1/8\" is not a network: there are bits set beyond the first 8"},
    {0, "ProxyTrustedName", http("proxy_protocol { trusted: \"lb.example\" }"), kInvalid, kArgument,
     "proxy_protocol.trusted[0]: \"lb.example\" is not a network"},
    {0, "ProxyOthers", http("proxy_protocol { allow_others: true }"), kInvalid, kArgument,
     "proxy_protocol.trusted: names no network"},
    {0, "ProxyHeaderTime", http("timeouts { proxy_header { nanos: 1 } }"), kInvalid, kArgument,
     "timeouts.proxy_header: 1ns is out of range [1ms, 24h]"},
    {0, "AccessNetwork", http("access { rules { action: ACCESS_ACTION_DENY networks: \"10.0.0.0/33\" } }"), kInvalid,
     kArgument, "access.rules[0].networks[0]: \"10.0.0.0/33\" is not a network: its length is 0 to 32"},
    {0, "AccessAction", http("access { rules { networks: \"::/0\" } }"), kInvalid, kArgument,
     "access.rules[0].action: is not set; it is one of ALLOW, DENY"},
    {0, "AccessNoNetwork", http("access { rules { action: ACCESS_ACTION_DENY } }"), kInvalid, kArgument,
     "access.rules[0].networks: has no network"},
    {0, "AccessOtherwise", http("access { otherwise: 7 }"), kInvalid, kArgument, "access.otherwise: 7 is not known"},
    {0, "ConnectionsPerClient", http("max_connections_per_client: 1000001"), kInvalid, kArgument,
     "max_connections_per_client: 1000001 is out of range [0, 1000000]"},
    {0, "MinimumRate", http("minimum_rates { body: 1000000001 }"), kInvalid, kArgument,
     "minimum_rates.body: 1000000001 is out of range [0, 1000000000]"},
    {0, "MinimumRateGrace", http("minimum_rates { grace { nanos: 1 } }"), kInvalid, kArgument,
     "minimum_rates.grace: 1ns is out of range [100ms, 1h]"},
    {24, "MinimumRateOfTcp", listener("protocol: PROTOCOL_TCP default_backend: \"web\" minimum_rates { send: 1 }"),
     kInvalid, kArgument, "minimum_rates: are for HTTP listeners"},
    {0, "TcpKeepAlive", http("tcp { keep_alive { time { seconds: 1 nanos: 500000000 } } }"), kInvalid, kArgument,
     "tcp.keep_alive.time: 1.5s is not a whole number of seconds"},
    {0, "TcpProbes", http("tcp { keep_alive { probes: 128 } }"), kInvalid, kArgument,
     "tcp.keep_alive.probes: 128 is out of range [1, 127]"},
    {0, "TcpBacklog", http("tcp { backlog: 0 }"), kInvalid, kArgument, "tcp.backlog: 0 is out of range [1, 65535]"},
    {0, "TcpDefer", http("tcp { defer_accept { seconds: 3601 } }"), kInvalid, kArgument,
     "tcp.defer_accept: 1h1s is out of range [1s, 1h]"},
    {0, "SendProxyVersion", backend("send_proxy_protocol { crc32c: true }"), kInvalid, kArgument,
     "send_proxy_protocol.version: is not set; it is one of V1, V2"},
    {0, "SendProxyUnknown", backend("send_proxy_protocol { version: 3 }"), kInvalid, kArgument,
     "send_proxy_protocol.version: 3 is not known"},
    {0, "SendProxyV1", backend("send_proxy_protocol { version: PROXY_HEADER_V1 unique_id: true }"), kInvalid, kArgument,
     "send_proxy_protocol.version: is V1, which has no crc32c, authority and unique_id"},
    {0, "ServerUserTimeout", backend("tcp { user_timeout { } }"), kInvalid, kArgument,
     "tcp.user_timeout: 0 is out of range [1ms, 24h]"},
    {0, "RoutePath", http("routes { path_prefix: \"a\" backend: \"web\" }"), kInvalid, kArgument,
     "does not begin with"},
    {0, "RouteHost", http("routes { hosts: \"a..b\" backend: \"web\" }"), kInvalid, kArgument, "is not a host"},
    {0, "HeadBytes", http("http { max_head_bytes: 100 }"), kInvalid, kArgument, "[1024, 24576]"},
    {24, "NoAction", "", kInvalid, StatusCode::OK, "action: is not set"},
    {24, "NoResource", "upsert {}", kInvalid, StatusCode::OK, "names a listener, a backend, a server or a certificate"},
    {48, "CertificateWithoutChain", "create { certificate { name: \"c\" } }", kInvalid, kArgument,
     "certificate c: chain: is not set"},
    {48, "CertificateNotPem", "create { certificate { name: \"c\" chain: \"x\" private_key: \"x\" } }", kInvalid,
     kArgument, "certificate c: chain: has no certificate in PEM"},
    {48, "CertificateInTheWrongPlace",
     "patch { resource { certificate { name: \"c\" chain: \"x\" } } update_mask { paths: \"chain\" } }",
     v1::REASON_NOT_FOUND, StatusCode::NOT_FOUND, "certificate c: does not exist"},
    {48, "TlsWithoutCertificate", http("tls {}"), kInvalid, kArgument, "tls.certificates: is empty"},
    {48, "TlsCertificateTwice", http("tls { certificates: \"a\" certificates: \"a\" }"), kInvalid, kArgument,
     "tls.certificates[1]: \"a\" is there twice"},
    {48, "TlsCertificateAbsent", http("tls { certificates: \"a\" }"), v1::REASON_NOT_FOUND, StatusCode::NOT_FOUND,
     "tls.certificates[0]: certificate a does not exist"},
    {48, "TlsVersionUnknown", http("tls { certificates: \"a\" min_version: 9 }"), kInvalid, kArgument,
     "tls.min_version: 9"},
    {48, "TlsCipherUnknown", http("tls { certificates: \"a\" ciphers: \"ECDHE-RSA-AES128-GCM-SHA256:x\" }"), kInvalid,
     kArgument, "tls.ciphers: knows no cipher \"x\""},
    {48, "TlsCipherSuiteUnknown", http("tls { certificates: \"a\" cipher_suites: \"x\" }"), kInvalid, kArgument,
     "tls.cipher_suites: has a cipher suite that is not known"},
    {48, "TlsAlpn", http("tls { certificates: \"a\" alpn: \"h2\" }"), kInvalid, kArgument, "tls.alpn[0]: \"h2\""},
    {48, "TlsClientsWithoutMode", http("tls { certificates: \"a\" client_certificates { ca: \"x\" } }"), kInvalid,
     kArgument, "tls.client_certificates.mode: "},
    {48, "TlsClientsWithoutCa",
     http("tls { certificates: \"a\" client_certificates { mode: CLIENT_CERTIFICATE_MODE_OPTIONAL } }"), kInvalid,
     kArgument, "tls.client_certificates.ca: is not set"},
    {48, "TlsClientsCa",
     http("tls { certificates: \"a\" client_certificates { mode: CLIENT_CERTIFICATE_MODE_OPTIONAL ca: \"x\" } }"),
     kInvalid, kArgument, "tls.client_certificates.ca: has no certificate in PEM"},
    {48, "ServerTlsPin", backend("tls { pins: \"x\" }"), kInvalid, kArgument,
     "tls.pins[0]: is not a SHA-256 in base64"},
    {48, "ServerTlsName", backend("tls { name: \"a..b\" }"), kInvalid, kArgument, "tls.name: "},
    {48, "ServerTlsWildcard", backend("tls { sni: \"*.a.b\" }"), kInvalid, kArgument,
     "tls.sni: \"*.a.b\" is a wildcard"},
    {48, "ServerTlsCa", backend("tls { ca: \"x\" }"), kInvalid, kArgument, "tls.ca: has no certificate in PEM"},
    {48, "ServerTlsCertificate", backend("tls { client_certificate: \"no\" }"), v1::REASON_NOT_FOUND,
     StatusCode::NOT_FOUND, "tls.client_certificate: certificate no does not exist"},
    {48, "CheckTlsWithout", backend("health_check { tcp {} tls: true }"), kInvalid, kArgument,
     "health_check.tls: is true, and the backend has no tls"},
    {48, "PassThroughOfHttp", http("tls { pass_through {} }"), kInvalid, kArgument,
     "tls.pass_through: is for TCP listeners"},
    {48, "TlsHandshakeTimeout", http("tls { certificates: \"a\" handshake_timeout { nanos: 1 } }"), kInvalid, kArgument,
     "tls.handshake_timeout: "},
    {42, "BackendInUse", "delete { backend: \"web\" }", v1::REASON_IN_USE, StatusCode::FAILED_PRECONDITION,
     "backend web: is in use by listener front"},
    {20, "DeleteDrainTooLong",
     "delete { server { backend: \"web\" name: \"s1\" } drain { timeout { seconds: 86401 } } }", kInvalid, kArgument,
     "server web/s1: drain.timeout: 24h1s is out of range [0, 24h]"},
    {7, "MaskBelowANumber",
     "patch { resource { server { backend: \"web\" name: \"s1\" } } update_mask { paths: \"weight.x\" } }", kInvalid,
     kArgument, "server web/s1: update_mask: \"weight.x\""},
    {7, "MaskOnMetadata",
     "patch { resource { server { backend: \"web\" name: \"s1\" } } update_mask { paths: \"metadata.uid\" } }",
     kInvalid, kArgument, "is output only"},
    {7, "MaskWithAnEmptyPath",
     "patch { resource { server { backend: \"web\" name: \"s1\" } } update_mask { paths: \"\" } }", kInvalid, kArgument,
     "update_mask: \"\" is not a field of Server"},
    {8, "NameWithEscape", named("a\\033[31m"), kInvalid, kArgument, "\"a\\u001b[31m\" has other characters"},
    {8, "NameOfADot", named("."), kInvalid, kArgument, "\".\" is not a name"},
    {10, "NameWithOneLookAlike", named("s\\320\\2651"), kInvalid, kArgument, "has other characters"},
    {11, "AddressWithSpace", at(" 127.0.0.1:80"), kInvalid, kArgument, "is not an IPv4 address"},
    {11, "PortWithSpace", at("127.0.0.1: 80"), kInvalid, kArgument, "a port is a number from 0 to 65535"},
    {11, "Url", at("http://127.0.0.1:80"), kInvalid, kArgument, "\"http://127.0.0.1:80\""},
    {11, "Ipv6WithoutBrackets", at("::1:80"), kInvalid, kArgument, "\"::1:80\""},
    {12, "PortEmpty", at("127.0.0.1:"), kInvalid, kArgument, "a port is a number from 0 to 65535"},
    {13, "Multicast6", at("[ff02::1]:80"), kInvalid, kArgument, "unspecified, multicast or broadcast"},
    {15, "UnixPathEmpty", at("unix:"), kInvalid, kArgument, "\"unix:\""},
    {16, "WeightOfAllOnes", good("weight: 4294967295"), kInvalid, kArgument,
     "server web/x: weight: 4294967295 is out of range [0, 256]"},
    {16, "DefaultWeight", backend("server_defaults { weight: 257 }"), kInvalid, kArgument,
     "backend b: server_defaults.weight: 257 is out of range [0, 256]"},
    {20, "PoolIdleTimeoutTooLong", backend("connection_pool { idle_timeout { seconds: 3601 } }"), kInvalid, kArgument,
     "connection_pool.idle_timeout: 1h1s is out of range [0, 1h]"},
    {20, "ListenerIdleZero", http("timeouts { idle {} }"), kInvalid, kArgument, "timeouts.idle: 0 is out of range"},
    {23, "ProtocolUnknown", listener("protocol: 77"), kInvalid, kArgument, "protocol: 77 is not known"},
    {24, "NoName", "delete {}", kInvalid, StatusCode::OK, "names a listener, a backend, a server or a certificate"},
    {0, "TooManyAddresses", http(repeated("bind: \"127.0.0.1:0\" ", 16)), kInvalid, kArgument,
     "bind: has 17 addresses"},
    {0, "BindPortTooLarge", http("bind: \"127.0.0.1:99999\""), kInvalid, kArgument, "bind[1]: "},
    {0, "BindOfAHostName", http("bind: \"a:80\""), kInvalid, kArgument, "bind[1]: "},
    {0, "RouteWithoutBackend", http("routes { path_prefix: \"/v1\" }"), kInvalid, kArgument, "routes[0].backend: "},
    {0, "RouteHostWithSpace", http("routes { hosts: \"a b\" backend: \"web\" }"), kInvalid, kArgument,
     "routes[0].hosts[0]: "},
    {0, "RouteHostWithAStarWithin", http("routes { hosts: \"a.*.b\" backend: \"web\" }"), kInvalid, kArgument,
     "routes[0].hosts[0]: "},
    {0, "Headers", http("http { max_headers: 257 }"), kInvalid, kArgument,
     "http.max_headers: 257 is out of range [1, 256]"},
    {0, "PathActionUnknown", http("http { path { escapes: 9 } }"), kInvalid, kArgument,
     "http.path.escapes: 9 is not known"},
    {0, "QuirkUnknown", http("http { quirks: 7 }"), kInvalid, kArgument, "http.quirks[0]: 7 is not known"},
    {0, "QuirkTwice", http("http { quirks: 1 quirks: 1 }"), kInvalid, kArgument, "http.quirks[1]: is there twice"},
    {0, "ForwardedFormatUnknown", http("http { forwarded_format: 4 }"), kInvalid, kArgument,
     "http.forwarded_format: 4 is not known"},
    {0, "TrustedHops", http("http { trusted_hops: 17 }"), kInvalid, kArgument,
     "http.trusted_hops: 17 is out of range [0, 16]"},
    {0, "MaxBodyBytes", http("http { max_body_bytes: 9223372036854775808 }"), kInvalid, kArgument,
     "http.max_body_bytes: "},
    {0, "RedirectToItself", http("routes { redirect {} }"), kInvalid, kArgument, "routes[0].redirect: leads to where"},
    {0, "RedirectAndBackend", http("routes { backend: \"web\" redirect { scheme: \"https\" } }"), kInvalid, kArgument,
     "routes[0].backend: is set, and the route answers itself"},
    {0, "RedirectAndResponse", http("routes { respond { status: 200 } redirect { scheme: \"https\" } }"), kInvalid,
     kArgument, "routes[0].respond: is set beside"},
    {0, "RedirectStatus", http("routes { redirect { status: 305 path: \"/\" } }"), kInvalid, kArgument,
     "routes[0].redirect.status: 305 is not one of"},
    {0, "RedirectScheme", http("routes { redirect { scheme: \"ftp\" } }"), kInvalid, kArgument,
     "routes[0].redirect.scheme: \"ftp\""},
    {0, "RedirectHost", http("routes { redirect { host: \"*.a\" } }"), kInvalid, kArgument,
     "routes[0].redirect.host: "},
    {0, "RedirectPort", http("routes { redirect { port: 65536 } }"), kInvalid, kArgument, "routes[0].redirect.port: "},
    {0, "RedirectPathWithLineEnd", http("routes { redirect { path: \"/a\\r\\nX: y\" } }"), kInvalid, kArgument,
     "routes[0].redirect.path: "},
    {0, "RedirectTwoPaths", http("routes { redirect { path: \"/a\" path_prefix: \"/b\" } }"), kInvalid, kArgument,
     "routes[0].redirect.path_prefix: is set beside"},
    {0, "ResponseStatus", http("routes { respond { status: 101 } }"), kInvalid, kArgument,
     "routes[0].respond.status: 101 is out of range [200, 599]"},
    {0, "ResponseWithoutStatus", http("routes { respond {} }"), kInvalid, kArgument, "routes[0].respond.status: 0"},
    {0, "ResponseBodyOf204", http("routes { respond { status: 204 body: \"x\" } }"), kInvalid, kArgument,
     "routes[0].respond.body: "},
    {0, "ResponseBodyTooLong", http("routes { respond { status: 200 body: \"" + repeated("x", 4097) + "\" } }"),
     kInvalid, kArgument, "routes[0].respond.body: has 4097 bytes"},
    {0, "ResponseContentType", http("routes { respond { status: 200 content_type: \"a\\r\\nb\" } }"), kInvalid,
     kArgument, "routes[0].respond.content_type: "},
    {0, "RewriteHost", http("routes { backend: \"web\" rewrite { host: \"a b\" } }"), kInvalid, kArgument,
     "routes[0].rewrite.host: "},
    {0, "RewritePath", http("routes { backend: \"web\" rewrite { path_prefix: \"x\" } }"), kInvalid, kArgument,
     "routes[0].rewrite.path_prefix: "},
    {0, "HeaderNameWithSpace", http("routes { backend: \"web\" request_headers { remove: \"a b\" } }"), kInvalid,
     kArgument, "routes[0].request_headers.remove[0]: "},
    {0, "HeaderThatFrames",
     http("routes { backend: \"web\" request_headers { set { name: \"Content-Length\" value: \"5\" } } }"), kInvalid,
     kArgument, "routes[0].request_headers.set[0].name: "},
    {0, "HeaderOfForwarding", http("routes { backend: \"web\" request_headers { add { name: \"x-forwarded-for\" } } }"),
     kInvalid, kArgument, "routes[0].request_headers.add[0].name: "},
    {0, "HeaderValueWithLineEnd",
     http("routes { backend: \"web\" response_headers { add { name: \"a\" value: \"b\\r\\nc: d\" } } }"), kInvalid,
     kArgument, "routes[0].response_headers.add[0].value: "},
    {0, "HeaderSetTwice",
     http("routes { backend: \"web\" response_headers { set { name: \"a\" } set { name: \"A\" } } }"), kInvalid,
     kArgument, "routes[0].response_headers.set[1].name: is set twice"},
    {0, "HeadersTooMany", http("routes { backend: \"web\" request_headers { " + repeated("remove: \"a\" ", 33) + "} }"),
     kInvalid, kArgument, "routes[0].request_headers.remove: has 33 entries"},
    {0, "HeadersTooLong",
     http("routes { backend: \"web\" request_headers { " +
          repeated("add { name: \"a\" value: \"" + repeated("x", 1000) + "\" } ", 5) + "} }"),
     kInvalid, kArgument, "routes[0].request_headers: gives a message"},
    {0, "ErrorPageWithoutStatus", http("error_pages { body: \"x\" }"), kInvalid, kArgument,
     "error_pages[0].statuses: "},
    {0, "ErrorPageOfSuccess", http("error_pages { statuses: 200 }"), kInvalid, kArgument,
     "error_pages[0].statuses[0]: "},
    {0, "ErrorPageTwice", http("error_pages { statuses: 404 } error_pages { statuses: 404 }"), kInvalid, kArgument,
     "error_pages[1].statuses[0]: 404 has a page already"},
    {0, "LabelKeyEmpty", good("labels { key: \"\" value: \"x\" }"), kInvalid, kArgument, "labels: "},
    {0, "LabelsTooMany", good(labels(65)), kInvalid, kArgument, "labels: "},
    {42, "BackendInUseByARoute", "delete { backend: \"routed\" }", v1::REASON_IN_USE, StatusCode::FAILED_PRECONDITION,
     "backend routed: is in use by listener front"},
};

class BadInputTest : public ManagementFixture {
 protected:
  void SetUp() override {
    ManagementFixture::SetUp();
    half_.take_address("127.0.0.1:99");
    must(R"(
      operations { create { backend { name: "web" servers { name: "s1" address: "10.0.0.5:80" } } } }
      operations { create { backend { name: "routed" } } }
      operations { create { listener { name: "front" bind: "127.0.0.1:8080" protocol: PROTOCOL_HTTP
                                       routes { path_prefix: "/r" backend: "routed" }
                                       default_backend: "web" } } })");
  }

  std::string digest() {
    grpc::ClientContext context;
    v1::GetInfoResponse response;
    EXPECT_TRUE(stub_->GetInfo(&context, {}, &response).ok());
    return absl::BytesToHexString(response.digest());
  }
  v1::StreamUpdatesResponse read(
      grpc::ClientReaderWriter<v1::StreamUpdatesRequest, v1::StreamUpdatesResponse>& stream) {
    v1::StreamUpdatesResponse response;
    EXPECT_TRUE(stream.Read(&response));
    return response;
  }

  // The same by the unary call of its kind; OK where there is none.
  grpc::Status unary(const v1::Operation& operation) {
    grpc::ClientContext context;
    if (operation.has_delete_() && operation.delete_().name_case() == v1::Delete::NAME_NOT_SET) return grpc::Status::OK;
    if (operation.has_delete_()) return unary_delete(context, operation.delete_());
    if (operation.has_patch() && operation.patch().resource().has_certificate()) {
      v1::UpdateCertificateRequest request;
      *request.mutable_certificate() = operation.patch().resource().certificate();
      *request.mutable_update_mask() = operation.patch().update_mask();
      v1::UpdateCertificateResponse response;
      return stub_->UpdateCertificate(&context, request, &response);
    }
    if (operation.has_patch()) {
      v1::UpdateServerRequest request;
      *request.mutable_server() = operation.patch().resource().server();
      *request.mutable_update_mask() = operation.patch().update_mask();
      v1::UpdateServerResponse response;
      return stub_->UpdateServer(&context, request, &response);
    }
    if (operation.has_replace()) {
      v1::UpdateServerRequest request;
      *request.mutable_server() = operation.replace().server();
      v1::UpdateServerResponse response;
      return stub_->UpdateServer(&context, request, &response);
    }
    return unary_create(context, operation.create());
  }

 private:
  grpc::Status unary_delete(grpc::ClientContext& context, const v1::Delete& operation) {
    if (operation.has_backend()) {
      v1::DeleteBackendRequest request;
      request.set_name(operation.backend());
      v1::DeleteBackendResponse response;
      return stub_->DeleteBackend(&context, request, &response);
    }
    v1::DeleteServerRequest request;
    request.set_backend(operation.server().backend());
    request.set_name(operation.server().name());
    *request.mutable_drain() = operation.drain();
    v1::DeleteServerResponse response;
    return stub_->DeleteServer(&context, request, &response);
  }
  grpc::Status unary_create(grpc::ClientContext& context, const v1::Resource& resource) {
    if (resource.has_server()) {
      v1::AddServerRequest request;
      *request.mutable_server() = resource.server();
      v1::AddServerResponse response;
      return stub_->AddServer(&context, request, &response);
    }
    if (resource.has_backend()) {
      v1::AddBackendRequest request;
      *request.mutable_backend() = resource.backend();
      v1::AddBackendResponse response;
      return stub_->AddBackend(&context, request, &response);
    }
    if (resource.has_certificate()) {
      v1::AddCertificateRequest request;
      *request.mutable_certificate() = resource.certificate();
      v1::AddCertificateResponse response;
      return stub_->AddCertificate(&context, request, &response);
    }
    if (!resource.has_listener()) return grpc::Status::OK;
    v1::AddListenerRequest request;
    *request.mutable_listener() = resource.listener();
    v1::AddListenerResponse response;
    return stub_->AddListener(&context, request, &response);
  }
};

TEST_F(BadInputTest, IsRefusedWithReasonStatusAndTextAndChangesNothing) {
  std::string before = state();
  std::string digest_before = digest();
  for (const Row& row : kRows) {
    SCOPED_TRACE(absl::StrCat("row ", row.number, " ", row.name));
    v1::Operation operation = from_text<v1::Operation>(row.operation);
    v1::Transaction transaction;
    *transaction.add_operations() = from_text<v1::Operation>(
        "create { backend { name: \"beside\" servers { name: \"x\" address: \"10.0.0.1:80\" } } }");
    *transaction.add_operations() = operation;
    v1::TransactionResult result = apply(transaction);
    EXPECT_EQ(result.outcome(), v1::OUTCOME_REFUSED);
    ASSERT_EQ(result.failures_size(), 1) << result.DebugString();
    EXPECT_EQ(result.failures(0).index(), 1);
    EXPECT_EQ(result.failures(0).reason(), row.reason);
    EXPECT_THAT(result.failures(0).message(), HasSubstr(row.text));

    grpc::Status status = unary(operation);
    EXPECT_EQ(status.error_code(), row.status) << status.error_message();
    if (row.status != StatusCode::OK) {
      EXPECT_THAT(status.error_message(), HasSubstr(row.text));
      EXPECT_THAT(status.error_details(), HasSubstr("fairlead.v1.OperationFailure"));
      EXPECT_LT(status.error_details().size() + status.error_message().size(), 8192);
    }
    EXPECT_EQ(state(), before);
    EXPECT_EQ(digest(), digest_before);
    if (HasFailure()) return;
  }
}

// What is good though it looks odd: an outcome, and whether it left what was there as it was.
struct GoodRow {
  int number;
  const char* name;
  std::string transaction;
  v1::Outcome outcome;
};
const GoodRow kGoodRows[] = {
    {1, "CreateOfEqualContent",
     R"(operations { create { server { backend: "web" name: "s1" address: "10.0.0.5:80" } } })", v1::OUTCOME_UNCHANGED},
    {1, "UpsertOfAnotherSpelling",
     R"(operations { upsert { server { backend: "web" name: "s6" address: "[0:0::0:5]:80" } } })",
     v1::OUTCOME_UNCHANGED},
    {4, "TwoOfOneAddress", R"(operations { create { server { backend: "web" name: "s2" address: "10.0.0.5:80" } } })",
     v1::OUTCOME_APPLIED},
    {6, "DeleteOfNothing", R"(operations { delete { server { backend: "web" name: "nobody" } } })",
     v1::OUTCOME_UNCHANGED},
    {6, "DeleteInNoBackend", R"(operations { delete { server { backend: "no" name: "nobody" } } })",
     v1::OUTCOME_UNCHANGED},
    {6, "DeleteOfNoBackend", R"(operations { delete { backend: "no" } })", v1::OUTCOME_UNCHANGED},
    {6, "DeleteOfNoListener", R"(operations { delete { listener: "no" } })", v1::OUTCOME_UNCHANGED},
    {17, "AllWeightsZero",
     R"(operations { patch { resource { server { backend: "web" name: "s1" weight: 0 } } update_mask { paths: "weight" } } })",
     v1::OUTCOME_APPLIED},
    {27, "NoOperations", "", v1::OUTCOME_UNCHANGED},
    {27, "NoOperationsEach", "atomicity: ATOMICITY_EACH", v1::OUTCOME_UNCHANGED},
};

TEST_F(BadInputTest, OrWhatIsGoodIsTakenAndChangesNoMoreThanItSays) {
  must(R"(operations { create { server { backend: "web" name: "s6" address: "[::5]:80" } } })");
  for (const GoodRow& row : kGoodRows) {
    SCOPED_TRACE(absl::StrCat("row ", row.number, " ", row.name));
    std::string before = state();
    std::string digest_before = digest();
    v1::TransactionResult result = apply(row.transaction);
    EXPECT_EQ(result.outcome(), row.outcome) << result.DebugString();
    bool unchanged = row.outcome == v1::OUTCOME_UNCHANGED;
    EXPECT_EQ(state() == before, unchanged);
    EXPECT_EQ(digest() == digest_before, unchanged);
  }
  grpc::ClientContext context;
  v1::GetBackendResponse got;
  ASSERT_TRUE(stub_->GetBackend(&context, from_text<v1::GetBackendRequest>(R"(name: "web")"), &got).ok());
  EXPECT_EQ(got.backend().status().servers(), 3);
}

TEST_F(BadInputTest, Row03TheSecondOfOneNameIsAChangeOfTheFirst) {
  std::string before = digest();
  v1::TransactionResult result = apply(R"(
      operations { create { server { backend: "web" name: "twice" address: "10.0.0.1:1" } } }
      operations { create { server { backend: "web" name: "twice" address: "10.0.0.1:2" } } })");
  EXPECT_EQ(result.outcome(), v1::OUTCOME_REFUSED);
  ASSERT_EQ(result.failures_size(), 1);
  EXPECT_EQ(result.failures(0).index(), 1);
  EXPECT_EQ(result.failures(0).reason(), v1::REASON_ALREADY_EXISTS);
  EXPECT_EQ(digest(), before);
  must(R"(operations { upsert { server { backend: "web" name: "twice" address: "10.0.0.1:1" } } }
          operations { upsert { server { backend: "web" name: "twice" address: "10.0.0.1:2" } } })");
  grpc::ClientContext context;
  v1::GetServerResponse got;
  ASSERT_TRUE(
      stub_->GetServer(&context, from_text<v1::GetServerRequest>(R"(backend: "web" name: "twice")"), &got).ok());
  EXPECT_EQ(got.server().address(), "10.0.0.1:2");
}

TEST_F(BadInputTest, Row25UnknownFieldsAreNotStored) {
  v1::AddServerRequest request;
  request.mutable_server()->set_backend("web");
  request.mutable_server()->set_name("x");
  request.mutable_server()->set_address("10.0.0.1:80");
  must(R"(operations { create { server { backend: "web" name: "x" address: "10.0.0.1:80" } } })");
  std::string before = state(), digest_before = digest();
  request.mutable_server()->GetReflection()->MutableUnknownFields(request.mutable_server())->AddVarint(1000, 7);
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(1000, "text");
  grpc::ClientContext context;
  v1::AddServerResponse response;
  EXPECT_TRUE(stub_->AddServer(&context, request, &response).ok());
  EXPECT_EQ(state(), before);
  EXPECT_EQ(digest(), digest_before);
}

// Whatever else is wrong: the version is told.
TEST_F(BadInputTest, Row34And35VersionsThatAreNotThePresentOne) {
  std::string before = state(), digest_before = digest();
  uint64_t present = apply("").version();
  auto expect_refused = [&](uint64_t expected, v1::Reason reason) {
    v1::TransactionResult result = apply(absl::StrCat(
        "operations { delete { server { backend: \"web\" name: \"s1\" } } } expected_version: ", expected));
    EXPECT_EQ(result.outcome(), v1::OUTCOME_REFUSED);
    EXPECT_EQ(result.version(), present);
    ASSERT_EQ(result.failures_size(), 1);
    EXPECT_FALSE(result.failures(0).has_index());
    EXPECT_EQ(result.failures(0).reason(), reason);
    EXPECT_THAT(result.failures(0).message(), HasSubstr(absl::StrCat(present)));
    EXPECT_THAT(result.failures(0).message(), HasSubstr(absl::StrCat(expected)));
  };
  expect_refused(present - 1, v1::REASON_VERSION_MISMATCH);
  expect_refused(present + 1, v1::REASON_FUTURE_VERSION);
  expect_refused(UINT64_MAX, v1::REASON_FUTURE_VERSION);
  EXPECT_EQ(state(), before);
  EXPECT_EQ(digest(), digest_before);
}

TEST_F(BadInputTest, Row36OfWritersWhoExpectOneVersionExactlyOneWrites) {
  constexpr int kWriters = 4, kRounds = 50;
  for (int round = 0; round < kRounds; ++round) {
    uint64_t present = apply("").version();
    std::vector<v1::TransactionResult> results(kWriters);
    std::vector<std::thread> writers;
    for (int i = 0; i < kWriters; ++i) {
      writers.emplace_back([&, i] {
        results[static_cast<size_t>(i)] =
            apply(absl::StrCat("operations { create { server { backend: \"web\" name: \"w", round,
                               "\" address: \"10.0.0.1:", 1 + i, "\" } } } expected_version: ", present));
      });
    }
    for (std::thread& writer : writers) writer.join();
    int applied = 0;
    for (const v1::TransactionResult& result : results) {
      if (result.outcome() == v1::OUTCOME_APPLIED) {
        ++applied;
      } else {
        ASSERT_EQ(result.failures_size(), 1);
        EXPECT_EQ(result.failures(0).reason(), v1::REASON_VERSION_MISMATCH);
      }
    }
    ASSERT_EQ(applied, 1);
  }
}

TEST_F(BadInputTest, Row50OneListenerMoreThanThereMayBe) {
  v1::Transaction transaction;
  for (int i = 1; i < 1000; ++i) {
    *transaction.add_operations() = from_text<v1::Operation>(
        absl::StrCat("create { listener { name: \"l", i, "\" bind: \"127.0.0.1:0\" protocol: PROTOCOL_HTTP } }"));
  }
  ASSERT_EQ(apply(transaction).outcome(), v1::OUTCOME_APPLIED);
  std::string before = state(), digest_before = digest();
  v1::Operation one_more = from_text<v1::Operation>(http(""));
  v1::Transaction too_many;
  *too_many.add_operations() = one_more;
  v1::TransactionResult result = apply(too_many);
  ASSERT_EQ(result.failures_size(), 1);
  EXPECT_EQ(result.failures(0).reason(), v1::REASON_LIMIT_EXCEEDED);
  EXPECT_THAT(result.failures(0).message(), HasSubstr("1000"));
  grpc::Status status = unary(one_more);
  EXPECT_EQ(status.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("listener l: "));
  EXPECT_EQ(state(), before);
  EXPECT_EQ(digest(), digest_before);
}

// --- what a session may not do ---

TEST_F(BadInputTest, ATransactionIdThatDoesNotGrowIsRefusedAndTheSessionGoesOn) {
  grpc::ClientContext context;
  auto stream = stub_->StreamUpdates(&context);
  stream->Write(from_text<v1::StreamUpdatesRequest>(R"(open { client_name: "test" election_id { low: 1 } })"));
  EXPECT_TRUE(read(*stream).has_opened());
  std::string add = R"(operations { upsert { server { backend: "web" name: "x" address: "10.0.0.1:80" } } })";
  std::string remove = R"(operations { delete { server { backend: "web" name: "x" } } })";
  auto send = [&](uint64_t id, const std::string& operations) {
    stream->Write(from_text<v1::StreamUpdatesRequest>(absl::StrCat("transaction { id: ", id, " ", operations, " }")));
    return read(*stream).result();
  };
  std::string before = digest();
  EXPECT_EQ(send(5, add).outcome(), v1::OUTCOME_APPLIED);
  EXPECT_EQ(send(6, remove).outcome(), v1::OUTCOME_APPLIED);
  for (uint64_t id : {6, 5, 1}) {
    v1::TransactionResult result = send(id, add);
    EXPECT_EQ(result.outcome(), v1::OUTCOME_REFUSED);
    EXPECT_EQ(result.id(), id);
    ASSERT_EQ(result.failures_size(), 1);
    EXPECT_FALSE(result.failures(0).has_index());
    EXPECT_EQ(result.failures(0).reason(), v1::REASON_INVALID);
    EXPECT_THAT(result.failures(0).message(), HasSubstr(absl::StrCat(id)));
    EXPECT_THAT(result.failures(0).message(), HasSubstr("6"));
  }
  EXPECT_EQ(digest(), before);
  EXPECT_EQ(send(7, add).outcome(), v1::OUTCOME_APPLIED);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(BadInputTest, ASecondOpenEndsTheSession) {
  std::string before = digest();
  grpc::ClientContext context;
  auto stream = stub_->StreamUpdates(&context);
  stream->Write(from_text<v1::StreamUpdatesRequest>(R"(open { client_name: "test" election_id { low: 1 } })"));
  EXPECT_TRUE(read(*stream).has_opened());
  stream->Write(from_text<v1::StreamUpdatesRequest>(R"(open { client_name: "test" election_id { low: 1 } })"));
  v1::StreamUpdatesResponse response;
  EXPECT_FALSE(stream->Read(&response)) << response.DebugString();
  grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), kArgument);
  EXPECT_THAT(status.error_message(), HasSubstr("open"));
  EXPECT_EQ(digest(), before);
}

TEST_F(BadInputTest, OneBadOfTenThousandRefusesAllAndIsNamed) {
  std::string before = state();
  v1::Transaction transaction;
  for (int i = 0; i < 10'000; ++i) {
    v1::Server& server = *transaction.add_operations()->mutable_upsert()->mutable_server();
    server.set_backend("web");
    server.set_name(absl::StrCat("s", i));
    server.set_address("10.0.0.1:80");
    if (i == 7777) server.set_weight(1000);
  }
  v1::TransactionResult result = apply(transaction);
  EXPECT_EQ(result.failures(0).index(), 7777);
  EXPECT_EQ(state(), before);
  *transaction.add_operations() = transaction.operations(0);
  result = apply(transaction);
  EXPECT_EQ(result.failures(0).reason(), v1::REASON_LIMIT_EXCEEDED);
  EXPECT_THAT(result.failures(0).message(), HasSubstr("has 10001 operations, at most 10000"));
}

TEST_F(BadInputTest, DetailsStaySmall) {
  v1::Transaction transaction;
  for (int i = 0; i < 5000; ++i) transaction.add_operations();
  v1::TransactionResult result = apply(transaction);
  EXPECT_EQ(result.failures_size(), 100);
  EXPECT_EQ(result.failures_total(), 5000);
}

TEST_F(BadInputTest, AMessageOverTheLimitIsRefusedAndTheServiceLives) {
  v1::ApplyTransactionRequest request;
  request.mutable_transaction()->add_operations()->mutable_upsert()->mutable_server()->set_name(
      std::string(5 << 20, 'x'));
  grpc::ClientContext context;
  v1::ApplyTransactionResponse response;
  EXPECT_EQ(stub_->ApplyTransaction(&context, request, &response).error_code(), StatusCode::RESOURCE_EXHAUSTED);
  must("");
}

TEST_F(BadInputTest, InvalidUtf8IsNeverStored) {
  std::string before = state();
  v1::AddServerRequest request;
  request.mutable_server()->set_backend("web");
  request.mutable_server()->set_name("x");
  request.mutable_server()->set_address("10.0.0.1:80");
  (*request.mutable_server()->mutable_labels())["zone"] = "\xff\xfe";
  grpc::ClientContext context;
  v1::AddServerResponse response;
  EXPECT_FALSE(stub_->AddServer(&context, request, &response).ok());
  EXPECT_EQ(state(), before);
}

// The distribution's gRPC at times closes the connection of such a call as well; then the next call opens another.
TEST_F(BadInputTest, MetadataOverTheLimitFailsAndTheServiceLives) {
  std::string before = state();
  grpc::ClientContext context;
  context.AddMetadata("x-large", std::string(9 << 10, 'm'));
  v1::GetInfoResponse response;
  EXPECT_FALSE(stub_->GetInfo(&context, {}, &response).ok());
  grpc::Status status(StatusCode::UNAVAILABLE, "");
  for (int tries = 0; tries < 10 && status.error_code() == StatusCode::UNAVAILABLE; ++tries) {
    grpc::ClientContext again;
    again.set_wait_for_ready(true);
    status = stub_->GetInfo(&again, {}, &response);
  }
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(state(), before);
}

TEST_F(BadInputTest, PagesAreBoundToTheirQuery) {
  for (int i = 0; i < 5; ++i) {
    must(absl::StrCat("operations { create { server { backend: \"web\" name: \"p", i,
                      "\" address: \"10.0.0.1:80\" } } }"));
  }
  auto list = [&](const std::string& text) {
    grpc::ClientContext context;
    v1::ListServersResponse response;
    grpc::Status status = stub_->ListServers(&context, from_text<v1::ListServersRequest>(text), &response);
    return std::pair(status, response);
  };
  EXPECT_EQ(list("page_size: -1").first.error_code(), kArgument);
  EXPECT_EQ(list("page_token: \"garbage\"").first.error_code(), kArgument);
  EXPECT_EQ(list("lifecycles: 99").first.error_code(), kArgument);
  auto [status, page] = list("backend: \"web\" page_size: 4");
  ASSERT_TRUE(status.ok());
  ASSERT_EQ(page.servers_size(), 4);
  std::string token = "page_token: \"" + page.next_page_token() + "\"";
  EXPECT_EQ(list(token).first.error_code(), kArgument);
  auto [status2, rest] = list("backend: \"web\" page_size: 4 " + token);
  ASSERT_TRUE(status2.ok()) << status2.error_message();
  EXPECT_EQ(rest.servers_size(), 2);
  EXPECT_EQ(rest.servers(1).name(), "s1");
  EXPECT_EQ(rest.next_page_token(), "");
}

}  // namespace
}  // namespace fairlead::management
