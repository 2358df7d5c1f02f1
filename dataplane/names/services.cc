#include "names/services.h"

#include <ares.h>
#include <arpa/nameser.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "config/text.h"

namespace fairlead::names {
namespace {

using Bytes = std::span<const unsigned char>;

// Goes through a message (RFC 1035, section 4.1); what is beyond its end makes it unreadable.
class Reader {
 public:
  explicit Reader(Bytes message) : message_(message) {}

  bool ok() const { return ok_; }
  size_t at() const { return at_; }
  uint16_t u16() { return static_cast<uint16_t>(number(2)); }
  uint32_t u32() { return number(4); }
  void skip(size_t count) {
    ok_ &= count <= message_.size() - at_;
    if (ok_) at_ += count;
  }
  // Follows pointers, which c-ares sees to that it comes to an end.
  std::string name() {
    if (!ok_) return {};
    char* text = nullptr;
    long size = 0;
    int status =
        ares_expand_name(message_.data() + at_, message_.data(), static_cast<int>(message_.size()), &text, &size);
    std::unique_ptr<char, decltype(&ares_free_string)> owned(text, ares_free_string);
    ok_ = at_ < message_.size() && status == ARES_SUCCESS;
    if (!ok_) return {};
    skip(static_cast<size_t>(size));
    return owned.get();
  }

 private:
  uint32_t number(size_t count) {
    uint32_t value = 0;
    size_t begin = at_;
    skip(count);
    for (size_t i = 0; ok_ && i < count; ++i) value = value << 8 | message_[begin + i];
    return value;
  }

  const Bytes message_;
  size_t at_ = 0;
  bool ok_ = true;
};

struct Found {
  std::vector<config::Service> services;
  uint32_t ttl = UINT32_MAX;
  // The service is said not to be offered.
  bool is_refused = false;
  size_t unusable = 0;
};

void take_service(Reader& reader, Found& found) {
  config::Service service{.priority = reader.u16(), .target = {}, .port = 0, .weight = reader.u16()};
  service.port = reader.u16();
  std::string target = reader.name();
  if (!reader.ok()) return;
  // c-ares has the root as "".
  if (target.empty() || target == ".") {
    found.is_refused = true;
    return;
  }
  auto address = config::Endpoint::parse_server(config::concat(target, ":", std::max<uint16_t>(service.port, 1)));
  if (!address.ok() || !address->is_name() || service.port == 0) {
    ++found.unusable;
    return;
  }
  service.target = address->host();
  found.services.push_back(std::move(service));
}

bool take_record(Reader& reader, Found& found) {
  reader.name();
  uint16_t type = reader.u16();
  uint16_t family = reader.u16();
  uint32_t ttl = reader.u32();
  uint16_t size = reader.u16();
  size_t begin = reader.at();
  bool is_service = type == ns_t_srv && family == ns_c_in;
  // Aliases on the way count for how long it holds. Of the negative values RFC 2181 (section 8) says that they are 0.
  if (is_service || type == ns_t_cname) found.ttl = std::min(found.ttl, ttl > INT32_MAX ? 0 : ttl);
  if (!is_service) {
    reader.skip(size);
    return reader.ok();
  }
  take_service(reader, found);
  return reader.ok() && reader.at() - begin == size;
}

// By priority, then by name; of records with the same target and port the best, which is the first.
void order(std::vector<config::Service>& services) {
  auto place = [](const config::Service& a, const config::Service& b) {
    return std::tie(a.target, a.port, a.priority, b.weight) < std::tie(b.target, b.port, b.priority, a.weight);
  };
  std::ranges::sort(services, place);
  auto same = [](const config::Service& a, const config::Service& b) {
    return a.target == b.target && a.port == b.port;
  };
  services.erase(std::ranges::unique(services, same).begin(), services.end());
  std::ranges::sort(services);
}

}  // namespace

std::optional<Part> read_services(Bytes message) {
  Reader reader(message);
  reader.skip(4);
  uint16_t questions = reader.u16();
  uint16_t answers = reader.u16();
  reader.skip(4);
  for (uint16_t i = 0; i < questions && reader.ok(); ++i) {
    reader.name();
    reader.skip(4);
  }
  if (!reader.ok()) return std::nullopt;
  Found found;
  for (uint16_t i = 0; i < answers; ++i) {
    if (!take_record(reader, found)) return std::nullopt;
  }
  order(found.services);
  if (found.services.empty()) {
    std::string problem = found.is_refused     ? "the service is not offered there (target \".\")"
                          : found.unusable > 0 ? "no target of it is a host's name with a port"
                                               : "it has no SRV record";
    return Part::failed(Failure::kNoName, std::move(problem));
  }
  Part part;
  part.ttl = std::chrono::seconds(found.ttl);
  part.left_out = found.services.size() - std::min<size_t>(found.services.size(), config::kDiscoveredMax);
  found.services.resize(found.services.size() - part.left_out);
  part.services = std::move(found.services);
  return part;
}

}  // namespace fairlead::names
