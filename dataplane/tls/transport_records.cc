// A settled transport: records without OpenSSL's connection.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/escaping.h"
#include "base/check.h"
#include "config/text.h"
#include "tls/transport_state.h"

namespace fairlead::tls {

void Transport::Secrets::note(std::string_view line) {
  constexpr std::string_view kClient = "CLIENT_TRAFFIC_SECRET_0 ";
  constexpr std::string_view kServer = "SERVER_TRAFFIC_SECRET_0 ";
  Secret* secret = line.starts_with(kClient) ? &client : line.starts_with(kServer) ? &server : nullptr;
  if (!secret) return;
  std::string bytes = absl::HexStringToBytes(config::as_absl(line.substr(line.rfind(' ') + 1)));
  if (bytes.size() <= secret->bytes.size()) {
    std::ranges::copy(bytes, secret->bytes.begin());
    secret->size = static_cast<uint8_t>(bytes.size());
  }
  OPENSSL_cleanse(bytes.data(), bytes.size());
}

size_t Transport::Settled::write(std::string_view data, std::span<char> out) {
  size_t size = traffic.owes_key_update() ? traffic.seal_key_update(out.data()) : 0;
  FAIRLEAD_CHECK(size + Traffic::sealed_size(data.size()) <= out.size());
  return size + traffic.seal(data, out.data() + size);
}

// Behind what a call has said already.
void Transport::say(std::string_view bytes) {
  std::span<char> room = worker_.out().subspan(output_);
  FAIRLEAD_CHECK(bytes.size() <= room.size());
  std::ranges::copy(bytes, room.begin());
  output_ += bytes.size();
}

// What there is, once, behind what is left of an earlier call. False where nothing came.
bool Transport::receive_records(std::span<char> memory, size_t wanted) {
  if (!channel_.is_socket_readable() || ended_) return false;
  // To the front, so that a record which is not whole yet finds its end behind it.
  if (!input_.empty()) std::memmove(memory.data(), input_.data(), input_.size());
  const size_t kept = input_.size();
  ssize_t received = channel_.read_socket(memory.subspan(kept, std::min(wanted, memory.size() - kept)));
  input_ = {memory.data(), kept + static_cast<size_t>(std::max<ssize_t>(received, 0))};
  if (received > 0) silent_bytes_ += static_cast<size_t>(received);
  if (received == 0) ended_ = true;
  if (received < 0 && received != -EAGAIN) failed_ = true;
  return received > 0;
}

Transport::RecordEnd Transport::take_record(std::string_view record, std::span<char> into, size_t& done) {
  std::span<char> room = into.subspan(done);
  const bool fits = Traffic::room_for(record) <= room.size();
  // (What is to be sent goes through the same memory, but not within a call that reads.)
  std::span<char> memory = fits ? room : worker_.plain();
  Traffic::Opened opened = settled_->traffic.open(record, memory.data());
  switch (opened.kind) {
    case Traffic::Kind::kFailed: {
      char alert[Traffic::kAlertSize];
      if (opened.alert != Traffic::kCloseNotify) say({alert, settled_->traffic.seal_alert(opened.alert, alert)});
      return RecordEnd::kFailed;
    }
    case Traffic::Kind::kEnd:
      settled_->peer_ended = true;
      return RecordEnd::kEnd;
    case Traffic::Kind::kNothing:
      return RecordEnd::kGoOn;
    case Traffic::Kind::kData:
      break;
  }
  silent_bytes_ = 0;
  if (fits) {
    done += opened.size;
    return RecordEnd::kGoOn;
  }
  const size_t count = std::min(opened.size, room.size());
  std::copy_n(memory.data(), count, room.data());
  done += count;
  if (count == opened.size) return RecordEnd::kGoOn;
  settled_->plain = std::make_unique_for_overwrite<char[]>(opened.size - count);
  std::copy_n(memory.data() + count, opened.size - count, settled_->plain.get());
  settled_->plain_left = {settled_->plain.get(), opened.size - count};
  return RecordEnd::kGoOn;
}

ssize_t Transport::read_records(std::span<char> into) {
  Settled& settled = *settled_;
  flush_kept();
  size_t done = std::min(settled.plain_left.size(), into.size());
  std::copy_n(settled.plain_left.data(), done, into.data());
  settled.plain_left.remove_prefix(done);
  if (settled.plain_left.empty()) settled.plain.reset();
  begin(0);
  const size_t wanted = std::max(into.size(), Traffic::kRecordMax);
  RecordEnd record_end = settled.peer_ended ? RecordEnd::kEnd : RecordEnd::kGoOn;
  bool has_received = false;
  while (record_end == RecordEnd::kGoOn && done < into.size() && settled.plain_left.empty()) {
    if (std::optional<size_t> size = Traffic::whole_record(input_)) {
      record_end = take_record(input_.substr(0, *size), into, done);
      input_.remove_prefix(*size);
      continue;
    }
    // What has come is given to the user before more is asked for.
    if (done > 0 || has_received || !receive_records(worker_.in(), wanted)) break;
    has_received = true;
  }
  if (record_end != RecordEnd::kFailed && settled.traffic.owes_key_update() && !said_goodbye_) {
    char update[Traffic::kKeyUpdateSize];
    say({update, settled.traffic.seal_key_update(update)});
  }
  const bool is_truncated = ended_ && !failed_ && record_end == RecordEnd::kGoOn;
  end();
  if (record_end == RecordEnd::kFailed) failed_ = true;
  if (done > 0) return static_cast<ssize_t>(done);
  if (failed_) return -EPROTO;
  if (record_end == RecordEnd::kEnd) return 0;
  if (!is_truncated) return silent_bytes_ > Settled::kSilentBytesMax ? failed() : -EAGAIN;
  settled.peer_ended = true;
  channel_.note_broken();
  return 0;
}

}  // namespace fairlead::tls
