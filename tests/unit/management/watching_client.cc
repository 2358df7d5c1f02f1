#include "watching_client.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client_digest.h"
#include "grpcpp/grpcpp.h"

namespace fairlead::management {
namespace {

template <typename Message>
std::string value(const Message& message) {
  return absl::StrCat("uid ", message.metadata().uid(), " version ", message.metadata().version(), " ",
                      absl::BytesToHexString(canonical_bytes(message)));
}

}  // namespace

std::pair<std::string, std::string> belief(const v1::Resource& resource) {
  if (resource.has_listener()) return {"listener " + resource.listener().name(), value(resource.listener())};
  if (resource.has_backend()) return {"backend " + resource.backend().name(), value(resource.backend())};
  if (resource.has_certificate()) {
    return {"certificate " + resource.certificate().name(), value(resource.certificate())};
  }
  const v1::Server& server = resource.server();
  return {absl::StrCat("server ", server.backend(), "/", server.name()), value(server)};
}

Believed beliefs(const v1::Resources& resources) {
  Believed all;
  v1::Resource resource;
  for (const v1::Listener& listener : resources.listeners()) {
    *resource.mutable_listener() = listener;
    all.insert(belief(resource));
  }
  for (const v1::Certificate& certificate : resources.certificates()) {
    *resource.mutable_certificate() = certificate;
    all.insert(belief(resource));
  }
  for (const v1::Backend& backend : resources.backends()) {
    *resource.mutable_backend() = backend;
    all.insert(belief(resource));
  }
  for (const v1::Server& server : resources.servers()) {
    *resource.mutable_server() = server;
    all.insert(belief(resource));
  }
  return all;
}

std::string difference(const Believed& is, const Believed& should_be) {
  std::string text;
  for (const auto& [key, value] : is) {
    auto other = should_be.find(key);
    if (other == should_be.end()) absl::StrAppend(&text, key, " is there\n");
    if (other != should_be.end() && other->second != value) {
      absl::StrAppend(&text, key, " is ", value, ", should be ", other->second, "\n");
    }
  }
  for (const auto& [key, value] : should_be) {
    if (!is.contains(key)) absl::StrAppend(&text, key, " is missing\n");
  }
  return text;
}

void WatchingClient::begin() {
  stop();
  believed_.clear();
  version_ = 0;
  in_snapshot_ = true;
  ended_ = false;
  context_ = std::make_unique<grpc::ClientContext>();
  v1::WatchEventsRequest request;
  request.set_snapshot(true);
  thread_ = std::thread([this, reader = stub_.WatchEvents(context_.get(), request)] { read(*reader); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !in_snapshot_ || ended_; });
}

void WatchingClient::stop() {
  if (!thread_.joinable()) return;
  context_->TryCancel();
  thread_.join();
}

Believed WatchingClient::wait_for(uint64_t version) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return version_ >= version || ended_; });
  return believed_;
}

std::string WatchingClient::contradiction() const {
  std::lock_guard lock(mutex_);
  return contradiction_;
}

void WatchingClient::read(grpc::ClientReader<v1::WatchEventsResponse>& reader) {
  v1::WatchEventsResponse event;
  while (reader.Read(&event)) {
    std::lock_guard lock(mutex_);
    if (event.has_resource()) take(event.resource());
    if (event.has_snapshot_complete()) in_snapshot_ = false;
    if (event.version() < version_) {
      contradiction_ = absl::StrCat("version ", event.version(), " after ", version_);
    }
    version_ = event.version();
    changed_.notify_all();
  }
  reader.Finish();
  std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

void WatchingClient::take(const v1::ResourceEvent& event) {
  // Deleted before the snapshot, and still draining.
  if (in_snapshot_ && event.resource().server().status().has_drain_deadline()) return;
  auto [key, value] = belief(event.resource());
  bool there = believed_.contains(key);
  bool was = event.change() == v1::CHANGE_UPDATED || event.change() == v1::CHANGE_DELETED;
  if (there != was || in_snapshot_ != (event.change() == v1::CHANGE_PRESENT)) {
    contradiction_ = absl::StrCat(v1::Change_Name(event.change()), " of ", key, " that was ", there ? "" : "not ",
                                  "there", in_snapshot_ ? ", in the snapshot" : "");
  }
  if (event.change() == v1::CHANGE_DELETED) {
    believed_.erase(key);
  } else {
    believed_[key] = value;
  }
}

}  // namespace fairlead::management
