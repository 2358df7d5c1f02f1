#include "tls/transport.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "tls/openssl.h"
#include "tls/transport_state.h"

namespace fairlead::tls {
namespace {

// What a record has beside its bytes, at most, for those that are asked for in one receive.
constexpr size_t kRecordOverhead = 512;
constexpr size_t kRecordMax = 16 * 1024;
constexpr size_t kHandshakeRead = 16 * 1024;
constexpr size_t kKeptOutputMax = 4 << 20;
// Longer ones (with chains of clients' certificates in them) go out at once.
constexpr size_t kHeldTicketsMax = 4096;

Transport& owner_of(BIO* bio) { return *static_cast<Transport*>(BIO_get_data(bio)); }

}  // namespace

BIO_METHOD* Transport::method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "channel");
    FAIRLEAD_CHECK(made && BIO_meth_set_read_ex(made, &Transport::on_read) == 1 &&
                   BIO_meth_set_write_ex(made, &Transport::on_write) == 1 &&
                   BIO_meth_set_ctrl(made, &Transport::on_control) == 1);
    return made;
  }();
  return method;
}

Transport::Transport(runtime::Channel& channel, Worker& worker, std::shared_ptr<const ServerContext> context)
    : channel_(channel),
      worker_(worker),
      server_context_(std::move(context)),
      ssl_(SSL_new(server_context_->openssl())) {
  begin_talking();
  SSL_set_accept_state(ssl_);
}

Transport::Transport(runtime::Channel& channel, Worker& worker, std::shared_ptr<const ClientContext> context,
                     const config::Endpoint& address, LastSession* last, const std::string& alpn)
    : channel_(channel),
      worker_(worker),
      client_context_(std::move(context)),
      last_(client_context_->reuses_sessions() ? last : nullptr),
      ssl_(SSL_new(client_context_->openssl())) {
  begin_talking();
  client_context_->prepare(ssl_, address, alpn);
  SSL_SESSION* session = last_ ? last_->find(*client_context_) : nullptr;
  if (session) SSL_set_session(ssl_, session);
  SSL_set_connect_state(ssl_);
}

int Transport::on_new_session(SSL* connection, SSL_SESSION* session) {
  auto& self = *static_cast<Transport*>(SSL_get_app_data(connection));
  if (!self.last_) return 0;
  self.last_->put(session, self.client_context_);
  return 1;
}

void Transport::begin_talking() {
  BIO* bio = BIO_new(method());
  FAIRLEAD_CHECK(ssl_ && bio);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_app_data(ssl_, this);
}

Transport::~Transport() { SSL_free(ssl_); }

void Transport::on_secret(const SSL* connection, const char* line) {
  auto& self = *static_cast<Transport*>(SSL_get_app_data(connection));
  if (!self.secrets_) self.secrets_ = std::make_unique<Secrets>();
  self.secrets_->note(line);
}

// What the server sends after the client's last word are tickets, with the keys of what follows.
void Transport::count_tickets() {
  if (!secrets_ || secrets_->client.size == 0 || secrets_->are_tickets_counted) return;
  secrets_->are_tickets_counted = true;
  std::string said = kept_output_ + std::string(worker_.out().data(), output_);
  std::string_view left = said;
  while (std::optional<size_t> size = Traffic::whole_record(left)) {
    ++secrets_->tickets;
    left.remove_prefix(*size);
  }
  if (!left.empty()) secrets_.reset();
}

void Transport::settle() {
  std::unique_ptr<Secrets> secrets = std::move(secrets_);
  const bool is_free = SSL_version(ssl_) == TLS1_3_VERSION && SSL_has_pending(ssl_) == 0 && SSL_get_shutdown(ssl_) == 0;
  if (!secrets || !secrets->are_complete() || !is_free) return;
  std::optional<Suite> suite = suite_of(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl_)));
  if (!suite) return;
  settled_ = std::make_unique<Settled>(worker_.ciphers(), *suite, *secrets);
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  if (name) settled_->server_name = name;
  settled_->was_resumed = SSL_session_reused(ssl_) == 1;
  SSL_free(std::exchange(ssl_, nullptr));
}

