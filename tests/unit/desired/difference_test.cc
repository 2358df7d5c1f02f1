// Differences, applied to a model as the API says, lead from any configuration to any other; never more than is needed.
#include "desired/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "desired/yaml.h"

namespace fairlead::desired {
namespace {

using testing::ElementsAre;

std::shared_ptr<const Configuration> parse(const std::string& text) {
  auto parsed = parse_configuration(text, "test.yaml");
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *parsed : std::make_shared<Configuration>();
}

// "+server app/s1", "-backend app".
std::vector<std::string> operations(const v1::Transaction& transaction) {
  std::vector<std::string> texts;
  for (const v1::Operation& operation : transaction.operations()) {
    if (operation.has_upsert()) {
      const v1::Resource& resource = operation.upsert();
      texts.push_back(resource.has_certificate() ? absl::StrCat("+certificate ", resource.certificate().name())
                      : resource.has_listener()  ? absl::StrCat("+listener ", resource.listener().name())
                      : resource.has_backend()
                          ? absl::StrCat("+backend ", resource.backend().name())
                          : absl::StrCat("+server ", resource.server().backend(), "/", resource.server().name()));
    } else {
      const v1::Delete& deletion = operation.delete_();
      EXPECT_FALSE(deletion.has_drain());
      texts.push_back(!deletion.certificate().empty() ? absl::StrCat("-certificate ", deletion.certificate())
                      : !deletion.listener().empty()  ? absl::StrCat("-listener ", deletion.listener())
                      : !deletion.backend().empty()
                          ? absl::StrCat("-backend ", deletion.backend())
                          : absl::StrCat("-server ", deletion.server().backend(), "/", deletion.server().name()));
    }
  }
  return texts;
}

// Backends, what they are referred to by, and the rules of the API about both.
class Model {
 public:
  explicit Model(const Configuration& configuration) {
    for (const auto& [key, entry] : configuration.entries()) resources_[key] = entry.resource;
  }
  void apply(const v1::Transaction& transaction) {
    for (const v1::Operation& operation : transaction.operations()) {
      operation.has_upsert() ? upsert(operation.upsert()) : remove(operation.delete_());
    }
  }
  std::string digest() const {
    Digest digest;
    for (const auto& [key, resource] : resources_) digest.add(Digest::hash(resource));
    return digest.bytes();
  }

 private:
  bool has_backend(const std::string& name) const { return resources_.contains({Kind::kBackend, "", name}); }
  void upsert(const v1::Resource& resource) {
    if (resource.has_certificate()) {
      resources_[{Kind::kCertificate, "", resource.certificate().name()}] = resource;
    } else if (resource.has_server()) {
      ASSERT_TRUE(has_backend(resource.server().backend()));
      resources_[{Kind::kServer, resource.server().backend(), resource.server().name()}] = resource;
    } else if (resource.has_backend()) {
      resources_[{Kind::kBackend, "", resource.backend().name()}] = resource;
    } else {
      ASSERT_TRUE(has_backend(resource.listener().default_backend()));
      for (const std::string& name : resource.listener().tls().certificates()) {
        ASSERT_TRUE(resources_.contains({Kind::kCertificate, "", name}));
      }
      resources_[{Kind::kListener, "", resource.listener().name()}] = resource;
    }
  }
  void remove(const v1::Delete& deletion) {
    if (!deletion.certificate().empty()) {
      for (const auto& [key, resource] : resources_) {
        const auto& names = resource.listener().tls().certificates();
        ASSERT_EQ(std::ranges::count(names, deletion.certificate()), 0);
      }
      ASSERT_EQ(resources_.erase({Kind::kCertificate, "", deletion.certificate()}), 1u);
    } else if (deletion.has_server()) {
      ASSERT_EQ(resources_.erase({Kind::kServer, deletion.server().backend(), deletion.server().name()}), 1u);
    } else if (!deletion.listener().empty()) {
      ASSERT_EQ(resources_.erase({Kind::kListener, "", deletion.listener()}), 1u);
    } else {
      for (const auto& [key, resource] : resources_) {
        if (resource.has_listener()) ASSERT_NE(resource.listener().default_backend(), deletion.backend());
      }
      std::erase_if(resources_, [&](const auto& pair) { return pair.first.backend == deletion.backend(); });
      ASSERT_EQ(resources_.erase({Kind::kBackend, "", deletion.backend()}), 1u);
    }
  }

