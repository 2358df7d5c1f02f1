#include "tls/seal.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "gtest/gtest.h"

namespace fairlead::tls {
namespace {

std::array<unsigned char, 32> key_of(unsigned char byte) {
  std::array<unsigned char, 32> key{};
  key.fill(byte);
  return key;
}

TEST(SealTest, OpensWhatItSealed) {
  Seal seal(key_of(1));
  std::set<std::string> sealed;
  for (const std::string& secret : {std::string(), std::string("x"), std::string(5000, 's')}) {
    for (int i = 0; i < 3; ++i) {
      std::string text = seal.seal(secret, "web");
      EXPECT_TRUE(sealed.insert(text).second) << "each time another text";
      EXPECT_EQ(text.find("sss"), std::string::npos);
      EXPECT_EQ(seal.open(text, "web"), secret);
    }
  }
}

TEST(SealTest, OpensNothingElse) {
  Seal seal(key_of(1));
  std::string text = seal.seal("secret", "web");
  EXPECT_EQ(seal.open(text, "other"), std::nullopt);
  EXPECT_EQ(Seal(key_of(2)).open(text, "web"), std::nullopt);
  for (size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(seal.open(changed, "web"), std::nullopt) << i;
    EXPECT_EQ(seal.open(text.substr(0, i), "web"), std::nullopt) << i;
  }
}

class SealFileTest : public testing::Test {
 protected:
  void SetUp() override { write(std::string(64, 'a') + "\n", 0600); }
  void TearDown() override { std::filesystem::remove(path_); }
  void write(const std::string& text, mode_t mode) {
    std::ofstream(path_) << text;
    ::chmod(path_.c_str(), mode);
  }
  std::string problem() { return std::string(Seal::read(path_).status().message()); }

  const std::string path_ = testing::TempDir() + "seal_test_" + std::to_string(::getpid());
};

TEST_F(SealFileTest, IsReadWhereNobodyElseCan) {
  absl::StatusOr<Seal> seal = Seal::read(path_);
  ASSERT_TRUE(seal.ok()) << seal.status();
  EXPECT_EQ(Seal(key_of(0xaa)).open(seal->seal("x", ""), ""), "x");
  for (mode_t mode : {0640, 0604, 0660}) {
    ::chmod(path_.c_str(), mode);
    EXPECT_NE(problem().find("chmod 600"), std::string::npos) << problem();
  }
}

TEST_F(SealFileTest, SaysWhatIsWrong) {
  for (const std::string& text : {std::string(), std::string(63, 'a'), std::string(65, 'a'), std::string(64, 'g'),
                                  std::string(32, 'a') + "\n" + std::string(32, 'a'), std::string(4000, 'a')}) {
    write(text, 0600);
    EXPECT_NE(problem().find("64 hexadecimal digits"), std::string::npos) << problem();
  }
  std::filesystem::remove(path_);
  EXPECT_NE(problem().find("No such file"), std::string::npos) << problem();
}

}  // namespace
}  // namespace fairlead::tls
