"""boto3 and the AWS CLI use exactly the key of yc-rs and its token, whatever was there before."""

import subprocess
import unittest
from pathlib import Path

from surroundings import CLIENTS, User

DATA = Path(__file__).parent.parent / "data"
ISSUE = "yc-rs iam access-key issue-ephemeral --duration 1h".split()
CREATE = "yc-rs iam access-key create".split()
EXEC = "yc-rs iam access-key exec --duration 1h --".split()

# What another program, or an earlier key, may have left in the environment.
LEFT_OVER = {
    "AWS_PROFILE": "other",
    "AWS_DEFAULT_PROFILE": "other",
    "AWS_SECURITY_TOKEN": "OLD",
    "AWS_SESSION_TOKEN": "OLD",
    "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
    "AWS_ACCESS_KEY_ID": "OLD",
    "AWS_SECRET_ACCESS_KEY": "OLD",
    "AWS_ACCESS_KEY": "OLD",
    "AWS_SECRET_KEY": "OLD",
}


def data(name):
    return (DATA / name).read_text()


class NoMixedCredentials(unittest.TestCase):
    def setUp(self):
        self.user = User()
        self.addCleanup(self.user.close)

    def list_buckets(self, *arguments):
        """The commands by which the two clients list buckets."""
        profile = f"profile_name={arguments[1]!r}" if arguments else ""
        script = f"import boto3; boto3.Session({profile}).client('s3').list_buckets()"
        return [["aws", *arguments, "s3", "ls"], [CLIENTS / "python", "-c", script]]

    def seen(self):
        """What the storage has seen since the last call; both clients sent the same."""
        seen, self.user.storage.seen[:] = set(self.user.storage.seen), []
        self.assertEqual(len(seen), 1, seen)
        return seen.pop()

    def profile(self):
        """The key and the token in the profile p, read without an AWS client."""
        lines = (self.user.home / ".aws/credentials").read_text().split("[p]\n")[1].splitlines()
        values = dict(map(str.strip, line.split("=", 1)) for line in lines if "=" in line)
        return values["aws_access_key_id"], values.get("aws_session_token")

    def configure(self, more=""):
        text = f"[profile p]\nregion = ru-central1\nendpoint_url = {self.user.storage.url}\n{more}"
        self.user.write(".aws/config", text)

    def test_a_profile_has_the_key_and_nothing_of_what_was_there(self):
        self.configure()
        for before in [
            data("F1-security-token.credentials"),
            "[p]\naws_access_key_id = OLDID ; backup\naws_secret_access_key = OLDSECRET # rotated\n",
            "[p]\naws_session_token =\nAWS_SECURITY_TOKEN = OLD\n  OLD\n",
            "[DEFAULT]\naws_access_key_id = OLD\naws_secret_access_key = OLD\n[p]\n",
            "[default]\naws_access_key_id = OLD\naws_secret_access_key = OLD\naws_session_token = OLD\n",
            "",
        ]:
            self.user.write(".aws/credentials", before)
            for command in [ISSUE, CREATE, ISSUE]:
                self.assertEqual(self.user.run(*command, "--aws-profile", "p"), "")
                key_id, token = self.profile()
                self.assertEqual((key_id != "OLDID", token is None), (True, command is CREATE))
                for client in self.list_buckets("--profile", "p"):
                    self.user.run(*client)
                self.assertEqual(self.seen(), (key_id, token), before)

    def test_credentials_of_sts_replace_a_static_key_in_its_own_profile(self):
        self.configure()
        self.user.run(*CREATE, "--aws-profile", "p")
        static = self.profile()
        self.user.run("yc-rs", "sts", "assume-role", "--source-aws-profile", "p", "--aws-profile", "p")
        self.assertEqual((self.profile()[0], self.profile()[1] is None), (static[0], False))
        for client in self.list_buckets("--profile", "p"):
            self.user.run(*client)
        self.assertEqual(self.seen(), self.profile())

    def refused(self, name, credentials, config):
        """Nothing is written where one of the clients would use another credential, or find no profile."""
        self.user.write(".aws/credentials", credentials)
        self.configure()
        if config:
            self.user.write(".aws/config", config)
        for command in [ISSUE, CREATE]:
            ran = subprocess.run(
                [*command, "--aws-profile", "p"], env=self.user.env, cwd=self.user.home, capture_output=True, text=True
            )
            self.assertEqual((ran.returncode, ran.stdout), (2, ""), name)
            self.assertIn(" line", ran.stderr)
            self.assertEqual((self.user.home / ".aws/credentials").read_text(), credentials)

    def test_a_profile_that_the_clients_would_not_use_is_refused(self):
        for name in ["F2-header-inner-space.credentials", "F2-header-comment-with-bracket.credentials"]:
            self.refused(name, data(name), "")
        for name in ["F3-sso.config", "F3-role.config"]:
            self.refused(name, "", data(name))
        self.refused("token in DEFAULT", "[DEFAULT]\naws_security_token = OLD\n", "")
        self.refused("token in DEFAULT", "", "[DEFAULT]\naws_session_token = OLD\n")
        self.refused("key twice", "[p]\naws_access_key_id = A\nAWS_ACCESS_KEY_ID = B\n", "")
        self.refused("role", "[p]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = q\n", "")

    def evaluate(self, form, command):
        """The key and the token that the clients use in a shell that has evaluated the output of a command."""
        for client in self.list_buckets():
            words = " ".join(f"'{word}'" if " " not in str(word) else f'"{word}"' for word in client)
            automatic = "set -a; " if form == "env-no-export" else ""
            script = f'c=$({" ".join(command)} --export {form}) && {automatic}eval "$c" && {words} && echo "$AWS_ACCESS_KEY_ID $AWS_SESSION_TOKEN"'
            printed = self.user.run("sh", "-c", script, **LEFT_OVER).splitlines()[-1]
            key_id, _, token = printed.partition(" ")
            self.assertEqual(self.seen(), (key_id, token or None), form)
            self.assertNotIn("OLD", printed)

    def test_eval_leaves_no_credential_of_the_environment(self):
        self.user.write(".aws/credentials", "[other]\naws_access_key_id = OLD\naws_secret_access_key = OLD\n")
        self.user.write(".aws/config", "[default]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = other\n")
        for form in ["env", "env-no-export"]:
            for command in [ISSUE, CREATE]:
                self.evaluate(form, command)

    def test_exec_leaves_no_credential_of_the_environment_and_no_other_endpoint(self):
        self.user.write(".aws/credentials", "[default]\naws_access_key_id = OLD\naws_secret_access_key = OLD\n")
        for config in [data("F5-default-ignore-endpoints.config"), "[default]\nuse_dualstack_endpoint = true\n"]:
            self.user.write(".aws/config", config)
            for client in self.list_buckets():
                both = [*EXEC, "sh", "-c", '"$@" && echo "$AWS_ACCESS_KEY_ID $AWS_SESSION_TOKEN"', "-", *client]
                printed = self.user.run(*both, **LEFT_OVER).splitlines()[-1]
                self.assertEqual(" ".join(self.seen()), printed)
                self.assertNotIn("OLD", printed)

    def test_a_later_step_of_github_actions_has_the_key_of_the_last_step_that_issued_one(self):
        for before in [{}, {"AWS_SECURITY_TOKEN": "OLD"}, {"AWS_SESSION_TOKEN": "OLD"}]:
            file = self.user.write("github_env", "")
            steps = {"GITHUB_ENV": str(file), "GITHUB_ACTIONS": "true"}
            for command in [ISSUE, CREATE, ISSUE]:
                # A step has the variables of the job, and of the file after the steps before it.
                written = dict(line.split("=", 1) for line in file.read_text().splitlines())
                self.user.run(*command, "--export", "github-actions", **(before | steps | written))
                written = dict(line.split("=", 1) for line in file.read_text().splitlines())
                for client in self.list_buckets():
                    self.user.run(*client, **(before | written))
                token = written["AWS_SESSION_TOKEN"] or None
                self.assertEqual(self.seen(), (written["AWS_ACCESS_KEY_ID"], token))
                self.assertEqual(token is None, command is CREATE)

    def test_dotenv_leaves_no_token_of_an_earlier_key(self):
        environment = {"AWS_SESSION_TOKEN": "OLD", "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}
        for command in [ISSUE, CREATE]:
            printed = self.user.run(*command, "--export", "dotenv").splitlines()
            variables = dict(line.split("=", 1) for line in printed)
            for client in self.list_buckets():
                self.user.run(*client, **(environment | variables))
            self.assertEqual(self.seen(), (variables["AWS_ACCESS_KEY_ID"], variables["AWS_SESSION_TOKEN"] or None))


if __name__ == "__main__":
    unittest.main()