  std::map<Key, v1::Resource> resources_;
};

std::shared_ptr<const Configuration> random_configuration(std::mt19937& random) {
  const auto some = [&](unsigned below) { return static_cast<int>(random() % below); };
  v1::Resources resources;
  for (const char* name : {"a", "b", "c"}) {
    if (some(3) == 0) continue;
    v1::Backend& backend = *resources.add_backends();
    backend.set_name(name);
    if (some(2) == 0) backend.mutable_retry()->set_attempts(static_cast<std::uint32_t>(some(3)));
    for (int i = 0; i < 12; ++i) {
      if (some(2) == 0) continue;
      v1::Server& server = *backend.add_servers();
      server.set_name(absl::StrCat("s", i));
      server.set_address("10.0.0.1:80");
      server.set_weight(static_cast<std::uint32_t>(some(3)));
    }
    for (const char* listener : {"x", "y"}) {
      if (some(3) != 0) continue;
      v1::Listener& added = *resources.add_listeners();
      added.set_name(absl::StrCat(listener, name));
      added.set_default_backend(name);
      if (some(2) == 0) continue;
      v1::Certificate& certificate = *resources.add_certificates();
      certificate.set_name(added.name());
      certificate.set_chain(some(2) == 0 ? "one" : "other");
      added.mutable_tls()->add_certificates(certificate.name());
    }
  }
  auto made = Configuration::make(std::move(resources));
  EXPECT_TRUE(made.ok()) << made.status();
  return *made;
}

TEST(Difference, LeadsFromAnyConfigurationToAnyOther) {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    const auto from = random_configuration(random);
    const auto to = random_configuration(random);
    const BatchLimits limits{.operations = 1 + random() % 7, .bytes = 40 + random() % 200};
    Model model(*from);
    std::size_t count = 0;
    for (const v1::Transaction& transaction : difference(*from, *to, limits)) {
      ASSERT_GT(transaction.operations_size(), 0);
      if (transaction.atomicity() == v1::ATOMICITY_EACH) {
        ASSERT_LE(static_cast<std::size_t>(transaction.operations_size()), limits.operations);
        if (transaction.operations_size() > 1) ASSERT_LE(transaction.ByteSizeLong(), limits.bytes + 16);
      }
      count += static_cast<std::size_t>(transaction.operations_size());
      model.apply(transaction);
      if (HasFatalFailure()) return;
    }
    ASSERT_EQ(model.digest(), to->digest());
    ASSERT_EQ(count == 0, describe_difference(*from, *to, 1).empty());
    ASSERT_EQ(difference(*to, *to, limits).size(), 0u);
  }
}

TEST(Difference, SaysWhatChangedAndNothingElse) {
  const auto from = parse(
      "listeners: [{name: old, default_backend: b}]\n"
      "backends: [{name: a, servers: [{name: s1, weight: 1}, {name: s2}, {name: s3}]}, {name: b, servers: [{name: "
      "s1}]}]");
  const auto to = parse(
      "listeners: [{name: new, default_backend: c}]\n"
      "backends: [{name: a, servers: [{name: s1, weight: 2}, {name: s3}]}, {name: c, servers: [{name: s1}]}]");
  std::vector<std::vector<std::string>> said;
  for (const v1::Transaction& transaction : difference(*from, *to, {})) said.push_back(operations(transaction));
  EXPECT_THAT(said,
              ElementsAre(ElementsAre("+backend c", "+server a/s1", "+server c/s1"),
                          ElementsAre("-listener old", "+listener new"), ElementsAre("-server a/s2", "-backend b")));
  EXPECT_EQ(describe_difference(*from, *to, 3),
            "listener new is missing, backend c is missing, server a/s1 is different, and 5 more");
}

TEST(Difference, WhoIsFollowedComesBeforeItsFollowers) {
  auto from = parse("backends: [{name: app}]");
  auto to = parse(
      "backends: [{name: app, servers: [{name: a, address: '10.0.0.1:80', health_check: {track: app/b}},"
      " {name: b, address: '10.0.0.1:80', health_check: {track: app/c}}, {name: c, address: '10.0.0.1:80'},"
      " {name: d, address: '10.0.0.1:80', health_check: {track: app/gone}}]}]");
  std::vector<v1::Transaction> made = difference(*from, *to, {});
  ASSERT_EQ(made.size(), 1u);
  EXPECT_THAT(operations(made[0]), ElementsAre("+server app/c", "+server app/b", "+server app/d", "+server app/a"));
}

TEST(Difference, ManyAreSentInParts) {
  std::string text = "backends:\n- name: a\n  servers:\n";
  for (int i = 0; i < 25; ++i) absl::StrAppend(&text, "  - {name: s", i, "}\n");
  std::vector<int> sizes;
  for (const auto& part : difference(Configuration(), *parse(text), {.operations = 10})) {
    sizes.push_back(part.operations_size());
  }
  EXPECT_THAT(sizes, ElementsAre(10, 10, 6));
}

TEST(Difference, ALargeRemovalIsNoticed) {
  const auto four =
      parse("backends: [{name: a, servers: [{name: s1}, {name: s2}, {name: s3}, {name: s4}]}, {name: b}]");
  const auto two = parse("backends: [{name: a, servers: [{name: s1}, {name: s2}]}, {name: b}]");
  const auto one = parse("backends: [{name: a, servers: [{name: s1}]}, {name: b}]");
  const auto none = parse("backends: [{name: a}, {name: b}]");
  EXPECT_EQ(removes_too_much(*four, *two, 50), std::nullopt);
  EXPECT_EQ(removes_too_much(*four, *one, 50), "would remove 3 of 4 servers of backend a, more than 50%");
  EXPECT_EQ(removes_too_much(*four, *one, 75), std::nullopt);
  EXPECT_EQ(removes_too_much(*four, *none, 100), std::nullopt);
  EXPECT_EQ(removes_too_much(*one, *none, 50), std::nullopt);
  EXPECT_EQ(removes_too_much(*none, *parse("backends: [{name: a}]"), 50), std::nullopt);
  // A backend goes with its servers: as one of two, but not with all servers that there are.
  EXPECT_EQ(removes_too_much(*four, *parse("backends: [{name: a, servers: [{name: s1}, {name: s2}]}]"), 50),
            std::nullopt);
  EXPECT_EQ(removes_too_much(*four, *parse("backends: [{name: b}]"), 50), "would remove 4 of 4 servers, more than 50%");
  const auto only = parse("backends: [{name: a, servers: [{name: s1}, {name: s2}, {name: s3}, {name: s4}]}]");
  EXPECT_EQ(removes_too_much(*only, *parse("backends: []"), 50), "would remove 4 of 4 servers, more than 50%");
  EXPECT_EQ(removes_too_much(*four, *parse("backends: []"), 50), "would remove 2 of 2 backends, more than 50%");
}

}  // namespace
}  // namespace fairlead::desired
