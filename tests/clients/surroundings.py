"""A user of the sandbox of yc-rs, with a storage of moto that records its requests."""

import os
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

TARGET = Path(os.environ["YC_RS_TARGET"])
CLIENTS = Path(os.environ["YC_RS_CLIENTS"])
# The share of the load that the tests run; tests/stress/run.sh sets it.
STRESS = float(os.environ.get("YC_RS_STRESS", "0.1"))
REPORTED = "YC_RS_STRESS" in os.environ


def scaled(full):
    """This share of a number; at least two compete."""
    return max(2, round(full * STRESS))


def report(what, processes, calls, seconds):
    """Prints the figures of a stress run, which the tests without one do not."""
    if REPORTED:
        print(f"{what:<46} {processes:>9} {calls:>9} {seconds:>9.1f}", flush=True)


class Quiet(MotoRequestHandler):
    def log(self, *_):
        pass


class Storage:
    """An S3 server on a free port. `seen` holds the key ID and the session token of each request.

    `refuse` may be set to a function that gets the environ of a request, and returns the code of an error or None.
    """

    def __init__(self):
        self.seen = []
        self.refuse = lambda _: None
        application = DomainDispatcherApplication(create_backend_app)

        def remembering(environ, start_response):
            authorization = environ.get("HTTP_AUTHORIZATION", "")
            key_id = re.search(r"Credential=([^/]+)/\d+/ru-central1/s3/", authorization)
            self.seen.append((key_id and key_id[1], environ.get("HTTP_X_AMZ_SECURITY_TOKEN")))
            if code := self.refuse(environ):
                start_response("403 Forbidden", [("Content-Type", "application/xml")])
                return [f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()]
            return application(environ, start_response)

        self._server = make_server("127.0.0.1", 0, remembering, threaded=True, request_handler=Quiet)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()


class User:
    """A home directory, the sandbox, a storage, and an environment made from scratch."""

    def __init__(self, key_lifetime=None):
        """`key_lifetime` is the longest lifetime of an ephemeral key in seconds."""
        self.home = Path(tempfile.mkdtemp(prefix="yc-rs-clients-"))
        self.storage = Storage()
        env = os.environ | ({"SANDBOX_KEY_LIFETIME": str(key_lifetime)} if key_lifetime else {})
        sandbox = [TARGET / "examples" / "sandbox"]
        self._sandbox = subprocess.Popen(sandbox, stdout=subprocess.PIPE, text=True, env=env)
        self.env = {
            "PATH": f"{TARGET}:{CLIENTS}:/usr/bin:/bin",
            "HOME": str(self.home),
            "USER": "tester",
            "AWS_EC2_METADATA_DISABLED": "true",
            "YC_ENDPOINT_URL_STORAGE": self.storage.url,
        }
        for line in self._sandbox.stdout:
            if variable := re.fullmatch(r"export (\w+)='(.*)'\n", line):
                self.env[variable[1]] = variable[2]
            if "SANDBOX_TOKEN" in line:
                break
        self.env.pop("CURL_CA_BUNDLE", None)
        # The storage of the sandbox knows uploads of the simplest kind only.
        self.env["YC_ENDPOINT_URL_STORAGE"] = self.storage.url

    def close(self):
        self._sandbox.stdout.close()
        self._sandbox.terminate()
        self._sandbox.wait()
        self.storage.stop()
        shutil.rmtree(self.home)

    def run(self, *command, **more_env):
        """Runs a command and returns its output; one that fails, or says anything else, fails the test."""
        ran = subprocess.run(
            [str(word) for word in command], env=self.env | more_env, cwd=self.home, capture_output=True, text=True
        )
        assert ran.returncode == 0 and not ran.stderr, f"{command}: {ran}"
        return ran.stdout

    def write(self, name, text):
        path = self.home / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
        return path
