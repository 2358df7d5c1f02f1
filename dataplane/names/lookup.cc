#include "names/lookup.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "config/text.h"
#include "names/services.h"

namespace fairlead::names {
namespace {

using config::concat;
using config::Endpoint;

// What fits into a datagram everywhere (DNS flag day 2020).
constexpr int kDatagramMax = 1232;
// As many as a message can hold, so that we know how many there were.
constexpr int kRecordsMax = 4096;

Endpoint endpoint_of(const ares_addrttl& record) {
  return Endpoint(config::Ip4Endpoint{.address = ntohl(record.ipaddr.s_addr), .port = 0});
}

Endpoint endpoint_of(const ares_addr6ttl& record) {
  config::Ip6Endpoint ip6;
  static_assert(sizeof record.ip6addr == sizeof ip6.address);
  std::memcpy(ip6.address.data(), &record.ip6addr, ip6.address.size());
  return Endpoint(ip6);
}

int parse(const unsigned char* bytes, int size, std::vector<ares_addrttl>& records, int* count) {
  return ares_parse_a_reply(bytes, size, nullptr, records.data(), count);
}

int parse(const unsigned char* bytes, int size, std::vector<ares_addr6ttl>& records, int* count) {
  return ares_parse_aaaa_reply(bytes, size, nullptr, records.data(), count);
}

// Unset: it cannot be read.
template <typename Record>
std::optional<Part> read_addresses(const unsigned char* bytes, int size) {
  std::vector<Record> records(kRecordsMax);
  int count = kRecordsMax;
  int status = parse(bytes, size, records, &count);
  if (status == ARES_ENODATA) count = 0;
  if (status != ARES_SUCCESS && status != ARES_ENODATA) return std::nullopt;
  records.resize(static_cast<size_t>(std::max(count, 0)));
  if (records.empty()) return Part::failed(Failure::kNoName, "it has no address");
  Part part;
  int ttl = INT32_MAX;
  for (const Record& record : records) {
    ttl = std::min(ttl, std::max(record.ttl, 0));
    Endpoint address = endpoint_of(record);
    if (address.with_port(1).is_destination()) part.addresses.push_back(std::move(address));
  }
  part.ttl = std::chrono::seconds(ttl);
  std::ranges::sort(part.addresses);
  part.addresses.erase(std::ranges::unique(part.addresses).begin(), part.addresses.end());
  if (part.addresses.empty()) return Part::failed(Failure::kNoName, "nothing can connect to its address");
  part.left_out = part.addresses.size() - std::min(part.addresses.size(), kAddressesMax);
  part.addresses.resize(part.addresses.size() - part.left_out);
  return part;
}

std::optional<Part> read_answer(int type, const unsigned char* bytes, int size) {
  if (type == ns_t_srv) return read_services({bytes, static_cast<size_t>(size)});
  return type == ns_t_aaaa ? read_addresses<ares_addr6ttl>(bytes, size) : read_addresses<ares_addrttl>(bytes, size);
}

Part failure_of(int type, int status, const std::string& nameserver) {
  switch (status) {
    case ARES_ENOTFOUND:
      return Part::failed(Failure::kNoName, "it does not exist (NXDOMAIN)");
    case ARES_ENODATA:
      return Part::failed(Failure::kNoName, type == ns_t_srv ? "it has no SRV record" : "it has no address");
    case ARES_EREFUSED:
      return Part::failed(Failure::kRefused, concat(nameserver, " refuses to answer"));
    case ARES_ECONNREFUSED:
      return Part::failed(Failure::kRefused, concat(nameserver, " is not there"));
    case ARES_ETIMEOUT:
      return Part::failed(Failure::kTimeout, concat(nameserver, " does not answer"));
    case ARES_ESERVFAIL:
      return Part::failed(Failure::kOther, concat(nameserver, " has failed (SERVFAIL)"));
    case ARES_EBADRESP:
      return Part::failed(Failure::kOther, concat(nameserver, " answers what cannot be read"));
    default:
      return Part::failed(Failure::kOther, concat(nameserver, ": ", std::string_view(ares_strerror(status))));
  }
}

std::vector<std::string> nameservers_of_the_system() {
  std::vector<std::string> found;
  ares_channel channel = nullptr;
  if (ares_init(&channel) != ARES_SUCCESS) return found;
  ares_addr_port_node* first = nullptr;
  if (ares_get_servers_ports(channel, &first) == ARES_SUCCESS) {
    for (const ares_addr_port_node* node = first; node; node = node->next) {
      auto port = static_cast<uint16_t>(node->udp_port == 0 ? NAMESERVER_PORT : node->udp_port);
      if (node->family == AF_INET) {
        found.push_back(
            Endpoint(config::Ip4Endpoint{.address = ntohl(node->addr.addr4.s_addr), .port = port}).to_string());
      } else {
        config::Ip6Endpoint ip6{.port = port};
        std::memcpy(ip6.address.data(), &node->addr.addr6, ip6.address.size());
        found.push_back(Endpoint(ip6).to_string());
      }
    }
    ares_free_data(first);
  }
  ares_destroy(channel);
  return found;
}

}  // namespace

struct Lookups::Nameserver {
  explicit Nameserver(std::string its_address) : address(std::move(its_address)) {}
  ~Nameserver() {
    if (channel) ares_destroy(channel);
  }
  Nameserver(const Nameserver&) = delete;
  Nameserver& operator=(const Nameserver&) = delete;

