#!/usr/bin/env python3
"""Times yc-rs and other programs that do the same, in turn on this machine, and prints the ratios.

- one key over HTTPS from the sandbox: an empty program, curl, curl with jq, the official Python SDK over gRPC, and, as
  temporary credentials by AssumeRole, boto3, node's STS client and the AWS CLI;
- lists: the first three of 100,000 keys, and the first byte of ten pages at a round trip of 50 ms;
- the deletion of 1,000 keys, by `curl -Z` too.

usage: tests/bench/peers.py YC-RS [--pairs 20] [--only NAME]

YC-RS is a release build. The peers are installed into the target directory by pip and npm. The programs run in turn, so
that a machine that slows down slows both; what is printed is the median over the pairs.
"""

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lists import PAGE, TOKEN, Handler, key, measure

TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target")).absolute()
ROLE = ["--role-arn", "a1234567891234567890", "--role-session-name", "benchmark", "--duration-seconds", "3600"]
KEYS = "/iam/aws-compatibility/v1/accessKeys"
ISSUE = "/iam/aws-compatibility/v1/ephemeralAccessKeys"
BODY = '{"sessionName": "benchmark", "duration": "3600s"}'

BOTO3 = """
import boto3, os
sts = boto3.client("sts", region_name="ru-central1", endpoint_url=os.environ["YC_ENDPOINT_URL_STS"])
print(sts.assume_role(RoleArn="a1234567891234567890", RoleSessionName="benchmark")["Credentials"]["SecretAccessKey"])
"""
NODE = """
const { STSClient, AssumeRoleCommand } = require("@aws-sdk/client-sts");
const client = new STSClient({ region: "ru-central1", endpoint: process.env.YC_ENDPOINT_URL_STS });
client.send(new AssumeRoleCommand({ RoleArn: "a1234567891234567890", RoleSessionName: "benchmark" }))
  .then((answer) => console.log(answer.Credentials.SecretAccessKey));
"""
SDK = """
import os, yandexcloud
from yandex.cloud.iam.v1.awscompatibility import temporary_access_key_service_pb2 as messages
from yandex.cloud.iam.v1.awscompatibility import temporary_access_key_service_pb2_grpc as services
sdk = yandexcloud.SDK(iam_token=os.environ["YC_IAM_TOKEN"], endpoint=os.environ["GRPC"],
                      root_certificates=open(os.environ["GRPC_CA"], "rb").read())
client = sdk.client(services.TemporaryAccessKeyServiceStub)
print(client.CreateEphemeral(messages.CreateEphemeralAccessKeyRequest(session_name="benchmark")).secret)
"""
# The calls that the SDK makes, answered.
GRPC_SERVER = """
import concurrent.futures, grpc, sys
from yandex.cloud.endpoint import api_endpoint_pb2, api_endpoint_service_pb2 as listing
from yandex.cloud.endpoint import api_endpoint_service_pb2_grpc as endpoints
from yandex.cloud.iam.v1.awscompatibility import temporary_access_key_service_pb2 as messages
from yandex.cloud.iam.v1.awscompatibility import temporary_access_key_service_pb2_grpc as services
class Endpoints(endpoints.ApiEndpointServiceServicer):
    def List(self, request, context):
        return listing.ListApiEndpointsResponse(endpoints=[api_endpoint_pb2.ApiEndpoint(id="iam", address=address)])
class Keys(services.TemporaryAccessKeyServiceServicer):
    def CreateEphemeral(self, request, context):
        return messages.CreateEphemeralAccessKeyResponse(access_key_id="aje", secret="s" * 43, session_token="t" * 300)
server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
endpoints.add_ApiEndpointServiceServicer_to_server(Endpoints(), server)
services.add_TemporaryAccessKeyServiceServicer_to_server(Keys(), server)
key, certificate = (open(path, "rb").read() for path in sys.argv[1:3])
address = "localhost:%d" % server.add_secure_port("localhost:0", grpc.ssl_server_credentials([(key, certificate)]))
server.start()
print(address, flush=True)
server.wait_for_termination()
"""


