// Each input that a fuzzer found worth keeping, as an ordinary test. A property that does not hold ends the process.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "targets.h"

namespace fairlead {
namespace {

void replay(const std::string& folder, void (*target)(std::string_view)) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(FAIRLEAD_CORPUS) / folder)) {
    SCOPED_TRACE(entry.path().string());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string input((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    target(input);
    ++count;
  }
  EXPECT_GT(count, 0u) << "no corpus in " << folder;
}

TEST(Corpus, OfRequestsHolds) { replay("http1_request", fuzz_http1_request); }
TEST(Corpus, OfResponsesHolds) { replay("http1_response", fuzz_http1_response); }
TEST(Corpus, OfChunkedBodiesHolds) { replay("chunked_body", fuzz_chunked_body); }
TEST(Corpus, OfPathsHolds) { replay("path", fuzz_path); }
TEST(Corpus, OfConfigurationFilesHolds) { replay("configuration", fuzz_configuration); }
TEST(Corpus, OfManagementMessagesHolds) { replay("management", fuzz_management); }
TEST(Corpus, OfProxyHeadersHolds) { replay("proxy_header", fuzz_proxy_header); }
TEST(Corpus, OfClientHellosHolds) { replay("client_hello", fuzz_client_hello); }
TEST(Corpus, OfTlsRecordsHolds) { replay("tls_records", fuzz_tls_records); }

}  // namespace
}  // namespace fairlead
