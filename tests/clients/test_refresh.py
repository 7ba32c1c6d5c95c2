"""S3 clients that run for longer than a key is valid, beside `exec --refresh`."""

import hashlib
import hmac
import json
import re
import subprocess
import threading
import time
import unittest
import urllib.error
import urllib.request
from datetime import datetime, timezone
from urllib.parse import urlsplit

from surroundings import CLIENTS, User, report
from test_no_mixed_credentials import LEFT_OVER

# A key is renewed in its last minute at the latest, so with this lifetime 3 seconds after it was issued.
LIFETIME = 63
EXPIRIES = 20

# Calls the storage with four clients until the file `stop` is there. No client may repeat a call that has failed. Prints how
# often each has called.
WORKER = """
import json, os, pathlib, subprocess, sys, threading, time
import boto3, botocore.config

names = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"
pathlib.Path("endpoint.tmp").write_text(json.dumps([os.environ[name] for name in names]))
os.rename("endpoint.tmp", "endpoint")
url = os.environ["AWS_ENDPOINT_URL_S3"]
config = botocore.config.Config(retries={"total_max_attempts": 1})
s3 = boto3.client("s3", config=config)
s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "ru-central1"})
pathlib.Path("object").write_text("content")
rclone = f":s3,provider=Other,env_auth=true,no_check_bucket=true,region=ru-central1,endpoint='{url}':bucket"
calls = {}

def boto3_client():
    s3.put_object(Bucket="bucket", Key="boto3 +é", Body=b"content")
    assert s3.get_object(Bucket="bucket", Key="boto3 +é")["Body"].read() == b"content"
    time.sleep(0.2)

def command(*words):
    def run():
        ran = subprocess.run(words, capture_output=True, text=True)
        assert ran.returncode == 0, f"{words}: {ran}"
        time.sleep(0.2)
    return run

def repeat(name, call):
    while not os.path.exists("stop"):
        try:
            call()
        except BaseException as error:
            sys.stderr.write(f"FAILED {name}: {error}\\n")
            os._exit(1)
        calls[name] = calls.get(name, 0) + 1

clients = {
    "boto3": boto3_client,
    "aws": command("aws", "s3", "cp", "--quiet", "object", "s3://bucket/aws"),
    "s5cmd": command("s5cmd", "--retry-count", "0", "--endpoint-url", url, "cp", "object", "s3://bucket/s5cmd"),
    "rclone": command(
        "rclone", "--config", "", "--retries", "1", "--low-level-retries", "1", "copyto", "object", f"{rclone}/rclone"
    ),
}
threads = [threading.Thread(target=repeat, args=client) for client in clients.items()]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(calls))
"""


