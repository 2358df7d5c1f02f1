"""tools/bench balance: what a pick and a change cost, by algorithm and number of servers."""

import json
import subprocess

from processes import Failed, program

PROGRAMS = ("fairlead-balance",)


def balance(say):
    say("measures each algorithm at each size; a minute or two")
    run = subprocess.run([program("fairlead-balance")], stdout=subprocess.PIPE, check=False)
    if run.returncode != 0:
        raise Failed(f"fairlead-balance ended with {run.returncode}")
    return json.loads(run.stdout)


def print_table(title, table):
    sizes = list(next(iter(table.values())))
    print(f"\n{title:<24}" + "".join(f"{int(size):>12,}" for size in sizes))
    for name, row in table.items():
        print(f"{name:<24}" + "".join(f"{row[size]:>12,.1f}" for size in sizes))


def print_balance(result):
    print_table("pick, ns", result["pick_ns"])
    print_table("look after a pick, ns", result["look_ns"])
    print_table("add or remove, us", result["change_us"])