def install():
    """The interpreter with the Python peers, and the directory of node's."""
    peers = TARGET / "peers"
    python = peers / "venv/bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", peers / "venv"], check=True)
    if not (peers / "installed").exists():
        pip = [python, "-m", "pip", "install", "--quiet", "yandexcloud==0.413.0", "boto3", "awscli"]
        subprocess.run(pip, check=True)
        npm = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", peers, "@aws-sdk/client-sts"]
        subprocess.run(npm, check=True)
        (peers / "installed").touch()
    return python, peers


def sandbox():
    """Starts the sandbox; returns the process and the variables that point at it."""
    server = subprocess.Popen(["cargo", "run", "--quiet", "--example", "sandbox"], stdout=subprocess.PIPE, text=True)
    variables = {}
    for line in server.stdout:
        if match := re.fullmatch(r"export (\w+)=['\"](.*)['\"]\n", line):
            variables[match[1]] = match[2]
        if "SANDBOX_TOKEN" in line:
            return server, variables
    sys.exit("the sandbox did not start")


def grpc_server(python, directory):
    """Starts the server for the SDK; returns the process and its variables."""
    key_file, certificate = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key_file]
        + ["-out", certificate, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )
    server = subprocess.Popen([python, "-c", GRPC_SERVER, key_file, certificate], stdout=subprocess.PIPE, text=True)
    return server, {"GRPC": server.stdout.readline().strip(), "GRPC_CA": str(certificate)}


def compare(name, ours, theirs, env, pairs):
    """Runs the two programs in turn and prints the median ratios; a peak is that of the larger process."""
    measure(ours, env), measure(theirs, env)
    runs = [(measure(ours, env), measure(theirs, env)) for _ in range(pairs)]
    figures = []
    for index in (2, 0, 1):
        mine, other = (statistics.median(pair[side][index] for pair in runs) for side in (0, 1))
        figures += [mine, other, statistics.median(pair[1][index] / max(pair[0][index], 1e-4) for pair in runs)]
    wall, cpu, memory = figures[0:3], figures[3:6], figures[6:9]
    print(
        f"{name:<26} wall {wall[0] * 1000:7.1f} {wall[1] * 1000:8.1f} ms {wall[2]:6.2f}   "
        f"CPU {cpu[0] * 1000:7.1f} {cpu[1] * 1000:8.1f} ms {cpu[2]:6.2f}   "
        f"peak {memory[0]:5.1f} {memory[1]:6.1f} MiB {memory[2]:5.2f}",
        flush=True,
    )


def keys(ours, pairs, only):
    """One key over HTTPS."""
    python, peers = install()
    directory = Path(tempfile.mkdtemp(prefix="yc-rs-peers-"))
    server, variables = sandbox()
    grpc, grpc_variables = grpc_server(python, directory)
    try:
        env = {"PATH": os.environ["PATH"], "HOME": str(directory), **variables, **grpc_variables}
        env["YC_IAM_TOKEN"] = variables["SANDBOX_TOKEN"]
        create = [ours, "iam", "access-key", "create", "--export", "env-no-export"]
        created = subprocess.run(create, env=env, capture_output=True, text=True, check=True).stdout
        env.update(line.replace("'", "").split("=", 1) for line in created.splitlines() if line.startswith("AWS_"))
        for name in ("AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"):
            env.pop(name, None)
        env |= dict.fromkeys(("AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"), variables["YC_CA_BUNDLE"])
        env["NODE_NO_WARNINGS"] = "1"
        empty = directory / "empty"
        (directory / "empty.rs").write_text("fn main() {}\n")
        flags = ["-C", "opt-level=3", "-C", "lto=fat", "-C", "panic=abort", "-C", "strip=symbols"]
        subprocess.run(["rustc", *flags, "-o", empty, directory / "empty.rs"], check=True)
        (directory / "sts.js").write_text(NODE)
        (directory / "node_modules").symlink_to(peers / "node_modules")
        url = variables["YC_ENDPOINT_URL_IAM"] + ISSUE
        curl = f"""curl -sf -H "Authorization: Bearer $YC_IAM_TOKEN" -H 'Content-Type: application/json' -d '{BODY}' {url}"""
        issue = [ours, "iam", "access-key", "issue-ephemeral", "--session-name", "benchmark", "--duration", "1h", "--jq", ".secret"]
        role = [ours, "sts", "assume-role", *ROLE, "--jq", ".secret"]
        aws = [python.parent / "aws", "--endpoint-url", variables["YC_ENDPOINT_URL_STS"], "--region", "ru-central1"]
        for name, mine, other in [
            ("empty program", issue, [empty]),
            ("curl", issue, ["sh", "-c", f"exec {curl}"]),
            ("curl | jq", issue, ["sh", "-c", f"{curl} | jq -r .secret"]),
            ("Python SDK, gRPC", issue, [python, "-c", SDK]),
            ("boto3", role, [python, "-c", BOTO3]),
            ("node STS client", role, ["node", directory / "sts.js"]),
            ("AWS CLI", role, [*aws, "sts", "assume-role", *ROLE]),
        ]:
            if only in name:
                compare(name, [str(word) for word in mine], [str(word) for word in other], env, pairs)
    finally:
        server.terminate()
        grpc.terminate()
        shutil.rmtree(directory)


