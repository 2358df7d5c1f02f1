#include "ctl/command.h"
#include "ctl/explain.h"
#include "ctl/top.h"
#include "ctl/watch.h"

namespace fairlead::ctl {

std::vector<Command> observation_commands() {
  return {
      {.name = "watch",
       .summary = "prints a line for each change as it comes",
       .details =
           "With -o json each line is one event as an object, the snapshot included. A stream that breaks is taken "
           "up again after the last event; where the data plane does not know that any more, with a snapshot.",
       .options = {{.name = "no-snapshot", .help = "without what is there already"},
                   {.name = "since", .value = "VERSION", .help = "what came after this version, without a snapshot"}},
       .examples = {"fairleadctl watch", "fairleadctl watch -o json --no-snapshot"},
       .run = run_watch},
      {.name = "top",
       .operands = "[BACKEND...]",
       .operands_max = 64,
       .summary = "shows load, latency and failures, live",
       .details =
           "Keys: q quits; n, r, i, l, e sort by name, rate, in flight, latency, errors; s shows and hides servers; "
           "arrows scroll; space holds the picture. Where the output is not a terminal, one sample is printed.",
       .options = {{.name = "interval", .value = "TIME", .help = "of a sample, 10ms to 1h; default 1s"},
                   {.name = "once", .help = "prints one sample and ends"}},
       .examples = {"fairleadctl top", "fairleadctl top web --once -o json"},
       .run = run_top},
      {.name = "explain",
       .operands = "LISTENER",
       .operands_min = 1,
       .operands_max = 1,
       .summary = "says which server a request would go to, and why, without sending it",
       .details =
           "Routes, key, tier, load: one line for each step, as one of the workers sees it now. Nothing is counted or "
           "changed.",
       .options = {{.name = "backend", .help = "the operand is a backend: no routes are looked at"},
                   {.name = "source", .value = "ADDRESS", .help = "the client's IP address; default 127.0.0.1"},
                   {.name = "method", .value = "METHOD", .help = "default GET"},
                   {.name = "host", .value = "HOST", .help = "default localhost"},
                   {.name = "path", .value = "PATH", .help = "with the query; default /"},
                   {.name = "header", .value = "NAME=VALUE", .help = "a header field; repeatable", .repeatable = true},
                   {.name = "sni", .value = "NAME", .help = "the server that TLS asks for, where it is passed through"},
                   {.name = "alpn", .value = "PROTOCOL", .help = "and a protocol; repeatable", .repeatable = true}},
       .examples = {"fairleadctl explain web --source 10.1.2.3 --path /x",
                    "fairleadctl explain app --backend --header Cookie=id=7"},
       .run = run_explain},
  };
}

}  // namespace fairlead::ctl