int Transport::on_read(BIO* bio, char* into, size_t size, size_t* count) {
  Transport& self = owner_of(bio);
  BIO_clear_retry_flags(bio);
  if (self.input_.empty() && self.wanted_ > 0 && self.channel_.is_socket_readable() && !self.ended_) {
    // What was kept has been used up.
    self.kept_input_.reset();
    std::span<char> room = self.worker_.in().first(std::min(self.wanted_, Worker::kInSize));
    ssize_t received = self.channel_.read_socket(room);
    if (received > 0) {
      self.input_ = {room.data(), static_cast<size_t>(received)};
      self.wanted_ -= self.input_.size();
      self.silent_bytes_ += self.input_.size();
    }
    if (received == 0) self.ended_ = true;
    if (received < 0 && received != -EAGAIN) {
      self.failed_ = true;
      return 0;
    }
  }
  *count = std::min(size, self.input_.size());
  if (*count == 0) {
    if (!self.ended_) BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(into, self.input_.data(), *count);
  self.input_.remove_prefix(*count);
  return 1;
}

// Takes all: what it costs to keep it is the sender's business.
int Transport::on_write(BIO* bio, const char* data, size_t size, size_t* count) {
  Transport& self = owner_of(bio);
  BIO_clear_retry_flags(bio);
  *count = size;
  std::span<char> room = self.worker_.out().subspan(self.output_);
  if (size <= room.size()) {
    std::memcpy(room.data(), data, size);
    self.output_ += size;
    return 1;
  }
  self.kept_output_.append(self.worker_.out().data(), std::exchange(self.output_, 0));
  self.kept_output_.append(data, size);
  return 1;
}

long Transport::on_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_FLUSH) return 1;
  if (command == BIO_CTRL_EOF) return owner_of(bio).ended_ ? 1 : 0;
  return 0;
}

void Transport::begin(size_t wanted) {
  wanted_ = wanted;
  input_ = kept_input_left_;
  output_ = 0;
}

bool Transport::end() {
  wanted_ = 0;
  keep_input();
  std::string_view said(worker_.out().data(), output_);
  output_ = 0;
  if (kept_output_.empty() && !said.empty() && channel_.is_writable() && !failed_) {
    ssize_t sent = channel_.write_socket(said);
    if (sent > 0) said.remove_prefix(static_cast<size_t>(sent));
    if (sent < 0 && sent != -EAGAIN) failed_ = true;
  }
  if (!said.empty()) holds_tickets_ = false;
  kept_output_ += said;
  if (kept_output_.size() - kept_output_sent_ > kKeptOutputMax) failed_ = true;
  return !failed_ && flush_kept();
}

// A view of the worker's memory does not outlive the call.
void Transport::keep_input() {
  if (input_.empty()) {
    kept_input_.reset();
    kept_input_left_ = {};
    return;
  }
  const char* memory = worker_.in().data();
  if (input_.data() >= memory && input_.data() < memory + Worker::kInSize) {
    kept_input_ = std::make_unique_for_overwrite<char[]>(input_.size());
    std::memcpy(kept_input_.get(), input_.data(), input_.size());
    input_ = {kept_input_.get(), input_.size()};
  }
  kept_input_left_ = std::exchange(input_, {});
}

bool Transport::may_hold_tickets() const {
  return server_context_ && SSL_version(ssl_) == TLS1_3_VERSION && !input_.empty() && kept_output_.empty() &&
         output_ > 0 && output_ <= kHeldTicketsMax;
}

void Transport::hold_tickets() {
  holds_tickets_ = true;
  kept_output_.assign(worker_.out().data(), std::exchange(output_, 0));
  wanted_ = 0;
  keep_input();
}

void Transport::take_tickets_along() {
  if (!std::exchange(holds_tickets_, false)) return;
  std::ranges::copy(kept_output_, worker_.out().begin());
  output_ = kept_output_.size();
  kept_output_ = std::string();
}

bool Transport::flush_kept() {
  if (kept_output_.empty() || holds_tickets_) return true;
  if (!channel_.is_writable()) return false;
  std::string_view left = std::string_view(kept_output_).substr(kept_output_sent_);
  ssize_t sent = channel_.write_socket(left);
  if (sent < 0 && sent != -EAGAIN) {
    failed_ = true;
    return false;
  }
  if (sent > 0) kept_output_sent_ += static_cast<size_t>(sent);
  if (kept_output_sent_ < kept_output_.size()) return false;
  kept_output_ = std::string();
  kept_output_sent_ = 0;
  if (end_after_output_) channel_.loop().driver().shutdown_write(channel_.fd());
  return true;
}

ssize_t Transport::failed() {
  failed_ = true;
  ERR_clear_error();
  return -EPROTO;
}

Transport::Step Transport::handshake() {
  if (!flush_kept()) return failed_ ? Step::kFailed : Step::kWantsWrite;
  begin(kHandshakeRead);
  auto began = std::chrono::steady_clock::now();
  int done = SSL_do_handshake(ssl_);
  worker_.spend(began);
  if (done == 1) count_tickets();
  int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_, done);
  bool sent = true;
  if (done == 1 && may_hold_tickets()) {
    hold_tickets();
  } else {
    sent = end();
  }
  channel_.note_unread(has_unread());
  if (failed_ || (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ)) {
    note_problem();
    failed();
    return Step::kFailed;
  }
  if (!sent) return Step::kWantsWrite;
  if (error == SSL_ERROR_WANT_READ) return Step::kWantsRead;
  established_ = true;
  // That is told by note_broken(), and what we have to say may still be said.
  SSL_set_options(ssl_, SSL_OP_IGNORE_UNEXPECTED_EOF);
  silent_bytes_ = 0;
  return Step::kDone;
}