class Slow(Handler):
    """As the list server, with a round trip, and a DELETE that is done at once."""

    latency = 0.0
    disable_nagle_algorithm = True

    def do_GET(self):
        time.sleep(self.latency)
        super().do_GET()

    def do_DELETE(self):
        operation = {"id": "op", "done": True, "response": {}}
        self.reply("application/json", json.dumps(operation).encode())


def local_server(count, latency=0.0):
    handler = type("Handler", (Slow,), {"latency": latency})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.count = count
    # A client that has what it wanted hangs up.
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    return url, {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "YC_IAM_TOKEN": TOKEN, "YC_ENDPOINT_URL_IAM": url,
                 "YC_ENDPOINT_URL_OPERATION": url}


def wall(command, env, times=5):
    """The median time of a shell command in milliseconds."""
    def once():
        started = time.monotonic()
        subprocess.run(["bash", "-c", command], env=env, check=True, stdout=subprocess.DEVNULL)
        return (time.monotonic() - started) * 1000
    return statistics.median(once() for _ in range(times))


def lists(ours):
    """The first keys of a long list, and the first byte of a slow one."""
    _, env = local_server(100_000)
    _, page = local_server(PAGE)
    first, one = (wall(f"{ours} iam access-key list {flags}", e) for flags, e in
                  [("--all --format json | head -3", env), ("--format json | cat", page)])
    print(f"list | head -3 of 100,000  {first:7.1f} ms, a list of one page {one:7.1f} ms, {first / one:.2f} times")
    _, slow = local_server(10 * PAGE, 0.05)
    byte = wall(f"{ours} iam access-key list --all --format json | head -c 1", slow)
    whole = wall(f"{ours} iam access-key list --all --format json", slow)
    print(f"ten pages at 50 ms         {byte:7.1f} ms to the first byte, {whole:7.1f} ms to the last")


def deletes(ours, pairs):
    """1,000 keys, eight at a time."""
    url, env = local_server(0)
    ids = [key(number)["id"] for number in range(1000)]
    with tempfile.NamedTemporaryFile("w", suffix=".curl") as file:
        file.write("\n".join(f'url = "{url}{KEYS}/{one}"\nrequest = DELETE\noutput = /dev/null' for one in ids))
        file.flush()
        curl = ["curl", "--no-progress-meter", "--fail", "-Z", "--parallel-max", "8", "-H", f"Authorization: Bearer {TOKEN}", "-K", file.name]
        compare("delete 1,000, curl -Z", [ours, "iam", "access-key", "delete", *ids], curl, env, pairs)


def main():
    parser = argparse.ArgumentParser(usage="tests/bench/peers.py YC-RS [--pairs 20] [--only NAME]")
    parser.add_argument("program")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    ours = os.path.abspath(arguments.program)
    print(f"{'':<26} each: yc-rs, the other, the other / yc-rs")
    keys(ours, arguments.pairs, arguments.only)
    if not arguments.only:
        lists(ours)
        deletes(ours, max(3, arguments.pairs // 4))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
