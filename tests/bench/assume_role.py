#!/usr/bin/env python3
"""Times `yc-rs sts assume-role` and `aws sts assume-role` side by side against the sandbox, and prints the ratios.

usage: tests/bench/assume_role.py YC-RS AWS [PAIRS]

YC-RS is a release build, AWS the AWS CLI (tests/clients/run.sh puts one into the target directory). The two programs run
in turn, so that a machine that slows down slows both; what is printed is the median over the pairs.
"""

import os
import re
import resource
import statistics
import subprocess
import sys
import time

ROLE = ["--role-arn", "a1234567891234567890", "--role-session-name", "benchmark", "--duration-seconds", "3600"]


def sandbox():
    """Starts the sandbox; returns the process and the variables that point at it."""
    server = subprocess.Popen(
        ["cargo", "run", "--quiet", "--example", "sandbox"], stdout=subprocess.PIPE, text=True
    )
    variables = {}
    for line in server.stdout:
        match = re.fullmatch(r"export (\w+)=['\"](.*)['\"]\n", line)
        if match:
            variables[match[1]] = match[2]
        if "SANDBOX_TOKEN" in line:
            return server, variables
    sys.exit("the sandbox did not start")


def run(command, env):
    """Wall seconds, CPU seconds and peak memory (KiB) of a run."""
    started = time.monotonic()
    # As a shell does: DEVNULL is open for reading too, which is how a standard output that was closed looks.
    with open("/dev/null", "wb") as null:
        process = subprocess.Popen(command, env=env, stdout=null)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    if status != 0:
        sys.exit(f"{command[0]} failed")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def memory(command, env):
    """Peak memory in KiB, measured by a small parent: a child's peak begins at its parent's size."""
    output = subprocess.run(["/usr/bin/time", "-f", "%M", *command], env=env, capture_output=True, text=True, check=True)
    return int(output.stderr.split()[-1])


def main():
    ours, theirs = sys.argv[1], sys.argv[2]
    pairs = int(sys.argv[3]) if len(sys.argv) > 3 else 30
    server, variables = sandbox()
    try:
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables}
        key = subprocess.run(
            [ours, "iam", "access-key", "create", "--export", "env-no-export"],
            env=env, capture_output=True, text=True, check=True,
        )
        env.update(line.split("=", 1) for line in key.stdout.splitlines() if line.startswith("AWS_"))
        env = {name: value.strip("'") for name, value in env.items() if name != "AWS_SESSION_TOKEN"}
        env["AWS_CA_BUNDLE"] = variables["YC_CA_BUNDLE"]
        a = [ours, "sts", "assume-role", *ROLE]
        b = [theirs, "--endpoint-url", variables["YC_ENDPOINT_URL_STS"], "--region", "ru-central1", "sts", "assume-role", *ROLE]
        run(a, env), run(b, env)
        runs = [(run(a, env), run(b, env)) for _ in range(pairs)]
        for index, name in enumerate(["wall seconds", "CPU seconds"]):
            mine = statistics.median(pair[0][index] for pair in runs)
            other = statistics.median(pair[1][index] for pair in runs)
            ratio = statistics.median(pair[1][index] / max(pair[0][index], 1e-4) for pair in runs)
            print(f"{name:<14} yc-rs {mine:8.4f}   aws {other:8.4f}   aws / yc-rs {ratio:6.1f}")
        if os.access("/usr/bin/time", os.X_OK):
            mine, other = memory(a, env), memory(b, env)
            print(f"{'peak KiB':<14} yc-rs {mine:8d}   aws {other:8d}   aws / yc-rs {other / mine:6.1f}")
        elif os.environ.get("YC_RS_TESTS") == "complete":
            sys.exit("YC_RS_TESTS=complete, and this machine lacks /usr/bin/time (Debian: apt-get install time)")
        else:
            print("peak memory: skipped: this machine lacks /usr/bin/time (Debian: apt-get install time)")
    finally:
        server.terminate()


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