void Transport::note_problem() {
  long verified = SSL_get_verify_result(ssl_);
  problem_ = ERR_peek_error() != 0 ? take_error() : "closed by the other side";
  if (verified == X509_V_ERR_APPLICATION_VERIFICATION) {
    problem_ += ": not one of the pinned keys";
  } else if (verified != X509_V_OK) {
    problem_ += std::string(": ") + X509_verify_cert_error_string(verified);
  }
}

std::string_view Transport::server_name() const {
  if (settled_) return settled_->server_name;
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name ? name : "";
}

void Transport::note_client_subject() {
  const X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (!certificate) return;
  BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  client_subject_ = text_of(out.get());
}

ClientNames Transport::client_names() const {
  FAIRLEAD_CHECK(ssl_);
  return names_in(SSL_get0_peer_certificate(ssl_));
}

bool Transport::was_resumed() const { return settled_ ? settled_->was_resumed : SSL_session_reused(ssl_) == 1; }

// An end or a failure that is known waits to be read as bytes do.
bool Transport::has_unread() const {
  if (settled_) return settled_->has_unread(kept_input_left_) || failed_;
  return !kept_input_left_.empty() || SSL_pending(ssl_) > 0 || failed_ ||
         (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0;
}

ssize_t Transport::read(std::span<char> into) {
  if (failed_) return -EPROTO;
  if (settled_) return read_records(into);
  flush_kept();
  // A record is understood as a whole only.
  begin(std::max(into.size(), kRecordMax) + kRecordOverhead);
  size_t done = 0;
  int error = SSL_ERROR_NONE;
  while (done < into.size()) {
    size_t count = 0;
    int got = SSL_read_ex(ssl_, into.data() + done, into.size() - done, &count);
    if (got != 1) {
      error = SSL_get_error(ssl_, got);
      break;
    }
    done += count;
    // What else has come already, but no further receive.
    wanted_ = silent_bytes_ = 0;
    if (input_.empty() && SSL_pending(ssl_) == 0) break;
  }
  end();
  if (done > 0) {
    // What ended the loop shows again in the next call.
    if (error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL) failed();
    return static_cast<ssize_t>(done);
  }
  switch (error) {
    case SSL_ERROR_WANT_READ:
      if (silent_bytes_ > Settled::kSilentBytesMax) return failed();
      return failed_ ? -EPROTO : -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
      // OpenSSL reads no further where the end was announced.
      if (ended_) channel_.note_broken();
      return failed_ ? -EPROTO : 0;
    default:
      return failed();
  }
}

ssize_t Transport::write(std::span<const iovec> data) {
  size_t size = 0;
  for (const iovec& part : data) size += part.iov_len;
  if (failed_) return -EPIPE;
  if (!flush_kept()) return failed_ ? -EPIPE : -EAGAIN;
  if (owed_ > 0) {
    FAIRLEAD_CHECK(owed_ <= size);
    return static_cast<ssize_t>(std::exchange(owed_, 0));
  }
  std::string_view plain;
  if (data.size() == 1) {
    plain = {static_cast<const char*>(data[0].iov_base), std::min(size, Worker::kPlainMax)};
  } else {
    std::span<char> room = worker_.plain();
    size_t used = 0;
    for (const iovec& part : data) {
      size_t count = std::min(part.iov_len, room.size() - used);
      std::memcpy(room.data() + used, part.iov_base, count);
      used += count;
    }
    plain = {room.data(), used};
  }
  begin(0);
  take_tickets_along();
  size_t done = settled_ ? plain.size() : 0;
  if (settled_) output_ += settled_->write(plain, worker_.out().subspan(output_));
  while (done < plain.size()) {
    size_t count = 0;
    if (SSL_write_ex(ssl_, plain.data() + done, plain.size() - done, &count) != 1) {
      end();
      failed();
      return -EPIPE;
    }
    done += count;
  }
  if (end()) return static_cast<ssize_t>(done);
  if (failed_) return -EPIPE;
  owed_ = done;
  return -EAGAIN;
}

void Transport::shutdown_write() {
  if (established_ && !failed_ && !said_goodbye_) say_goodbye();
  if (kept_output_.empty() || failed_) {
    channel_.loop().driver().shutdown_write(channel_.fd());
  } else {
    end_after_output_ = true;
  }
}

void Transport::close() {
  if (abandoned_ || failed_ || !established_ || said_goodbye_) return;
  // Behind what was not sent, it would not be read as the end.
  if (!flush_kept() || owed_ > 0) return;
  say_goodbye();
}

void Transport::say_goodbye() {
  said_goodbye_ = true;
  begin(0);
  if (settled_) {
    output_ = settled_->traffic.seal_alert(Traffic::kCloseNotify, worker_.out().data());
  } else {
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  end();
}

}  // namespace fairlead::tls
