"""One login of IAM Identity Center for `bsm`, the AWS CLI and boto3.

    cargo build --workspace --bins
    pip install awscli boto3
    python tests/peers/signing_in.py target/debug

It starts a local AWS. Each program signs in, uses the login of the others, renews the token of the others
and ends the login. If there is an AWS CLI of version 2, it also signs in. Then many processes find an
expired token at once, whose refresh token is good for one use. It prints one line for each case, and ends
with 1 if one fails; the AWS CLI's own processes are a control, and fail no run.
"""

import datetime
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import aws_cli

BIN = pathlib.Path(sys.argv[1]).resolve()
BSM = str(BIN / "bsm")
ACCOUNT = "111111111111"
LAYOUT = f"""
[[account]]
id = "{ACCOUNT}"

[identity_center]
session_name = "corp"
start_url = "https://corp.example.com/start"
one_time_refresh_tokens = true
assignment = [{{ account = "{ACCOUNT}", role = "Admin" }}]

[[profile]]
name = "admin"
sso_session = "corp"
sso_account_id = "{ACCOUNT}"
sso_role_name = "Admin"
region = "us-east-1"
"""
BOTO3 = [sys.executable, "-c", "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"]


class World:
    def __init__(self, home: str) -> None:
        self.home = pathlib.Path(home)
        layout = self.home / "layout.toml"
        layout.write_text(LAYOUT)
        self.server = subprocess.Popen(
            [str(BIN / "bsm-local-aws"), "--accounts", str(layout), "--aws-dir", str(self.home / ".aws")],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.endpoint = self.server.stdout.readline().strip().split("=", 1)[1]
        # An AWS CLI before 2.13 knows no variable for endpoints, but reads models of its user.
        for service, version in [("sso-oidc", "2019-06-10"), ("sso", "2019-06-10"), ("sts", "2011-06-15")]:
            folder = self.home / ".aws" / "models" / service / version
            folder.mkdir(parents=True)
            rules = {
                "version": "1.0",
                "parameters": {"Region": {"builtIn": "AWS::Region", "required": False, "documentation": "", "type": "String"}},
                "rules": [{"conditions": [], "endpoint": {"url": self.endpoint, "properties": {}, "headers": {}}, "type": "endpoint"}],
            }
            (folder / "endpoint-rule-set-1.json").write_text(json.dumps(rules))

    def environment(self) -> dict:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "AWS_PROFILE": "admin",
        }

    def start(self, command: list) -> subprocess.Popen:
        return subprocess.Popen(
            command, env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, command: list) -> str:
        process = self.start(command)
        output, _ = process.communicate(timeout=120)
        return output.strip()

    def sign_in(self, command: list) -> str:
        """Signs in, with somebody who allows it in a browser."""
        process = self.start(command)
        deadline = time.monotonic() + 60
        while process.poll() is None:
            self.local("devices", {"allow": True})
            time.sleep(0.1)
            if time.monotonic() > deadline:
                process.kill()
        return process.communicate()[0].strip()

    def local(self, path: str, body: dict | None = None) -> object:
        request = urllib.request.Request(f"{self.endpoint}/_local/{path}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "null")

    def calls(self, operation: str) -> int:
        return sum(call["operation"] == operation for call in self.local("calls"))

    def create_tokens(self) -> int:
        return self.calls("CreateToken")

    def issued(self) -> int:
        return self.calls("GetRoleCredentials")

    @property
    def token_file(self) -> pathlib.Path:
        name = hashlib.sha1(b"corp").hexdigest()
        return self.home / ".aws" / "sso" / "cache" / f"{name}.json"

    def expire_token(self) -> str:
        """Makes the token's time pass, and forgets the credentials that it was used for. Returns it."""
        token = json.loads(self.token_file.read_text())
        past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=1)
        token["expiresAt"] = past.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.token_file.write_text(json.dumps(token))
        shutil.rmtree(self.home / ".aws" / "cli", ignore_errors=True)
        return token["accessToken"]


