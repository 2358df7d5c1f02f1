#include "api/patch.h"

#include <gtest/gtest.h>

#include "fairlead/v1/resources.pb.h"
#include "google/protobuf/text_format.h"

namespace fairlead::api {
namespace {

v1::Backend backend_of(const std::string& text) {
  v1::Backend backend;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &backend)) << text;
  return backend;
}

// What a backend is after a patch.
std::string patched(const std::string& before, const std::string& patch, std::initializer_list<const char*> paths) {
  google::protobuf::FieldMask mask;
  for (const char* path : paths) mask.add_paths(path);
  v1::Backend target = backend_of(before);
  apply_mask(mask, backend_of(patch), target);
  return target.ShortDebugString();
}

std::string same(const std::string& text) { return backend_of(text).ShortDebugString(); }

TEST(Patch, SetsWhatIsSet) {
  EXPECT_EQ(patched("", "health_check { http { path: '/h' } }", {"health_check.http.path"}),
            same("health_check { http { path: '/h' } }"));
  EXPECT_EQ(patched("health_check { tcp {} rise: 3 }", "health_check { http { path: '/h' } }", {"health_check.http"}),
            same("health_check { http { path: '/h' } rise: 3 }"));
  EXPECT_EQ(patched("tls { sni: 'a' ca: 'x' }", "tls { sni: 'b' }", {"tls.sni"}), same("tls { sni: 'b' ca: 'x' }"));
  EXPECT_EQ(patched("", "tls {}", {"tls"}), same("tls {}"));
  EXPECT_EQ(patched("retry { statuses: 500 }", "retry { statuses: 502 statuses: 503 }", {"retry.statuses"}),
            same("retry { statuses: 502 statuses: 503 }"));
}

TEST(Patch, PutsBackWhatIsUnset) {
  EXPECT_EQ(patched("tls { sni: 'a' ca: 'x' }", "", {"tls.sni"}), same("tls { ca: 'x' }"));
  EXPECT_EQ(patched("tls { sni: 'a' }", "tls {}", {"tls.sni"}), same("tls {}"));
  EXPECT_EQ(patched("tls { sni: 'a' }", "", {"tls"}), "");
  EXPECT_EQ(patched("retry { statuses: 500 attempts: 2 }", "", {"retry.statuses"}), same("retry { attempts: 2 }"));
}

// A message that is there means something, be it empty.
TEST(Patch, PuttingBackTurnsNothingOn) {
  for (const char* patch : {"", "tls {}", "health_check { http {} }"}) {
    EXPECT_EQ(patched("", patch, {"tls.sni", "health_check.http.path"}), "") << patch;
  }
}

TEST(Patch, PuttingBackLeavesAnotherChoiceAsItIs) {
  const std::string checked = "health_check { http { path: '/h' } agent { port: 9 } }";
  EXPECT_EQ(patched(checked, "", {"health_check.tcp"}), same(checked));
  EXPECT_EQ(patched("health_check { tcp {} }", "", {"health_check.http.path"}), same("health_check { tcp {} }"));
}

}  // namespace
}  // namespace fairlead::api
