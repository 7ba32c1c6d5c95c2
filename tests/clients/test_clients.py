"""The AWS CLI and boto3 with keys of yc-rs, in every way in which they are delivered."""

import json
import subprocess
import time
import unittest
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from unittest.mock import patch

import botocore.credentials
import botocore.session

from surroundings import CLIENTS, User, report, scaled

ISSUE = "yc-rs iam access-key issue-ephemeral"


class Clients(unittest.TestCase):
    def setUp(self):
        self.user = User()
        self.addCleanup(self.user.close)

    def config(self, duration="1h"):
        """Has the profile default get its keys from yc-rs, which leaves them in the file `issued` too."""
        self.user.write("duration", duration)
        script = f'{ISSUE} --export process --duration "$(cat {self.user.home}/duration)" | tee -a {self.user.home}/issued'
        process = self.user.write("process.sh", script + "\n")
        self.user.write(
            ".aws/config",
            f"[default]\nregion = ru-central1\nendpoint_url = {self.user.storage.url}\ncredential_process = sh {process}\n",
        )

    def issued(self):
        return [json.loads(line) for line in (self.user.home / "issued").read_text().splitlines()]

    def bucket_put_get(self, *aws, **env):
        """Makes a bucket, puts and gets an object and lists both."""
        # Whatever the address, moto has one set of buckets.
        bucket = f"bucket-{uuid.uuid4()}"
        self.user.write("object", "content\n")
        self.user.run(*aws, "s3", "mb", f"s3://{bucket}", **env)
        self.user.run(*aws, "s3", "cp", "--quiet", "object", f"s3://{bucket}/key", **env)
        self.assertIn(bucket, self.user.run(*aws, "s3", "ls", **env))
        self.assertIn("key", self.user.run(*aws, "s3", "ls", f"s3://{bucket}", **env))
        self.assertEqual(self.user.run(*aws, "s3", "cp", f"s3://{bucket}/key", "-", **env), "content\n")

    def assert_all_signed(self, key_id=None, token=None):
        """Every request was signed with an ephemeral key, all of them with this one if it is given."""
        self.assertGreater(len(self.user.storage.seen), 0)
        for seen_id, seen_token in self.user.storage.seen:
            self.assertRegex(seen_id, "^aje" if key_id is None else f"^{key_id}$")
            self.assertTrue(seen_token.startswith("s1.") if token is None else seen_token == token)

    def test_the_sandbox_stores_what_a_first_user_uploads(self):
        env = {
            "YC_ENDPOINT_URL_STORAGE": self.user.env["YC_ENDPOINT_URL_IAM"],
            "AWS_CA_BUNDLE": self.user.env["YC_CA_BUNDLE"],
        }
        aws = ["yc-rs", "exec", "--service-account-name", "backup", "--duration", "1h", "--", "aws"]
        self.bucket_put_get(*aws, **env)
        self.assertEqual(self.user.storage.seen, [])

    def test_credential_process(self):
        self.config()
        self.bucket_put_get("aws")
        self.assert_all_signed()
        pairs = {(key["AccessKeyId"], key["SessionToken"]) for key in self.issued()}
        self.assertLessEqual(set(self.user.storage.seen), pairs)

    def test_credential_process_with_keys_of_sts(self):
        created = json.loads(self.user.run("yc-rs", "iam", "access-key", "create", "--format", "json"))
        self.user.write("secret", created["secret"])
        command = (
            f"yc-rs sts assume-role --export process --access-key-id {created['access_key']['key_id']} "
            f"--secret-access-key-file {self.user.home}/secret"
        )
        self.user.write(
            ".aws/config",
            f"[default]\nregion = ru-central1\nendpoint_url = {self.user.storage.url}\ncredential_process = {command}\n",
        )
        self.bucket_put_get("aws")
        self.assert_all_signed(key_id=created["access_key"]["key_id"])

    def test_exec(self):
        self.bucket_put_get(*ISSUE.replace("issue-ephemeral", "exec").split(), "--duration", "15m", "--", "aws")
        self.assert_all_signed()

    def test_exec_removes_competing_variables(self):
        self.user.write(".aws/config", "[profile other]\nregion = us-east-1\n")
        self.bucket_put_get(
            *ISSUE.replace("issue-ephemeral", "exec").split(),
            "--",
            "aws",
            AWS_PROFILE="other",
            AWS_ENDPOINT_URL="http://127.0.0.1:9",
            AWS_SESSION_TOKEN="stale",
            AWS_ROLE_ARN="arn:aws:iam::123456789012:role/x",
        )
        self.assert_all_signed()

    def test_aws_profile(self):
        self.user.write(".aws/credentials", "# mine\n[other]\naws_access_key_id = x\n")
        self.assertEqual(self.user.run(*ISSUE.split(), "--duration", "1h", "--aws-profile", "yc"), "")
        self.bucket_put_get("aws", "--profile", "yc")
        text = (self.user.home / ".aws/credentials").read_text()
        self.assertTrue(text.startswith("# mine\n[other]\naws_access_key_id = x\n\n[yc]\n"), text)
        profile = dict(line.split(" = ") for line in text.split("[yc]\n")[1].splitlines())
        self.assert_all_signed(profile["aws_access_key_id"], profile["aws_session_token"])

        self.user.storage.seen.clear()
        self.user.run(*ISSUE.split(), "--duration", "1h", "--aws-profile", "yc")
        self.user.run("aws", "--profile", "yc", "s3", "ls")
        self.assertNotEqual(self.user.storage.seen[0][0], profile["aws_access_key_id"])

    def test_eval_of_variables(self):
        for form in ["env", "env-no-export"]:
            export = "set -a; " if form == "env-no-export" else ""
            script = f'c=$({ISSUE} --duration 1h --export {form}) && {export}eval "$c" && aws s3 ls && echo "$AWS_ACCESS_KEY_ID"'
            key_id = self.user.run("sh", "-c", script).splitlines()[-1]
            self.assert_all_signed(key_id=key_id)
            self.user.storage.seen.clear()

    def test_dotenv(self):
        self.user.write("env", self.user.run(*ISSUE.split(), "--export", "dotenv"))
        script = "while IFS= read -r line; do export \"$line\"; done < env; aws s3 ls"
        self.user.run("sh", "-c", script)
        self.assert_all_signed()

    def session(self):
        env = {"AWS_CONFIG_FILE": str(self.user.home / ".aws/config"), "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}
        replaced = patch.dict("os.environ", self.user.env | env, clear=True)
        replaced.start()
        self.addCleanup(replaced.stop)
        return botocore.session.Session()

    def test_botocore_refreshes_across_an_expiry(self):
        self.config(duration="16m")
        session = self.session()
        credentials = session.get_credentials()
        self.assertIsInstance(credentials, botocore.credentials.RefreshableCredentials)
        s3 = session.create_client("s3")
        s3.list_buckets()
        first = credentials.get_frozen_credentials()
        self.assertEqual(len(self.issued()), 1, "16 minutes are enough not to ask again")

        # By the clock of botocore the key has expired. The next one has a longer lifetime, since the clock of yc-rs stays behind.
        self.user.write("duration", "12h")
        now = botocore.credentials._local_now
        credentials._time_fetcher = lambda: now() + timedelta(hours=1)
        for _ in range(3):
            s3.list_buckets()
        second = credentials.get_frozen_credentials()
        self.assertNotEqual(first, second)
        self.assertEqual(len(self.issued()), 2)
        keys = [(key.access_key, key.token) for key in [first, second]]
        self.assertEqual(self.user.storage.seen, [keys[0], keys[1], keys[1], keys[1]])

    def test_threads_and_processes_issue_one_key_a_refresh(self):
        started = time.monotonic()
        self.config(duration="20m")
        count = scaled(20)
        sessions = [self.session()] + [botocore.session.Session() for _ in range(count - 1)]
        process = "import botocore.session as b; print(b.Session().get_credentials().get_frozen_credentials().access_key)"

        def keys():
            """The IDs of the keys that all of them hold when they ask at the same time."""
            command = [CLIENTS / "python", "-c", process]
            processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
            with ThreadPoolExecutor(count) as threads:
                frozen = list(threads.map(lambda s: s.get_credentials().get_frozen_credentials(), sessions))
            return {key.access_key for key in frozen} | {ran.communicate()[0].strip() for ran in processes}

        first = keys()
        self.assertEqual(len(first), 1)

        # By the clock of botocore the key has expired for all of them.
        self.user.write("duration", "12h")
        now = botocore.credentials._local_now
        for session in sessions:
            session.get_credentials()._time_fetcher = lambda: now() + timedelta(hours=1)
        second = keys()
        self.assertEqual(len(second), 1)
        self.assertEqual({key["AccessKeyId"] for key in self.issued()}, first | second)
        self.assertNotEqual(first, second)
        report("botocore in threads and processes", 2 * count, len(first | second), time.monotonic() - started)

    def test_botocore_asks_again_and_again_for_less_than_15_minutes(self):
        """Why a cached key has a minimum remaining lifetime of 16 minutes."""
        key = json.loads(self.user.run(*ISSUE.split(), "--duration", "15m", "--format", "json"))
        document = {
            "Version": 1,
            "AccessKeyId": key["access_key_id"],
            "SecretAccessKey": key["secret"],
            "SessionToken": key["session_token"],
            "Expiration": key["expires_at"],
        }
        count = self.user.home / "count"
        response = self.user.write("response", json.dumps(document))
        process = self.user.write("process.sh", f"echo >> {count}; cat {response}\n")
        self.user.write(".aws/config", f"[default]\ncredential_process = sh {process}\n")
        credentials = self.session().get_credentials()
        for _ in range(2):
            credentials.get_frozen_credentials()
        self.assertEqual(len(count.read_text().splitlines()), 3)


if __name__ == "__main__":
    unittest.main()
