#!/usr/bin/env python3
"""Measures lists of many keys: CPU time and peak memory of yc-rs, of curl with jq, and of the AWS CLI.

A small server on this machine makes the pages, 1,000 keys each, so that what is measured is the client. curl follows the
pages in a shell loop and jq prints each page's keys; the AWS CLI lists as many keys from the same server, in the form of
its own API. Prints a table, ratios, and writes the plot of docs/performance.md.

usage: tests/bench/lists.py PROGRAM [--aws AWS] [--sizes 1000,10000,100000] [--plot docs/lists.svg]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = 1000
TOKEN = "t1.9euelZqTmczIyc6Mjs2UlM-cl5mVy-3rnpWaxsiVipKQzJXIlJyYz5SUjMrl9PdKPwAAEw." + "x" * 86
SHELL_LOOP = """
token=
while :; do
    page=$(curl -sf -H "Authorization: Bearer $TOKEN" "$URL/iam/aws-compatibility/v1/accessKeys?pageSize=1000&pageToken=$token")
    printf '%s' "$page" | jq '.accessKeys[]'
    token=$(printf '%s' "$page" | jq -r '.nextPageToken // empty')
    [ -n "$token" ] || break
done
"""


class Handler(BaseHTTPRequestHandler):
    """Answers the list methods of both APIs; the number of keys is the server's."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        size = int(query.get("pageSize", [PAGE])[0])
        start = int(query.get("pageToken", ["0"])[0] or 0)
        end = min(start + size, self.server.count)
        page = {"accessKeys": [key(number) for number in range(start, end)]}
        if end < self.server.count:
            page["nextPageToken"] = str(end)
        self.reply("application/json", json.dumps(page).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        start = int(urllib.parse.parse_qs(body).get("Marker", ["0"])[0])
        end = min(start + PAGE, self.server.count)
        members = "".join(
            f"<member><UserName>backup</UserName><AccessKeyId>YCAJE{number:020}</AccessKeyId><Status>Active</Status>"
            f"<CreateDate>2026-01-01T00:00:00Z</CreateDate></member>"
            for number in range(start, end)
        )
        more = f"<IsTruncated>true</IsTruncated><Marker>{end}</Marker>" if end < self.server.count else ""
        xml = (
            '<ListAccessKeysResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListAccessKeysResult>'
            f"<AccessKeyMetadata>{members}</AccessKeyMetadata>{more}</ListAccessKeysResult></ListAccessKeysResponse>"
        )
        self.reply("text/xml", xml.encode())

    def reply(self, content_type, body):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def key(number):
    return {
        "id": f"aje{number:017}",
        "serviceAccountId": "ajebackup00000000000",
        "createdAt": "2026-01-01T00:00:00.123456789Z",
        "description": f"key {number}",
        "keyId": f"YCAJE{number:020}",
        "lastUsedAt": "2026-06-01T00:00:00Z",
    }


def serve():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.count = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def peak_memory(pid):
    """Peak memory of a process and its children in MiB, the largest of them; 0 when they are gone.

    What wait4 reports begins with the memory of this interpreter, so the high-water mark of the program is read instead.
    """
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = file.read().split()
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            marks = [int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM")]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return max(marks + [peak_memory(child) for child in children], default=0)


def measure(command, environment):
    """CPU seconds, peak memory in MiB (of the largest process) and wall seconds of a command that must succeed."""
    started = time.monotonic()
    # As a shell does: DEVNULL is open for reading too, which is how a standard output that was closed looks.
    with open("/dev/null", "wb") as null:
        process = subprocess.Popen(command, env=environment, stdout=null)
    memory, ended = 0, 0
    while not ended:
        memory = max(memory, peak_memory(process.pid))
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        time.sleep(0.001)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, memory, time.monotonic() - started


def plot(path, results):
    """Two panels on logarithmic axes: peak memory and CPU time against the number of keys."""
    import math

    colors = {"yc-rs": "#1a7f37", "curl | jq": "#0969da", "aws": "#cf222e"}
    width, height, left, top = 330, 230, 60, 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * (width + left) + 70}" height="{height + 90}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for panel, (title, position) in enumerate([("peak memory, MiB", 1), ("CPU time, s", 0)]):
        x0 = left + panel * (width + left + 20)
        values = [sample[position] for rows in results.values() for sample in rows.values()]
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        sizes = sorted({size for rows in results.values() for size in rows})
        first, last = math.log10(sizes[0]), max(math.log10(sizes[-1]), math.log10(sizes[0]) + 1)

        def x(size):
            return x0 + (math.log10(size) - first) / (last - first) * width

        def y(value):
            return top + height - (math.log10(value) - low) / (high - low) * height

        parts.append(f'<text x="{x0}" y="{top - 15}" font-weight="bold">{title}</text>')
        for power in range(low, high + 1):
            parts.append(
                f'<line x1="{x0}" x2="{x0 + width}" y1="{y(10 ** power):.1f}" y2="{y(10 ** power):.1f}" stroke="#d0d7de"/>'
                f'<text x="{x0 - 8}" y="{y(10 ** power) + 4:.1f}" text-anchor="end">{10 ** power:g}</text>'
            )
        for size in sizes:
            parts.append(f'<text x="{x(size):.1f}" y="{top + height + 20}" text-anchor="middle">{size:,}</text>')
        for row, (name, rows) in enumerate(results.items()):
            points = " ".join(f"{x(size):.1f},{y(sample[position]):.1f}" for size, sample in sorted(rows.items()))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colors[name]}" stroke-width="2"/>')
            parts.append(
                f'<text x="{x0 + row * 90}" y="{top + height + 42}" fill="{colors[name]}">{name}</text>'
            )
    parts.append("</svg>\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--aws", help="the AWS CLI, e.g. target/clients-venv/bin/aws")
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--plot", help="where the plot is written")
    arguments = parser.parse_args()
    server = serve()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    program = os.path.abspath(arguments.program)
    results = {}
    with tempfile.TemporaryDirectory() as home:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "YC_IAM_TOKEN": TOKEN,
            "YC_ENDPOINT_URL_IAM": url,
            "TOKEN": TOKEN,
            "URL": url,
            "AWS_ACCESS_KEY_ID": "YCAJE",
            "AWS_SECRET_ACCESS_KEY": "YC",
            "AWS_DEFAULT_REGION": "ru-central1",
            "AWS_ENDPOINT_URL_IAM": url,
        }
        clients = {"yc-rs": [program, "iam", "access-key", "list", "--all", "--format", "json"]}
        if shutil.which("curl") and shutil.which("jq"):
            clients["curl | jq"] = ["sh", "-c", SHELL_LOOP]
        if arguments.aws:
            clients["aws"] = [os.path.abspath(arguments.aws), "iam", "list-access-keys", "--output", "json"]
        print(f"{'keys':>9}  {'client':<10} {'CPU s':>8} {'MiB':>7} {'wall s':>8}")
        for size in map(int, arguments.sizes.split(",")):
            server.count = size
            for name, command in clients.items():
                if name != "yc-rs" and size > 100_000:
                    continue
                sample = min(measure(command, environment) for _ in range(3 if size <= 10_000 else 1))
                results.setdefault(name, {})[size] = sample
                print(f"{size:>9,}  {name:<10} {sample[0]:8.3f} {sample[1]:7.1f} {sample[2]:8.2f}", flush=True)
        filters = [("--format text", []), ("--jq length", []), ("--jq .[].id", [])]
        server.count = 100_000
        for options, _ in filters:
            command = [program, "iam", "access-key", "list", "--all", *options.split(" ")]
            cpu, memory, wall = measure(command, environment)
            print(f"{100_000:>9,}  yc-rs {options:<14} {cpu:6.3f} {memory:7.1f} {wall:8.2f}")
    ours = results["yc-rs"]
    sizes = sorted(ours)
    print(f"\npeak memory of {sizes[-1]:,} keys / of {sizes[0]:,}: {ours[sizes[-1]][1] / ours[sizes[0]][1]:.2f}")
    for name, rows in results.items():
        if name != "yc-rs":
            size = max(rows)
            print(
                f"{size:,} keys, {name} / yc-rs: CPU {rows[size][0] / ours[size][0]:.1f}, "
                f"memory {rows[size][1] / ours[size][1]:.1f}"
            )
    if arguments.plot:
        plot(arguments.plot, results)


if __name__ == "__main__":
    main()
