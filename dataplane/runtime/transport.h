// What stands between a channel's socket and who reads and writes it, where the bytes on the wire are not those (TLS).
//
// Belongs to its channel, on whose loop it lives. Operations mean what they mean of the channel: they never wait, and
// the caller of one that said -EAGAIN asks again with the same bytes (or more) when the channel is ready.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <span>

namespace fairlead::runtime {

class Transport {
 public:
  virtual ~Transport() = default;

  // As Channel::try_read(). An end of the stream that the peer has not announced marks the channel as broken.
  virtual ssize_t read(std::span<char> into) = 0;
  // As Channel::try_write(): never more than was given.
  virtual ssize_t write(std::span<const iovec> data) = 0;
  // There are bytes that came before and have not been read.
  virtual bool has_unread() const = 0;
  // Announces the end of this direction, and ends it.
  virtual void shutdown_write() = 0;
  // Nothing is to be announced when the channel closes: what was sent is not all.
  virtual void abandon() = 0;
  // The channel is about to close.
  virtual void close() = 0;
};

}  // namespace fairlead::runtime
