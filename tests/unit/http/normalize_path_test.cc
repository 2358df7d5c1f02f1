#include "http/normalize_path.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace fairlead::http {
namespace {

constexpr auto kNormalize = PathAction::kNormalize;
constexpr auto kRefuse = PathAction::kRefuse;

// A policy of one choice.
constexpr PathPolicy only(std::optional<PathAction> PathPolicy::* choice, PathAction action) {
  PathPolicy policy;
  policy.*choice = action;
  return policy;
}

constexpr PathPolicy kAll{kNormalize, kNormalize, kNormalize, kNormalize};
constexpr PathPolicy kDots = only(&PathPolicy::dot_segments, kNormalize);
constexpr PathPolicy kSlashes = only(&PathPolicy::repeated_slashes, kNormalize);
constexpr PathPolicy kEncoded = only(&PathPolicy::encoded_slashes, kNormalize);
constexpr PathPolicy kEscapes = only(&PathPolicy::escapes, kNormalize);

// What comes out, or "refused".
std::string normal(std::string_view path, const PathPolicy& policy) {
  std::string memory;
  const NormalizedPath result = normalize_path(path, policy, memory);
  return result.refusal.empty() ? std::string(result.path) : "refused";
}

TEST(NormalizePath, KeepsWhatItIsNotToldToChange) {
  for (const char* path : {"/", "*", "/a/../b", "//a", "/%2e%2e/", "/a%2fb", "/%zz", "/%41", "/..;x/", "/.."}) {
    EXPECT_EQ(normal(path, {}), path);
  }
  EXPECT_EQ(normal("/a%2f/../%41//", kSlashes), "/a%2f/../%41/");
  EXPECT_EQ(normal("/a%2f/../%41//", kDots), "/%41//");
  EXPECT_EQ(normal("/a%2f/../%41//", kEncoded), "/a//../%41//");
  EXPECT_EQ(normal("/a%2f/../%41//", kEscapes), "/a%2F/../A//");
}

TEST(NormalizePath, RemovesDotSegmentsAsRfc3986Does) {
  const std::pair<const char*, const char*> rows[] = {{"/a/b/c/./../../g", "/a/g"},
                                                      {"/mid/content=5/../6", "/mid/6"},
                                                      {"/a/..", "/"},
                                                      {"/a/b/..", "/a/"},
                                                      {"/a/.", "/a/"},
                                                      {"/./a", "/a"},
                                                      {"/.", "/"},
                                                      {"/a/b/../", "/a/"},
                                                      {"/%2e/a", "/a"},
                                                      {"/a/%2E%2e/b", "/b"},
                                                      {"/a/.%2e", "/"},
                                                      {"/a//../b", "/a/b"},
                                                      {"/...", "/..."},
                                                      {"/.a/..b/c.", "/.a/..b/c."},
                                                      {"/a/%2e%2ex", "/a/%2e%2ex"}};
  for (const auto& [path, expected] : rows) EXPECT_EQ(normal(path, kDots), expected) << path;
}

TEST(NormalizePath, RefusesWhatLeadsAboveTheRootOrHasTwoReadings) {
  for (const char* path :
       {"/..", "/../a", "/a/../..", "/%2e%2e/", "/./../", "/..;/a", "/a/..;x=1/b", "/.;a", "/..%3bx"}) {
    EXPECT_EQ(normal(path, kDots), "refused") << path;
  }
}

TEST(NormalizePath, MakesSlashesBeforeItLooksForDots) {
  EXPECT_EQ(normal("/a%2f..%2fb", kAll), "/b");
  EXPECT_EQ(normal("/a%5cb", kAll), "/a/b");
  EXPECT_EQ(normal("/a%2f%2fb//c", kAll), "/a/b/c");
  EXPECT_EQ(normal("/a%252fb", kAll), "/a%252fb");
  EXPECT_EQ(normal("/%7euser/%e4%C4", kAll), "/~user/%E4%C4");
}

TEST(NormalizePath, RefusesByName) {
  const PathPolicy dots = only(&PathPolicy::dot_segments, kRefuse);
  const PathPolicy slashes = only(&PathPolicy::repeated_slashes, kRefuse);
  const PathPolicy encoded = only(&PathPolicy::encoded_slashes, kRefuse);
  const PathPolicy escapes = only(&PathPolicy::escapes, kRefuse);
  for (const char* path : {"/a/../b", "/.", "/%2e", "/a/..;x"}) EXPECT_EQ(normal(path, dots), "refused") << path;
  for (const char* path : {"//", "/a//b"}) EXPECT_EQ(normal(path, slashes), "refused") << path;
  for (const char* path : {"/a%2fb", "/%5C"}) EXPECT_EQ(normal(path, encoded), "refused") << path;
  for (const char* path : {"/%", "/%4", "/%4g", "/%41", "/%e4"}) EXPECT_EQ(normal(path, escapes), "refused") << path;
  for (const PathPolicy& policy : {dots, slashes, encoded, escapes}) {
    for (const char* path : {"/", "/a.b/c", "/a/%20b", "/%E4"}) EXPECT_EQ(normal(path, policy), path);
  }
  EXPECT_EQ(normal("/%zz", kEscapes), "refused") << "it has no normal spelling";
}

TEST(NormalizePath, OfANormalPathIsThatPath) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string_view pieces[] = {"/", "/", ".", "..", "%2e", "%2F", "%5c", "a", "%41", "%e4", "%", ";", "//"};
  for (int round = 0; round < 20'000; ++round) {
    std::string path = "/";
    for (int i = 0; i < 8; ++i) path += pieces[random() % std::size(pieces)];
    const std::string once = normal(path, kAll);
    if (once == "refused") continue;
    EXPECT_EQ(normal(once, kAll), once) << path;
    EXPECT_FALSE(once.contains("//") || once.contains("/./") || once.contains("/../")) << path << " " << once;
    EXPECT_LE(once.size(), path.size());
  }
}

}  // namespace
}  // namespace fairlead::http