  const std::string address;
  ares_channel channel = nullptr;
};

// A name's questions, for one family or both.
struct Lookups::Round {
  std::string name;
  bool had_any = false;
  Done done;
  int open = 0;
  Part preferred;
  std::optional<Part> other;
};

struct Lookups::Question {
  Lookups& owner;
  std::shared_ptr<Round> round;
  // ns_t_a, ns_t_aaaa or ns_t_srv.
  int type;
  bool is_preferred;
  // Which one is asked.
  size_t nameserver = 0;
};

Lookups::Lookups(const Settings& settings) : settings_(settings), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  FAIRLEAD_CHECK(bool(wake_));
  FAIRLEAD_CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
}

Lookups::~Lookups() {
  ends_ = true;
  nameservers_.clear();
  ares_library_cleanup();
}

void Lookups::open_nameservers() {
  problem_.clear();
  for (const std::string& address :
       settings_.nameservers.empty() ? nameservers_of_the_system() : settings_.nameservers) {
    ares_options options{};
    // Whatever is answered is told, instead of the question being asked again: by its kind we know how long to hold.
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP | ARES_FLAG_EDNS;
    options.timeout =
        static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(settings_.timeout).count());
    options.tries = static_cast<int>(settings_.tries);
    options.ednspsz = kDatagramMax;
    auto nameserver = std::make_unique<Nameserver>(address);
    int status = ares_init_options(&nameserver->channel, &options,
                                   ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ);
    if (status == ARES_SUCCESS) status = ares_set_servers_ports_csv(nameserver->channel, address.c_str());
    if (status == ARES_SUCCESS) {
      nameservers_.push_back(std::move(nameserver));
    } else {
      problem_ = concat(address, ": ", std::string_view(ares_strerror(status)));
    }
  }
  if (nameservers_.empty() && problem_.empty()) problem_ = "there is no nameserver";
}

void Lookups::start(const std::string& name, bool had_any, Done done) {
  if (nameservers_.empty()) open_nameservers();
  if (nameservers_.empty()) return done(Part::failed(Failure::kOther, problem_));
  bool prefers_ip6 = settings_.family == Family::kIp6 || settings_.family == Family::kIp6Only;
  bool is_service = config::is_service_question(name);
  bool is_single = is_service || settings_.family == Family::kIp4Only || settings_.family == Family::kIp6Only;
  auto round = std::make_shared<Round>();
  round->name = is_service ? config::service_name(name) : std::string_view(name);
  round->had_any = had_any;
  round->done = std::move(done);
  round->open = is_single ? 1 : 2;
  for (bool is_preferred : {true, false}) {
    if (!is_preferred && is_single) break;
    int type = is_service ? ns_t_srv : prefers_ip6 == is_preferred ? ns_t_aaaa : ns_t_a;
    ask(std::make_unique<Question>(
        Question{.owner = *this, .round = round, .type = type, .is_preferred = is_preferred}));
  }
}

