"""The AWS credentials file as botocore reads it, before and after yc-rs has written a profile."""

import random
import subprocess
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from botocore.configloader import raw_config_parse
from botocore.exceptions import ConfigParseError

from surroundings import User, report, scaled

KEYS = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"]


def random_file(rng):
    """A file that mostly is one that botocore reads."""
    lines = []
    indent = rng.choice(["", "", "  "])
    for name in rng.sample(["p", "default", "q", "P", "profile x", "a.b-c"], rng.randrange(4)):
        # SDKs disagree on an indented header, and on one with a comment; yc-rs refuses them for the profile it writes.
        lines.append(f"[{name}]" + rng.choice(["", " ", " # note" if name != "p" else ""]))
        for key in rng.sample([*KEYS, "region", "AWS_SESSION_TOKEN"[: rng.choice([17, 0])] or "x", "s3"], rng.randrange(5)):
            lines.append(f"{indent}{key}{rng.choice(['=', ' = ', ': '])}{rng.choice(['v', 'a b', 'a#b', ''])}")
            if rng.random() < 0.2:
                lines.append(f"{indent}   nested = [p]")
            if rng.random() < 0.2:
                lines.append(rng.choice(["", "# note", "  ; note", "# [p]"]))
    end = rng.choice(["\n", "\r\n"])
    return end.join(lines) + rng.choice([end, ""])


def parsed(path):
    try:
        return raw_config_parse(str(path), parse_subsections=False)
    except ConfigParseError:
        return None


class CredentialsFile(unittest.TestCase):
    def test_other_profiles_stay_as_they_are_for_botocore(self):
        rng = random.Random(20260101)
        user = User()
        self.addCleanup(user.close)
        started = time.monotonic()
        files = [random_file(rng) for _ in range(scaled(300))]

        def write(number):
            path = user.write(f"f{number}", "")
            path.write_bytes(files[number].encode())
            before = parsed(path)
            ran = subprocess.run(
                ["yc-rs", "iam", "access-key", "issue-ephemeral", "--aws-profile", "p", "--aws-credentials-file", path],
                env=user.env,
                capture_output=True,
                text=True,
            )
            return number, path, before, ran

        written = checked = 0
        with ThreadPoolExecutor(4) as pool:
            for number, path, before, ran in pool.map(write, range(len(files))):
                if ran.returncode != 0:
                    self.assertEqual((ran.returncode, path.read_bytes()), (2, files[number].encode()), ran)
                    self.assertIsNone(before, f"{files[number]!r}: {ran.stderr}")
                    continue
                written += 1
                if before is None:
                    continue
                after = parsed(path)
                self.assertIsNotNone(after, f"{files[number]!r} {path.read_text()!r}")
                profile = after.pop("p")
                old = before.pop("p", None)
                self.assertEqual(after, before, files[number])
                self.assertTrue(profile["aws_session_token"].startswith("s1."))
                rest = {key: value for key, value in profile.items() if key not in KEYS}
                if old is None:
                    self.assertEqual(sorted(rest), ["endpoint_url", "region"])
                else:
                    self.assertEqual(rest, {key: value for key, value in old.items() if key not in KEYS})
                checked += 1
        self.assertGreater(checked, len(files) * 2 // 3)
        report("AWS credentials files that botocore reads", len(files), written, time.monotonic() - started)


if __name__ == "__main__":
    unittest.main()
