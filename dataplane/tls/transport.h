// TLS between a channel's socket and its user. Belongs to the channel.
//
// OpenSSL reads and writes memory of the worker: a call receives what there is with one system call, and sends all that
// it has to say with one. What is left of either when the call ends (a part of a record; what the socket did not take)
// is kept here; an idle connection keeps nothing.
//
// A ticket for a client whose first bytes came with its last word of the handshake goes out with the first answer, or
// before the end: one packet less. (A client that sent some does not wait for its ticket.)
//
// When a client of TLS 1.3 has shaken hands, OpenSSL's connection goes (settle()): what is left to do are records
// (traffic.h), and it would take 14 KB for as long as the connection lives.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "runtime/channel.h"
#include "tls/client_context.h"
#include "tls/client_names.h"
#include "tls/server_context.h"
#include "tls/worker.h"

typedef struct bio_st BIO;
typedef struct bio_method_st BIO_METHOD;

namespace fairlead::tls {

class Transport : public runtime::Transport {
 public:
  // As a server.
  Transport(runtime::Channel& channel, Worker& worker, std::shared_ptr<const ServerContext> context);
  // As a client, to the server at `address`. `last`: its session, used and kept there, or null; it outlives this.
  // `alpn`: in place of what the context offers, in the wire's form; empty for that.
  Transport(runtime::Channel& channel, Worker& worker, std::shared_ptr<const ClientContext> context,
            const config::Endpoint& address, LastSession* last, const std::string& alpn);
  ~Transport() override;

  // As far as it goes without waiting. Each step may be as long as a signature takes.
  enum class Step : uint8_t { kDone, kWantsRead, kWantsWrite, kFailed };
  Step handshake();
  // Of a server, once, when the handshake is done and its facts have been asked for: what it takes no more goes.
  void settle();

  // After the handshake: the host that the client named; empty for none.
  std::string_view server_name() const;
  // From then on client_subject() has that of the client's certificate, as RFC 2253 writes it; empty where it has none.
  // Before settle().
  void note_client_subject();
  const std::string& client_subject() const { return client_subject_; }
  // Those in the client's certificate; none where it has none. Before settle().
  ClientNames client_names() const;
  // OpenSSL's connection is gone.
  bool is_settled() const { return settled_ != nullptr; }
  bool was_resumed() const;
  // After one that failed: why, as "certificate verify failed: certificate has expired".
  const std::string& problem() const { return problem_; }

  // For ClientContext.
  static int on_new_session(SSL* connection, SSL_SESSION* session);
  // For ServerContext: a line as of a log of keys. It is kept until the handshake is done, and nowhere else.
  static void on_secret(const SSL* connection, const char* line);

  ssize_t read(std::span<char> into) override;
  ssize_t write(std::span<const iovec> data) override;
  bool has_unread() const override;
  void shutdown_write() override;
  void abandon() override { abandoned_ = true; }
  void close() override;

 private:
  // What settle() needs of a handshake.
  struct Secrets;
  // What is left of a connection afterwards.
  struct Settled;

  void begin_talking();
  void note_problem();
  void count_tickets();
  static BIO_METHOD* method();
  static int on_read(BIO* bio, char* into, size_t size, size_t* count);
  static int on_write(BIO* bio, const char* data, size_t size, size_t* count);
  static long on_control(BIO* bio, int command, long, void*);

  // Around each call of OpenSSL.
  void begin(size_t wanted);
  // Sends what was said. False where the socket has not taken all of it, which is kept then.
  bool end();
  bool flush_kept();
  // Tickets that wait for the first answer: hold_tickets() in place of end(), behind a handshake.
  bool may_hold_tickets() const;
  void hold_tickets();
  // Into what is sent next.
  void take_tickets_along();
  void keep_input();
  ssize_t failed();

  // The same where it is settled.
  ssize_t read_records(std::span<char> into);
  enum class RecordEnd : uint8_t { kGoOn, kEnd, kFailed };
  RecordEnd take_record(std::string_view record, std::span<char> into, size_t& done);
  bool receive_records(std::span<char> memory, size_t wanted);
  void say(std::string_view bytes);
  void say_goodbye();

  runtime::Channel& channel_;
  Worker& worker_;
  // What it goes by, one of these, lives as long as this.
  const std::shared_ptr<const ServerContext> server_context_;
  const std::shared_ptr<const ClientContext> client_context_;
  LastSession* const last_ = nullptr;
  // Null when it is settled.
  SSL* ssl_;
  std::unique_ptr<Secrets> secrets_;
  std::unique_ptr<Settled> settled_;

  // During a call: received bytes that OpenSSL has not taken, and how many it has given to be sent. So many more may be
  // received in it.
  std::string_view input_;
  size_t wanted_ = 0;
  size_t output_ = 0;
  bool ended_ = false;

  // Between calls.
  std::unique_ptr<char[]> kept_input_;
  std::string_view kept_input_left_;
  std::string kept_output_;
  size_t kept_output_sent_ = 0;
  // Nothing but tickets is kept, and is not to be sent yet.
  bool holds_tickets_ = false;
  // Plain bytes whose records are in `kept_output_`: the caller is told of them when those are sent.
  size_t owed_ = 0;
  // Received since the last byte for our user.
  size_t silent_bytes_ = 0;
  std::string client_subject_;
  std::string problem_;
  bool established_ = false;
  bool failed_ = false;
  bool abandoned_ = false;
  bool said_goodbye_ = false;
  bool end_after_output_ = false;
};

}  // namespace fairlead::tls
