"""tools/bench balance: what a pick and a change cost, by algorithm and number of servers."""

import json
import subprocess

from processes import Failed, program

PROGRAMS = ("fairlead-balance",)


# Weights 1 to so many in use at once, at the smallest and the largest size.
WEIGHTS = 256
WEIGHTED_SIZES = "10,1000000"


def measure(*flags):
    run = subprocess.run([program("fairlead-balance"), *flags], stdout=subprocess.PIPE, check=False)
    if run.returncode != 0:
        raise Failed(f"fairlead-balance ended with {run.returncode}")
    return json.loads(run.stdout)


def balance(say):
    say("measures each algorithm at each size; some minutes")
    result = measure()
    say(f"again with servers of {WEIGHTS} weights")
    weighted = measure(f"--weights={WEIGHTS}", f"--sizes={WEIGHTED_SIZES}")
    return result | {f"weighted_{key}": table for key, table in weighted.items()} | {"weights": WEIGHTS}


def print_table(title, table):
    sizes = list(next(iter(table.values())))
    print(f"\n{title:<24}" + "".join(f"{int(size):>12,}" for size in sizes))
    for name, row in table.items():
        print(f"{name:<24}" + "".join(f"{row[size]:>12,.1f}" for size in sizes))


def print_balance(result):
    print_table("pick, ns", result["pick_ns"])
    print_table("look after a pick, ns", result["look_ns"])
    print_table("add or remove, us", result["change_us"])
    print(f"\nservers of {result['weights']} weights:")
    print_table("pick, ns", result["weighted_pick_ns"])
    print_table("add or remove, us", result["weighted_change_us"])
