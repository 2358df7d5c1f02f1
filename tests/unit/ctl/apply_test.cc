#include "ctl/apply.h"

#include <unistd.h>

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "program_fixture.h"

namespace fairlead::ctl {
namespace {

using testing::HasSubstr;

class ApplyTest : public ProgramTest {
 protected:
  // The path of a file with this text.
  std::string file(const std::string& text) {
    const std::string path = testing::TempDir() + "/apply_test_" + std::to_string(getpid()) + ".yaml";
    std::ofstream(path) << text;
    return path;
  }
};

TEST_F(ApplyTest, SendsOneTransaction) {
  data_plane_.result.set_outcome(v1::OUTCOME_APPLIED);
  data_plane_.result.set_version(5);
  const std::string path = file("backends: [{name: new, servers: [{name: s1, address: \"10.0.0.1:80\"}]}]");
  EXPECT_EQ(ctl({"apply", "-f", path, "--prune"}), 0) << err();
  EXPECT_EQ(out(), "applied: 2 added, 1 removed (version 5)\n");
  EXPECT_EQ(data_plane_.applied.at(0).operations_size(), 3);
  EXPECT_EQ(data_plane_.applied.at(0).expected_version(), 4u);
  EXPECT_EQ(data_plane_.applied.at(0).operations(2).delete_().backend(), "app");
  EXPECT_EQ(ctl({"apply", "-f", path, "--dry-run"}), 0) << err();
  EXPECT_TRUE(data_plane_.applied.at(1).validate_only());
  EXPECT_THAT(out(), HasSubstr("+ backend new\n    + name: new\n"));
}

v1::TransactionResult applied_as(std::uint64_t version) {
  v1::TransactionResult result;
  result.set_outcome(v1::OUTCOME_APPLIED);
  result.set_version(version);
  return result;
}

v1::TransactionResult refused_because(v1::Reason reason, const std::string& message) {
  v1::TransactionResult result;
  result.set_outcome(v1::OUTCOME_REFUSED);
  result.add_failures()->set_reason(reason);
  result.mutable_failures(0)->set_message(message);
  return result;
}

constexpr char kFiveServers[] =
    "servers: [{backend: app, name: a}, {backend: app, name: b}, {backend: app, name: c}, {backend: app, name: d}, "
    "{backend: app, name: e}]";

TEST_F(ApplyTest, SendsSeveralTransactionsWhereOneIsNotEnough) {
  data_plane_.operations_per_transaction = 2;
  data_plane_.results = {applied_as(5), applied_as(6), applied_as(7)};
  EXPECT_EQ(ctl({"apply", "-f", file(kFiveServers)}), 0) << err();
  EXPECT_EQ(out(), "applied: 5 added in 3 transactions (version 7)\n");
  EXPECT_THAT(err(), HasSubstr("transaction 2 of 3: 2 operations (version 6)\n"));
  ASSERT_EQ(data_plane_.applied.size(), 3u);
  for (const v1::Transaction& transaction : data_plane_.applied) {
    EXPECT_EQ(transaction.atomicity(), v1::ATOMICITY_ALL_OR_NOTHING);
    EXPECT_EQ(transaction.expected_version(), 0u);
  }
}

TEST_F(ApplyTest, WithPruneEachTransactionExpectsWhatTheOneBeforeLeft) {
  data_plane_.operations_per_transaction = 2;
  data_plane_.results = {applied_as(5), applied_as(6)};
  EXPECT_EQ(ctl({"apply", "-f", file("backends: [{name: x}, {name: y}, {name: z}]"), "--prune"}), 0) << err();
  EXPECT_EQ(out(), "applied: 3 added, 1 removed in 2 transactions (version 6)\n");
  ASSERT_EQ(data_plane_.applied.size(), 2u);
  EXPECT_EQ(data_plane_.applied[0].expected_version(), 4u);
  EXPECT_EQ(data_plane_.applied[1].expected_version(), 5u);
  EXPECT_EQ(data_plane_.applied[1].operations(1).delete_().backend(), "app") << "deletes are last";
}

TEST_F(ApplyTest, PlansAnewWhereSomebodyComesInBetween) {
  data_plane_.operations_per_transaction = 2;
  data_plane_.results = {applied_as(5), refused_because(v1::REASON_VERSION_MISMATCH, "is 6"), applied_as(8),
                         applied_as(9)};
  EXPECT_EQ(ctl({"apply", "-f", file("backends: [{name: x}, {name: y}, {name: z}]"), "--prune"}), 0) << err();
  ASSERT_EQ(data_plane_.applied.size(), 4u);
  EXPECT_EQ(data_plane_.applied[2].expected_version(), 4u) << "the version that was read again";
}

TEST_F(ApplyTest, EndsAtTheFirstRefusedAndSaysWhatHolds) {
  data_plane_.operations_per_transaction = 2;
  data_plane_.results = {applied_as(5), refused_because(v1::REASON_INVALID, "no")};
  EXPECT_EQ(ctl({"apply", "-f", file(kFiveServers)}), kExitRefused);
  EXPECT_EQ(data_plane_.applied.size(), 2u);
  EXPECT_THAT(err(),
              HasSubstr("no\ntransaction 1 of 3 holds, nothing of the others; apply again once this is mended\n"));
  data_plane_.results = {refused_because(v1::REASON_INVALID, "no")};
  EXPECT_EQ(ctl({"apply", "-f", file(kFiveServers)}), kExitRefused);
  EXPECT_THAT(err(), HasSubstr("no\nit was the first of 3 transactions; the others were not sent\n"));
}

TEST_F(ApplyTest, LeavesOutWhatIsThereBeforeItTakesASecondTransaction) {
  data_plane_.operations_per_transaction = 2;
  data_plane_.results = {applied_as(5)};
  EXPECT_EQ(ctl({"apply", "-f", file("backends: [{name: app}, {name: x}, {name: y}]"), "--prune"}), 0) << err();
  EXPECT_EQ(out(), "applied: 2 added (version 5)\n");
  EXPECT_EQ(data_plane_.applied.size(), 1u);
}

TEST_F(ApplyTest, ADryRunOfSeveralSaysWhatItCouldNotCheck) {
  data_plane_.operations_per_transaction = 2;
  data_plane_.results = {applied_as(4)};
  EXPECT_EQ(ctl({"apply", "-f", file(kFiveServers), "--dry-run"}), 0) << err();
  EXPECT_EQ(data_plane_.applied.size(), 1u);
  EXPECT_THAT(err(), HasSubstr("needs 3 transactions, of which only the first could be checked"));
  EXPECT_THAT(out(), HasSubstr("would apply: 5 added in 3 transactions"));
}

TEST_F(ApplyTest, SaysWhereInTheFileARefusedFieldStands) {
  data_plane_.result.set_outcome(v1::OUTCOME_REFUSED);
  v1::OperationFailure& failure = *data_plane_.result.add_failures();
  failure.set_index(1);
  failure.set_resource("server app/s1");
  failure.set_field("weight");
  failure.set_message("300 is out of range [0, 256]");
  const std::string path =
      file("resources:\n  backends:\n  - name: app\n    servers:\n    - {name: s1, weight: 300}\n");
  EXPECT_EQ(ctl({"apply", "-f", path}), kExitRefused);
  EXPECT_EQ(err(), "fairleadctl: " + path + ":5:26: server app/s1: weight: 300 is out of range [0, 256]\n");
}

TEST_F(ApplyTest, RefusesToPruneEverything) {
  EXPECT_EQ(ctl({"apply", "-f", file("resources: {}"), "--prune"}), kExitRefused);
  EXPECT_THAT(err(), HasSubstr("--prune would delete everything"));
  EXPECT_EQ(ctl({"apply"}), kExitUsage);
  EXPECT_EQ(ctl({"apply", "-f", "/nowhere.yaml"}), kExitRefused);
}

TEST_F(ApplyTest, ExportsWhatApplyTakes) {
  EXPECT_EQ(ctl({"export"}), 0) << err();
  EXPECT_EQ(ctl({"diff", "-f", file(out()), "--prune", "--fail"}), 0) << err();
  EXPECT_EQ(ctl({"diff", "-f", file("backends: [{name: b}]"), "--fail"}), kExitRefused);
}

}  // namespace
}  // namespace fairlead::ctl
