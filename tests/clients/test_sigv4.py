"""Our signatures against those of botocore."""

import json
import random
import subprocess
import unittest
from datetime import datetime, timezone
from unittest.mock import patch

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from surroundings import TARGET

TEXT = "abcXYZ019-_.~ !\"$&'()*+,/:;<=>@[]^`{|}жé漢😀%"
PATH = "ab9-_.~/!$&'()*+,;=:@%ж/."
HEADER = "abc XYZ\t  ,;=\"'()/:"


def text(rng, alphabet, longest):
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(longest)))


def random_request(rng):
    names = ["host", "x-amz-meta-a", "X-Amz-Security-Token", "Content-Type", "x-amz-meta-b"]
    headers = [("host", "h.example.com")]
    headers += [(rng.choice(names[1:]), text(rng, HEADER, 12)) for _ in range(rng.randrange(5))]
    return {
        "method": rng.choice(["GET", "POST", "PUT", "DELETE", "HEAD"]),
        "path": "/" + text(rng, PATH, 16),
        "query": [(text(rng, TEXT, 6), text(rng, TEXT, 6)) for _ in range(rng.randrange(5))],
        "headers": headers,
        "body": text(rng, TEXT + "\n\0", 40),
        "key_id": "YCAJE" + text(rng, "abcXYZ019_-", 20),
        "secret": "YC" + text(rng, TEXT, 40),
        "region": rng.choice(["ru-central1", "us-east-1"]),
        "service": rng.choice(["sts", "iam", "execute-api"]),
        "time": datetime.fromtimestamp(rng.randrange(2_000_000_000), timezone.utc).isoformat(),
    }


def by_botocore(request):
    signed = AWSRequest(
        method=request["method"],
        url="https://h.example.com" + request["path"],
        params=request["query"],
        data=request["body"].encode(),
    )
    for name, value in request["headers"]:
        signed.headers.add_header(name, value)
    credentials = Credentials(request["key_id"], request["secret"])
    now = datetime.fromisoformat(request["time"])
    with patch.object(botocore.auth, "get_current_datetime", lambda: now.replace(tzinfo=None)):
        botocore.auth.SigV4Auth(credentials, request["service"], request["region"]).add_auth(signed)
    return signed.headers["Authorization"]


class Signatures(unittest.TestCase):
    def test_ten_thousand_random_requests_are_signed_as_by_botocore(self):
        rng = random.Random(20260101)
        requests = [random_request(rng) for _ in range(10_000)]
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        ran = subprocess.run([TARGET / "examples" / "sign"], input=lines, capture_output=True, text=True, check=True)
        ours = ran.stdout.splitlines()
        self.assertEqual(len(ours), len(requests))
        for request, authorization in zip(requests, ours):
            self.assertEqual(authorization, by_botocore(request), request)


if __name__ == "__main__":
    unittest.main()
