// Asks nameservers, over UDP and TCP, with c-ares.
//
// One nameserver after the other is asked, in their order, until one has something to say: that a name does not exist
// is an answer, that it will not or cannot tell is none. One thread, which waits in turn().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "names/answer.h"
#include "names/settings.h"
#include "runtime/time.h"

namespace fairlead::names {

class Lookups {
 public:
  using Done = std::function<void(Part)>;

  explicit Lookups(const Settings& settings);
  // What is under way is forgotten: nothing is called.
  ~Lookups();
  Lookups(const Lookups&) = delete;
  Lookups& operator=(const Lookups&) = delete;

  // An SRV name as config::service_question() has it. `done` is called once, at once or in turn(), with what counts by
  // the settings' family. `had_any` as for combine().
  void start(const std::string& name, bool had_any, Done done);
  // Waits until something comes, wake() was called, or `until`; runs what follows.
  void turn(runtime::TimePoint until);
  // By any thread: the present turn ends, or the next one at once.
  void wake();

 private:
  struct Nameserver;
  struct Round;
  struct Question;

  void open_nameservers();
  void ask(std::unique_ptr<Question> question);
  void answered(std::unique_ptr<Question> question, int status, const unsigned char* bytes, int size);
  void finish(const Question& question, Part part);

  const Settings settings_;
  base::Descriptor wake_;
  // In the order in which they are asked.
  std::vector<std::unique_ptr<Nameserver>> nameservers_;
  // Why there are none.
  std::string problem_;
  bool ends_ = false;
};

}  // namespace fairlead::names
