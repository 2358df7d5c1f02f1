"""tools/bench http, tcp, bodies and close: what an exchange in the clear costs a proxy."""

import comparison
import proxies
from comparison import BODY_BYTES, CONNECTIONS
from processes import Workshop

PROGRAMS = ("fairlead", "fairlead-load", "fairlead-origin")
KIB = 1024
MIB = 1024 * 1024

# Of each case: flags of the origin, and of the load.
BODIES = {"get_10k": ([f"--body-bytes={10 * KIB}"], []),
          "get_1m": ([f"--body-bytes={MIB}"], []),
          "put_1m": ([f"--body-bytes={BODY_BYTES}"], ["--upload-share=1", "--upload-method=PUT", f"--upload-bytes={MIB}"])}
CLOSE = {"close": ([f"--body-bytes={BODY_BYTES}"], ["--new-connections=1"])}


def run_case(arguments, say, protocol, case, origin_flags, load_flags):
    """Runs by case and proxy, of one case."""
    proxy_cpus, other_cpus = comparison.split_processors(say)
    with Workshop("bench") as workshop:
        server = proxies.start_origin(workshop, "origin", other_cpus, origin_flags)
        started = [proxies.start_fairlead(workshop, protocol, [server], cpus=proxy_cpus),
                   proxies.start_haproxy(workshop, protocol, server, proxy_cpus)]
        if protocol == "HTTP" or proxies.NGINX_STREAM_MODULE.exists():
            started.append(proxies.start_nginx(workshop, protocol, server, proxy_cpus))

        def load(proxy, _, seconds):
            return comparison.run_load(workshop, other_cpus, "fairlead-load", f"--target={proxy.address}", "--closed",
                                       f"--duration={seconds}s", f"--connections={CONNECTIONS}", "--interval=0s", *load_flags)

        return comparison.run_rounds(arguments, say, started, [case], load)


def head_of(arguments):
    return {"bench": arguments.what, "rounds": arguments.rounds, "seconds": arguments.seconds, "connections": CONNECTIONS}


def one_case(arguments, say):
    """http and tcp."""
    protocol = arguments.what.upper()
    if protocol == "TCP":
        flags = ["--tcp-echo"], ["--tcp-echo", f"--payload-bytes={BODY_BYTES}"]
    else:
        flags = [f"--body-bytes={BODY_BYTES}"], []
    runs = run_case(arguments, say, protocol, arguments.what, *flags)[arguments.what]
    result = head_of(arguments) | {"proxies": {name: comparison.medians(of_proxy) for name, of_proxy in runs.items()}}
    for name, of_proxy in runs.items():
        result["proxies"][name]["cpu_us_runs"] = [round(run["cpu_us"], 3) for run in of_proxy]
    return result | comparison.ratios(runs)


def several_cases(arguments, say):
    """bodies and close."""
    runs = {}
    for case, flags in (BODIES if arguments.what == "bodies" else CLOSE).items():
        say(case)
        runs |= run_case(arguments, say, "HTTP", case, *flags)
    return head_of(arguments) | {"failed": 0} | comparison.by_case(runs)


def print_one_case(result):
    unit = "request" if result["bench"] == "http" else "exchange"
    print(f"\n{'':<10}{'CPU us a ' + unit:>18}{'user':>8}{'system':>8}{'per second':>12}{'p50 ms':>9}{'p99 ms':>9}{'MB':>7}")
    for name, row in result["proxies"].items():
        print(f"{name:<10}{row['cpu_us']:>18.2f}{row['cpu_user_us']:>8.2f}{row['cpu_system_us']:>8.2f}"
              f"{row['requests_per_second']:>12,.0f}{row['p50_ms']:>9.3f}{row['p99_ms']:>9.3f}"
              f"{row['resident_kb'] / 1024:>7.1f}")
    print()
    for key in ("cpu_vs_haproxy", "cpu_vs_nginx"):
        if key in result:
            first, third = result[f"{key}_quartiles"]
            print(f"{key} = {result[key]:.3f}   half of the rounds between {first:.3f} and {third:.3f}")


BENCHES = {"http": (one_case, print_one_case), "tcp": (one_case, print_one_case),
           "bodies": (several_cases, comparison.print_by_case), "close": (several_cases, comparison.print_by_case)}
