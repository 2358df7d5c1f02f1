// `history`, `diff V1 V2` and `rollback` against a data plane that answers as the test says.
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "program_fixture.h"

namespace fairlead::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

class HistoryTest : public ProgramTest {
 protected:
  template <typename Message>
  static void read(const std::string& text, Message& message) {
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  }
  void lay_down_three_versions() {
    read(R"(entries { version: 9 time { seconds: 1700000000 } actor: "scaler" peer: "unix:" transaction_id: 12
                      changes { change: CHANGE_CREATED resource: "server web/s1" }
                      changes { change: CHANGE_UPDATED resource: "backend web" }
                      changes { change: CHANGE_DELETED resource: "server web/s2" }
                      changes { change: CHANGE_DELETED resource: "server web/s3" } changes_total: 25 }
            entries { version: 8 actor: "unary" changes_total: 1
                      changes { change: CHANGE_CREATED resource: "listener l" } }
            entries { version: 7 actor: "file" changes_total: 1
                      changes { change: CHANGE_CREATED resource: "backend web" } }
            oldest_version: 6)",
         data_plane_.history);
  }
  void lay_down_a_difference() {
    read(R"(differences { change: CHANGE_UPDATED
                          before { server { backend: "web" name: "s1" address: "10.0.0.1:80" weight: 1 } }
                          after { server { backend: "web" name: "s1" address: "10.0.0.1:80" weight: 7 } } }
            differences { change: CHANGE_CREATED after { backend { name: "api" } } }
            differences { change: CHANGE_DELETED before { listener { name: "old" bind: "127.0.0.1:80" } } })",
         data_plane_.differences);
  }
};

TEST_F(HistoryTest, ShowsWhoChangedWhat) {
  lay_down_three_versions();
  EXPECT_EQ(ctl({"history"}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("scaler"));
  EXPECT_THAT(out(), HasSubstr("+ server web/s1, ~ backend web, - server web/s2 and 22 more"));
  // Over several pages.
  EXPECT_THAT(out(), HasSubstr("file"));
  EXPECT_EQ(err(), "");
}

TEST_F(HistoryTest, SaysWhereMoreIs) {
  lay_down_three_versions();
  EXPECT_EQ(ctl({"history", "--limit", "1"}), 0) << err();
  EXPECT_THAT(out(), Not(HasSubstr("unary")));
  EXPECT_THAT(err(), HasSubstr("versions from 6 on can be reached"));
}

TEST_F(HistoryTest, SaysThatThereIsNone) {
  EXPECT_EQ(ctl({"history"}), 0);
  EXPECT_EQ(out(), "");
  EXPECT_THAT(err(), HasSubstr("nothing was changed yet"));
}

TEST_F(HistoryTest, RefusesWhatIsNoNumber) {
  EXPECT_EQ(ctl({"history", "--limit", "0"}), kExitUsage);
  EXPECT_EQ(ctl({"diff", "one"}), kExitUsage);
  EXPECT_THAT(err(), HasSubstr("\"one\" is not a version"));
  EXPECT_EQ(ctl({"rollback", "-f"}), kExitUsage);
  EXPECT_EQ(ctl({"rollback"}), kExitUsage);
  EXPECT_EQ(ctl({"diff", "1", "-f", "x.yaml"}), kExitUsage);
  EXPECT_THAT(err(), HasSubstr("not both"));
}

TEST_F(HistoryTest, DiffShowsLinesBeforeAndAfter) {
  lay_down_a_difference();
  EXPECT_EQ(ctl({"diff", "3", "5"}), 0) << err();
  EXPECT_EQ(data_plane_.compared.from_version(), 3);
  EXPECT_EQ(data_plane_.compared.to_version(), 5);
  EXPECT_THAT(out(), HasSubstr("~ server web/s1"));
  EXPECT_THAT(out(), HasSubstr("- weight: 1"));
  EXPECT_THAT(out(), HasSubstr("+ weight: 7"));
  EXPECT_THAT(out(), HasSubstr("+ backend api"));
  EXPECT_THAT(out(), HasSubstr("- listener old"));
  EXPECT_EQ(ctl({"diff", "3", "--fail"}), kExitRefused);
  EXPECT_EQ(data_plane_.compared.to_version(), 0);
}

TEST_F(HistoryTest, DiffOfWhatIsForgottenSaysSo) {
  data_plane_.status = {grpc::StatusCode::OUT_OF_RANGE, "from_version: 1 is forgotten; the oldest is 6"};
  EXPECT_EQ(ctl({"diff", "1"}), kExitRefused);
  EXPECT_THAT(err(), HasSubstr("the oldest is 6"));
}

TEST_F(HistoryTest, RollbackTellsTheNewVersion) {
  data_plane_.result.set_version(31);
  EXPECT_EQ(ctl({"rollback", "7"}), 0) << err();
  EXPECT_EQ(data_plane_.rolled_back.version(), 7);
  EXPECT_FALSE(data_plane_.rolled_back.validate_only());
  EXPECT_EQ(out(), "rolled back to version 7: 2 changed (version 31)\n");
}

TEST_F(HistoryTest, ADryRunShowsTheWayBack) {
  lay_down_a_difference();
  EXPECT_EQ(ctl({"rollback", "7", "--dry-run"}), 0) << err();
  EXPECT_TRUE(data_plane_.rolled_back.validate_only());
  EXPECT_EQ(data_plane_.compared.from_version(), 7);
  // What came since goes, what went comes back.
  EXPECT_THAT(out(), HasSubstr("- backend api"));
  EXPECT_THAT(out(), HasSubstr("+ listener old"));
  EXPECT_THAT(out(), HasSubstr("+ weight: 1"));
}

TEST_F(HistoryTest, ARefusedRollbackSaysWhy) {
  data_plane_.result.set_outcome(v1::OUTCOME_REFUSED);
  v1::OperationFailure& failure = *data_plane_.result.add_failures();
  failure.set_resource("listener l");
  failure.set_reason(v1::REASON_BIND_FAILED);
  failure.set_message("listener l: bind: is in use");
  EXPECT_EQ(ctl({"rollback", "7"}), kExitRefused);
  EXPECT_THAT(err(), HasSubstr("is in use"));
}

}  // namespace
}  // namespace fairlead::ctl
