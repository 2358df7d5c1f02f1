// Keys of a listener's session tickets: one that makes tickets, and the ones before it, which open theirs for a while.
//
// One object for a listener and what it asks of clients: where that changes (certificates of clients, whom to believe)
// there is another, so that nobody resumes what would not be granted now. It outlives contexts that only have other
// certificates. Any thread.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <vector>

namespace fairlead::tls {

class TicketKeys {
 public:
  using Clock = std::chrono::steady_clock;
  // Makes tickets for so long.
  static constexpr Clock::duration kMakes = std::chrono::hours(1);
  // A ticket holds so long.
  static constexpr Clock::duration kHolds = std::chrono::hours(2);

  TicketKeys();

  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> encryption;
    std::array<unsigned char, 32> authentication;
    Clock::time_point made;
  };
  // All that open something, newest first.
  std::vector<Key> keys() const;
  // Goes on with those of the process before this one, where it has given any. Before the first ticket is made.
  void adopt(std::vector<Key> keys);
  // A new one where the last has served its time.
  Key newest(Clock::time_point now);
  // False where no key of that name opens anything now. `is_newest`: tickets are still made with it.
  bool find(const unsigned char* name, Clock::time_point now, Key& out, bool& is_newest);

 private:
  void make_key(Clock::time_point now);

  mutable std::mutex mutex_;
  std::vector<Key> keys_;  // guarded by mutex_; newest first
};

// For SSL_CTX_set_tlsext_ticket_key_evp_cb.
int use_ticket_keys(TicketKeys& keys, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                    bool making);

}  // namespace fairlead::tls