void Lookups::ask(std::unique_ptr<Question> question) {
  ares_channel channel = nameservers_[question->nameserver]->channel;
  const char* name = question->round->name.c_str();
  int type = question->type;
  // The library has it until it calls, which it does in any case.
  auto call = [](void* argument, int status, int, unsigned char* bytes, int size) {
    std::unique_ptr<Question> asked(static_cast<Question*>(argument));
    Lookups& owner = asked->owner;
    owner.answered(std::move(asked), status, bytes, size);
  };
  ares_query(channel, name, ns_c_in, type, call, question.release());
}

void Lookups::answered(std::unique_ptr<Question> question, int status, const unsigned char* bytes, int size) {
  if (ends_) return;
  const std::string& nameserver = nameservers_[question->nameserver]->address;
  std::optional<Part> part;
  if (status == ARES_SUCCESS) {
    part = read_answer(question->type, bytes, size);
    if (!part) status = ARES_EBADRESP;
  }
  if (!part) part = failure_of(question->type, status, nameserver);
  bool says_something = !part->failure || *part->failure == Failure::kNoName;
  if (says_something || question->nameserver + 1 == nameservers_.size()) return finish(*question, *std::move(part));
  ++question->nameserver;
  ask(std::move(question));
}

void Lookups::finish(const Question& question, Part part) {
  Round& round = *question.round;
  if (question.is_preferred) {
    round.preferred = std::move(part);
  } else {
    round.other = std::move(part);
  }
  if (--round.open > 0) return;
  round.done(round.other ? combine(std::move(round.preferred), *std::move(round.other), round.had_any)
                         : std::move(round.preferred));
}

void Lookups::turn(runtime::TimePoint until) {
  struct Socket {
    ares_channel channel;
    int fd;
  };
  std::vector<pollfd> polled = {{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  std::vector<Socket> sockets = {{nullptr, wake_.get()}};
  runtime::TimePoint now = std::chrono::steady_clock::now();
  // A day, where nothing else is to be waited for.
  auto wait =
      std::clamp<runtime::Duration>(until - std::min(until, now), runtime::Duration::zero(), std::chrono::hours(24));
  for (const auto& nameserver : nameservers_) {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> fds;
    int bits = ares_getsock(nameserver->channel, fds.data(), static_cast<int>(fds.size()));
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      short events = 0;
      if (ARES_GETSOCK_READABLE(bits, i)) events |= POLLIN;
      if (ARES_GETSOCK_WRITABLE(bits, i)) events |= POLLOUT;
      if (events == 0) continue;
      polled.push_back({.fd = fds[static_cast<size_t>(i)], .events = events, .revents = 0});
      sockets.push_back({nameserver->channel, fds[static_cast<size_t>(i)]});
    }
    timeval room;
    if (const timeval* next = ares_timeout(nameserver->channel, nullptr, &room)) {
      wait = std::min<runtime::Duration>(wait,
                                         std::chrono::seconds(next->tv_sec) + std::chrono::microseconds(next->tv_usec));
    }
  }
  auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
  ::poll(polled.data(), polled.size(), static_cast<int>(milliseconds));
  uint64_t count;
  if (polled[0].revents != 0) std::ignore = ::read(wake_.get(), &count, sizeof count);
  for (size_t i = 1; i < polled.size(); ++i) {
    bool readable = (polled[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
    bool writable = (polled[i].revents & POLLOUT) != 0;
    if (!readable && !writable) continue;
    int fd = sockets[i].fd;
    ares_process_fd(sockets[i].channel, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
  }
  for (const auto& nameserver : nameservers_) ares_process_fd(nameserver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void Lookups::wake() {
  uint64_t one = 1;
  std::ignore = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace fairlead::names
