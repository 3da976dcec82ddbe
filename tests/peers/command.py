"""Runs the AWS CLI and boto3 with the credentials that the command `bsm` gives them.

    cargo build --workspace --bins
    pip install awscli boto3
    python tests/peers/command.py target/debug

It starts a local AWS, and a home directory whose `[default]` has the keys of another account: a client
that takes those prints the wrong account. It prints one line for each way, and for an AWS CLI that is not
installed, and ends with 1 if one fails.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import time

import aws_cli

BIN = pathlib.Path(sys.argv[1]).resolve()
BSM = str(BIN / "bsm")
WRONG, RIGHT = "111111111111", "222222222222"

BOTO3 = [
    sys.executable,
    "-c",
    "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])",
]
# One client that works on while its credentials expire: three calls, with three sets of keys.
BOTO3_LONG = [
    sys.executable,
    "-c",
    textwrap.dedent(
        """
        import boto3, time
        sts = boto3.client("sts")
        accounts, keys = set(), set()
        for _ in range(3):
            accounts.add(sts.get_caller_identity()["Account"])
            keys.add(sts._request_signer._credentials.get_frozen_credentials().access_key)
            time.sleep(4)
        assert len(keys) == 3, keys
        print(*accounts)
        """
    ),
]


class World:
    def __init__(self, home: str) -> None:
        self.home = pathlib.Path(home)
        self.server = subprocess.Popen(
            [str(BIN / "bsm-local-aws"), "--aws-dir", str(self.home / ".aws")],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.endpoint = self.server.stdout.readline().strip().split("=", 1)[1]
        # Keys that seem to expire in 2 seconds: every use of them needs new ones.
        script = self.home / "expiring.py"
        script.write_text(
            textwrap.dedent(
                f"""
                import datetime, json, subprocess
                args = [{BSM!r}, "export", "-p", "staging", "--no-cache"]
                keys = json.loads(subprocess.run(args, capture_output=True, check=True).stdout)
                soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
                keys["Expiration"] = soon.strftime("%Y-%m-%dT%H:%M:%SZ")
                print(json.dumps(keys))
                """
            )
        )
        with open(self.home / ".aws" / "config", "a") as config:
            config.write(
                f"[profile through-bsm]\nregion = us-east-1\nendpoint_url = {self.endpoint}\n"
                f"credential_process = {BSM} credential-process -p staging\n"
                f"[profile expiring]\nregion = us-east-1\nendpoint_url = {self.endpoint}\n"
                f"credential_process = {sys.executable} {script}\n"
            )

    def environment(self, **more: str) -> dict:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            **more,
        }

    def run(self, command: list, **environment: str) -> str:
        ran = subprocess.run(
            command,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=120,
        )
        return ran.stdout.strip() if ran.returncode == 0 else ran.stdout + ran.stderr


def ways(world: World):
    """All ways, as a name and what the client printed."""
    asks = ["sts", "get-caller-identity", "--query", "Account", "--output", "text"]
    clients = {version: [program, *asks] for version, program in aws_cli.installed().items()}
    clients["boto3"] = BOTO3
    served = subprocess.Popen(
        [BSM, "serve", "staging", "--json"],
        env=world.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    announced = ""
    while not announced.endswith("]\n"):
        announced += served.stdout.readline()
    [variables] = json.loads(announced)
    # A client takes keys in [default] before it asks a server.
    empty = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
    try:
        for name, client in clients.items():
            yield f"{name}, the poisoned default", world.run(client), WRONG
            yield f"{name}, exec", world.run([BSM, "exec", "-p", "staging", "--", *client]), RIGHT
            yield f"{name}, exec --server", world.run([BSM, "exec", "--server", "-p", "staging", "--", *client]), RIGHT
            yield f"{name}, credential-process", world.run(client, AWS_PROFILE="through-bsm"), RIGHT
            yield f"{name}, serve, container", world.run(client, **empty, **variables["container"]), RIGHT
            metadata = {**variables["metadata"], "AWS_EC2_METADATA_DISABLED": "false"}
            yield f"{name}, serve, metadata", world.run(client, **empty, **metadata), RIGHT
        long = [BSM, "exec", "--server", "-p", "expiring", "--", *BOTO3_LONG]
        yield "boto3, exec --server across expiries", world.run(long), RIGHT
        start = time.monotonic()
        for _ in range(20):
            world.run([BSM, "credential-process", "-p", "staging"])
        yield f"credential-process from a warm cache: {(time.monotonic() - start) * 50:.1f} ms", RIGHT, RIGHT
    finally:
        served.terminate()
        served.wait()


def main() -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as home:
        world = World(home)
        try:
            for name, printed, expected in ways(world):
                is_right = printed == expected
                failed += not is_right
                print("ok    " if is_right else "FAILED", name, "" if is_right else printed[-400:])
        finally:
            world.server.terminate()
            world.server.wait()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
