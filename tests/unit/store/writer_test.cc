// What the writer knows of the batch that it has not committed yet.
#include "store_fixture.h"

namespace fairlead::store {
namespace {

class WriterTest : public testing::Test {
 protected:
  void apply(const std::string& text, uint64_t session = 1) {
    auto origin = std::make_shared<const Origin>("test", "here", session);
    writer_.apply(make_transaction(transaction_of(text), limits_, origin), {},
                  [](const Result& result) { EXPECT_FALSE(result.refused()); });
  }

  const Limits limits_;
  test_support::FakeReadingHalf half_;
  Writer writer_{half_, limits_, std::make_shared<Inbox>(100), nullptr, "", nullptr};
};

TEST_F(WriterTest, TwoTransactionsOfASessionInABatchArePipelined) {
  apply(kWeb, 1);
  apply(kWebS1, 2);
  EXPECT_FALSE(writer_.is_pipelined());
  apply(R"(operations { upsert { backend { name: "api" } } })", 2);
  EXPECT_TRUE(writer_.is_pipelined());
  writer_.commit();
  apply(R"(operations { upsert { backend { name: "more" } } })", 2);
  EXPECT_FALSE(writer_.is_pipelined());
}

// Such a batch does not wait for more.
TEST_F(WriterTest, KnowsThatSomebodyIsTakenOut) {
  apply(kWeb);
  apply(kWebS1);
  EXPECT_FALSE(writer_.takes_somebody_out());
  writer_.commit();
  apply(R"(operations { upsert { server { backend: "web" name: "s1" address: "10.0.0.1:80" weight: 3 } } })");
  EXPECT_FALSE(writer_.takes_somebody_out());
  apply(R"(operations { upsert { server { backend: "web" name: "s1" address: "10.0.0.1:80"
           admin_state: ADMIN_STATE_DRAIN } } })");
  EXPECT_TRUE(writer_.takes_somebody_out());
  writer_.commit();
  EXPECT_FALSE(writer_.takes_somebody_out());
  apply(R"(operations { delete { server { backend: "web" name: "s1" } } })");
  EXPECT_TRUE(writer_.takes_somebody_out());
  writer_.commit();
  EXPECT_FALSE(writer_.takes_somebody_out());
}

}  // namespace
}  // namespace fairlead::store