def cases(world: World, clis: dict):
    """All cases, as a name and whether it went well, and what was printed."""
    asks = ["sts", "get-caller-identity", "--query", "Account", "--output", "text"]
    users = {"bsm": [BSM, "whoami", "--json"], "boto3": BOTO3}
    users.update({version: [program, *asks] for version, program in clis.items()})
    sign_ins = {"bsm": ([BSM, "login", "--device-code"], [BSM, "logout"])}
    for version, program in clis.items():
        if version.startswith("aws-cli/2"):
            login = [program, "sso", "login", "--no-browser"]
            # From then on, the default is an address for a browser on this machine.
            if tuple(map(int, version.split("/")[1].split("."))) >= (2, 22):
                login.append("--use-device-code")
            sign_ins[version] = (login, [program, "sso", "logout"])
    for name, (login, logout) in sign_ins.items():
        printed = world.sign_in(login)
        yield f"{name} signs in", world.token_file.exists(), printed
        yield f"{name}: mode of the token", world.token_file.stat().st_mode & 0o777 == 0o600, ""
        for user, command in users.items():
            printed = world.run(command)
            yield f"{user} uses the login of {name}", ACCOUNT in printed, printed
        for renewer, renew in users.items():
            before = world.expire_token()
            printed = world.run(renew)
            after = json.loads(world.token_file.read_text())["accessToken"]
            yield f"{renewer} renews the token", ACCOUNT in printed and after != before, printed
            for user, command in users.items():
                shutil.rmtree(world.home / ".aws" / "cli", ignore_errors=True)
                printed = world.run(command)
                yield f"{user} uses the token that {renewer} has renewed", ACCOUNT in printed, printed
        # The AWS CLI 1 and boto3 keep no credentials of SSO roles.
        caching = [user for user in users if user == "bsm" or user.startswith("aws-cli/2")]
        for first in caching:
            shutil.rmtree(world.home / ".aws" / "cli", ignore_errors=True)
            world.run(users[first])
            for second in caching:
                before = world.issued()
                printed = world.run(users[second])
                is_right = ACCOUNT in printed and world.issued() == before
                yield f"{second} uses the credentials that {first} has cached", is_right, printed
        printed = world.run(logout)
        yield f"{name} signs out", not world.token_file.exists(), printed
        printed = world.run([BSM, "whoami"])
        yield f"after {name} has signed out, bsm asks to sign in", "bsm login" in printed, printed


def together(world: World, count: int, command: list) -> tuple:
    """Runs processes on one expired token. Returns the number of CreateToken and of successes."""
    world.sign_in([BSM, "login", "--device-code"])
    world.expire_token()
    before = world.create_tokens()
    succeeded = []

    def one() -> None:
        if ACCOUNT in world.run(command):
            succeeded.append(1)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return world.create_tokens() - before, len(succeeded)


def killed(world: World, count: int) -> tuple:
    """As `together`, where the process that renews the token is killed once AWS has its request.

    Whether AWS has used the refresh token up by then is chance: either all others get a new token, or each
    of them says how to sign in.
    """
    world.sign_in([BSM, "login", "--device-code"])
    world.expire_token()
    before = world.create_tokens()
    world.local("faults", {"effect": {"latency": {"milliseconds": 3000}}, "operation": "CreateToken", "times": 1})
    holder = world.start([BSM, "whoami", "--json"])
    time.sleep(1)
    others = [world.start([BSM, "whoami", "--json"]) for _ in range(count)]
    time.sleep(0.5)
    holder.kill()
    printed = [other.communicate(timeout=120)[0] for other in others]
    holder.communicate()
    succeeded = sum(ACCOUNT in text for text in printed)
    asked = sum("bsm login" in text and other.returncode == 4 for text, other in zip(printed, others))
    return world.create_tokens() - before, succeeded, asked


def main() -> int:
    failed = 0
    clis = aws_cli.installed()
    with tempfile.TemporaryDirectory() as home:
        world = World(home)
        try:
            for name, is_right, printed in cases(world, clis):
                failed += not is_right
                print("ok    " if is_right else "FAILED", name, "" if is_right else printed[-400:], flush=True)
            for count in (8, 100):
                calls, succeeded = together(world, count, [BSM, "whoami", "--json"])
                is_right = (calls, succeeded) == (1, count)
                failed += not is_right
                print("ok    " if is_right else "FAILED", f"{count} bsm: {calls} CreateToken, {succeeded} succeed")
            calls, succeeded, asked = killed(world, 20)
            is_right = calls <= 2 and 20 in (succeeded, asked)
            failed += not is_right
            print(
                "ok    " if is_right else "FAILED",
                f"20 bsm, the one that renews killed: {calls} CreateToken, {succeeded} succeed, {asked} ask to sign in",
            )
            for version, program in clis.items():
                command = [program, "sts", "get-caller-identity", "--query", "Account", "--output", "text"]
                calls, succeeded = together(world, 8, command)
                print("control", f"8 {version}: {calls} CreateToken, {succeeded} succeed")
        finally:
            world.server.terminate()
            world.server.wait()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