class Keys:
    """All keys that an endpoint serves, and the check of a storage that knows them."""

    def __init__(self, url, token):
        self.known = {}
        self._request = urllib.request.Request(url, headers={"Authorization": token})
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            with urllib.request.urlopen(self._request, timeout=5) as response:
                key = json.load(response)
            self.known[key["AccessKeyId"]] = key
        except urllib.error.URLError:
            # On a busy machine a renewal may take longer than a request waits. The clients then ask again.
            pass

    def _watch(self):
        while not self._stop.wait(0.2):
            self._read()

    def stop(self):
        self._stop.set()
        self._thread.join()

    def expired(self):
        return [key for key in self.known.values() if self._is_over(key)]

    @staticmethod
    def _is_over(key):
        # Python reads no more than six digits of a fraction.
        end = re.sub(r"(\.\d{6})\d*", r"\1", key["Expiration"]).replace("Z", "+00:00")
        return datetime.fromisoformat(end) <= datetime.now(timezone.utc)

    def refuse(self, environ):
        """The code of the error for a request that is not signed with a key that is valid."""
        scheme = r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/s3/aws4_request, ?SignedHeaders=([^,]+), ?Signature=(\w+)"
        signed = re.fullmatch(scheme, environ.get("HTTP_AUTHORIZATION", ""))
        if not signed:
            return "AccessDenied"
        key_id, date, region, names, signature = signed.groups()
        if key_id not in self.known:
            self._read()
        key = self.known.get(key_id)
        if key is None:
            return "InvalidAccessKeyId"
        if self._is_over(key):
            return "ExpiredToken"
        if environ.get("HTTP_X_AMZ_SECURITY_TOKEN") != key["Token"]:
            return "InvalidToken"
        expected = self._signature(environ, key["SecretAccessKey"], date, region, names)
        return None if hmac.compare_digest(expected, signature) else "SignatureDoesNotMatch"

    @staticmethod
    def _signature(environ, secret, date, region, names):
        """Source: S3 API Reference, "Authenticating Requests (AWS Signature Version 4)"."""
        def header(name):
            variable = name.upper().replace("-", "_")
            value = environ.get(variable if name.startswith("content-") and f"HTTP_{variable}" not in environ else f"HTTP_{variable}")
            return " ".join(value.split())

        target = urlsplit(environ["RAW_URI"])
        query = "&".join(sorted(part if "=" in part else f"{part}=" for part in target.query.split("&") if part))
        headers = "".join(f"{name}:{header(name)}\n" for name in names.split(";"))
        canonical = [environ["REQUEST_METHOD"], target.path, query, headers, names, header("x-amz-content-sha256")]
        scope = f"{date}/{region}/s3/aws4_request"
        digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        text = "\n".join(["AWS4-HMAC-SHA256", header("x-amz-date"), scope, digest])
        key = f"AWS4{secret}".encode()
        for part in [date, region, "s3", "aws4_request", text]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key.hex()


class Refresh(unittest.TestCase):
    def setUp(self):
        self.user = User(key_lifetime=LIFETIME)
        self.addCleanup(self.user.close)

    def test_clients_work_on_while_their_keys_expire(self):
        # Whatever is here is not used.
        self.user.write(".aws/credentials", "[default]\naws_access_key_id = OLD\naws_secret_access_key = OLD\n")
        self.user.write(".aws/config", "[default]\nregion = us-east-1\ncredential_process = false\nendpoint_url = http://x\n")
        worker = self.user.write("worker.py", WORKER)
        log = (self.user.home / "log").open("w")
        self.addCleanup(log.close)
        program = subprocess.Popen(
            ["yc-rs", "exec", "--refresh", "--min-ttl", "1s", "--debug", "--", CLIENTS / "python", worker],
            env=self.user.env | LEFT_OVER, cwd=self.user.home, stdout=subprocess.PIPE, stderr=log, text=True,
        )
        self.addCleanup(program.kill)
        started = time.monotonic()
        endpoint = self.user.home / "endpoint"
        while not endpoint.exists():
            self.assertIsNone(program.poll(), (self.user.home / "log").read_text())
            time.sleep(0.01)
        keys = Keys(*json.loads(endpoint.read_text()))
        self.user.storage.refuse = keys.refuse
        while len(keys.expired()) < EXPIRIES:
            self.assertIsNone(program.poll(), (self.user.home / "log").read_text())
            self.assertLess(time.monotonic() - started, 600)
            time.sleep(0.5)
        keys.stop()
        self.user.write("stop", "")
        calls = json.loads(program.communicate()[0])
        logged = (self.user.home / "log").read_text()
        self.assertEqual(program.returncode, 0, logged)
        self.assertEqual(set(calls), {"boto3", "aws", "s5cmd", "rclone"})
        # A renewal may have come after the last look.
        issues = len(re.findall(r"DEBUG: #1 POST \S+/ephemeralAccessKeys", logged))
        self.assertIn(issues - len(keys.known), [0, 1], logged)
        used = {key_id for key_id, _ in self.user.storage.seen}
        self.assertGreater(len(used), EXPIRIES)
        self.assertNotIn("OLD", used)
        self.assertNotIn("cannot be renewed", logged)
        report(f"S3 clients across {len(keys.expired())} expiries", 1, sum(calls.values()), time.monotonic() - started)


if __name__ == "__main__":
    unittest.main()
