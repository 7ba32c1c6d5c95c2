"""A rotation of the key that a client of boto3 works with."""

import os
import re
import subprocess
import threading
import unittest
from unittest.mock import patch

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from surroundings import User

FILE = ".aws/credentials"


class Rotation(unittest.TestCase):
    def setUp(self):
        self.user = User()
        self.addCleanup(self.user.close)
        # The storage accepts the keys that IAM knows.
        self.user.storage.refuse = self.refuse
        self.yc("create", "--service-account-name", "backup", "--aws-profile", "p")

    def yc(self, *arguments):
        command = ["yc-rs", "iam", "access-key", *arguments]
        ran = subprocess.run(command, env=self.user.env, capture_output=True, text=True, cwd=self.user.home)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return ran.stdout

    def key_ids(self):
        return self.yc("list", "--service-account-name", "backup", "--jq", ".[].key_id").split()

    def refuse(self, environ):
        key_id = re.search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        return None if key_id and key_id[1] in self.key_ids() else "InvalidAccessKeyId"

    def client(self):
        """A client that reads the profile now, as a program does when it starts."""
        with patch.dict(os.environ, AWS_SHARED_CREDENTIALS_FILE=str(self.user.home / FILE)):
            session = boto3.Session(profile_name="p")
            return session.client("s3", endpoint_url=self.user.storage.url, config=Config(retries={"max_attempts": 1}))

    def old_id(self, key_id):
        return self.yc("get", "--key-id", key_id, "--service-account-name", "backup", "--jq", ".id").strip()

    def test_clients_work_on_through_a_rotation_and_the_old_key_ends_with_it(self):
        old = self.client()
        old.create_bucket(Bucket="rotation", CreateBucketConfiguration={"LocationConstraint": "ru-central1"})
        old_key_id = re.search(r"aws_access_key_id *= *(.*)", (self.user.home / FILE).read_text())[1]
        resource_id = self.old_id(old_key_id)

        done, failures = threading.Event(), []

        def work():
            while not done.is_set():
                try:
                    old.put_object(Bucket="rotation", Key="old", Body=b"x")
                    self.client().put_object(Bucket="rotation", Key="new", Body=b"x")
                except ClientError as error:
                    failures.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        self.yc("rotate", resource_id, "--aws-profile", "p", "--keep-old")
        done.set()
        worker.join()
        self.assertEqual(failures, [])
        self.assertEqual(len([key for key in self.key_ids() if key == old_key_id]), 1)

        self.client().put_object(Bucket="rotation", Key="after", Body=b"x")
        old.put_object(Bucket="rotation", Key="after", Body=b"x")
        self.yc("delete", resource_id)
        self.client().put_object(Bucket="rotation", Key="last", Body=b"x")
        with self.assertRaisesRegex(ClientError, "InvalidAccessKeyId"):
            old.put_object(Bucket="rotation", Key="last", Body=b"x")


if __name__ == "__main__":
    unittest.main()
