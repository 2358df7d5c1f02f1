// An interrupt ends one wait, and leaves the channel as it is.
#include <gtest/gtest.h>

#include <vector>

#include "channel_fixture.h"

namespace fairlead::runtime {
namespace {

using std::chrono::seconds;
using ChannelInterrupt = ChannelFixture;

TEST_F(ChannelInterrupt, AnInterruptWakesWhoWaitsAndNobodyAfterwards) {
  Waiting reader, next;
  channel_->wait_readable(reader, kNever);
  channel_->interrupt_next_wait();
  EXPECT_TRUE(reader.woken.empty());
  settle();
  EXPECT_EQ(reader.woken, std::vector{Wake::kCancelled});
  EXPECT_FALSE(channel_->is_cancelled());
  channel_->wait_readable(next, kNever);
  peer_sends("x");
  settle();
  EXPECT_EQ(next.woken, std::vector{Wake::kReady});
}

// Whoever is to stop may be on its way between two reads: awake, or about to be.
TEST_F(ChannelInterrupt, AnInterruptThatMeetsNobodyIsForTheNextWaitEvenWhereBytesAreThere) {
  peer_sends("hello");
  settle();
  channel_->interrupt_next_wait();
  Waiting reader, again, writer;
  channel_->wait_readable(reader, kNever);
  channel_->wait_writable(writer, kNever);
  settle();
  EXPECT_EQ(reader.woken, std::vector{Wake::kCancelled});
  EXPECT_EQ(writer.woken, std::vector{Wake::kReady});
  channel_->wait_readable(again, now() + seconds(60));
  settle();
  EXPECT_EQ(again.woken, std::vector{Wake::kCancelled});
}

TEST_F(ChannelInterrupt, AnInterruptMeetsAReaderThatIsReadyAndNotAwakeYetAtItsNextWait) {
  peer_sends("x");
  settle();
  Waiting reader, next;
  channel_->wait_readable(reader, kNever);  // ready: in the queue now
  channel_->interrupt_next_wait();
  reader.then = [&] {
    EXPECT_EQ(read(2), "x");
    channel_->wait_readable(next, kNever);
  };
  settle();
  EXPECT_EQ(reader.woken, std::vector{Wake::kReady});
  EXPECT_EQ(next.woken, std::vector{Wake::kCancelled});
}

TEST_F(ChannelInterrupt, AfterAnInterruptIsForgottenTheChannelGoesOn) {
  channel_->interrupt_next_wait();
  channel_->forget_interrupt();
  Waiting reader;
  channel_->wait_readable(reader, kNever);
  settle();
  EXPECT_TRUE(reader.woken.empty());
  peer_sends("hello");
  settle();
  EXPECT_EQ(reader.woken, std::vector{Wake::kReady});
  EXPECT_EQ(read(5), "hello");
}

}  // namespace
}  // namespace fairlead::runtime
