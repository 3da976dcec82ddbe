"""A fleet of bsm-core beside botocove, in the same accounts, under the same limit of STS.

    cargo build --release --workspace --bins --example many_accounts
    pip install boto3 botocove
    python tests/peers/fleet.py target/release

It starts a local AWS with 5,000 accounts, of which every fiftieth denies the role, and 100 AssumeRole a second
in bursts of 100. The example `many_accounts` and botocove then ask each account who AWS takes them for. It
prints time, CPU time and peak memory of each, without those of the local AWS, and ends with 1 if a fleet of
5,000 accounts needs more than 1.3 times the memory of one of 500, or an account is left out.
"""

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

BIN = pathlib.Path(sys.argv[1]).resolve()
REGIONS = ["us-east-1", "eu-west-1", "ap-southeast-2"]
USER = "arn:aws:iam::999999999999:user/admin"
WORKERS = 64
COVE = """
import json, sys
from boto3 import Session
from botocove import cove

@cove(target_ids=sys.argv[1].split(), rolename="Work", assuming_session=Session(), thread_workers=int(sys.argv[3]),
      regions=sys.argv[2].split())
def ask(session):
    return session.client("sts").get_caller_identity()["Account"]

answer = ask()
print(len(answer["Results"]), "done,", len(answer["FailedAssumeRole"]), "without a session,", len(answer["Exceptions"]), "failed")
"""


def accounts(count: int) -> list:
    return [f"{number:012}" for number in range(1, count + 1)]


class World:
    def __init__(self, home: str) -> None:
        self.home = pathlib.Path(home)
        lines = ['[[account]]\nid = "999999999999"\nuser = [{ name = "admin", access_key_id = "AKIAADMIN", secret_access_key = "hush" }]\n']
        for number, account in enumerate(accounts(5_000)):
            trust = "" if number % 50 == 0 else f', trust = [{{ principals = ["{USER}"] }}]'
            lines.append(f'[[account]]\nid = "{account}"\nrole = [{{ name = "Work"{trust} }}]\n')
        layout = self.home / "layout.toml"
        layout.write_text("".join(lines))
        self.server = subprocess.Popen(
            [BIN / "bsm-local-aws", "--accounts", layout, "--aws-dir", self.home / ".aws"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.endpoint = self.server.stdout.readline().strip().split("=", 1)[1]

    def local(self, path: str, body: dict | None, method: str = "POST") -> object:
        request = urllib.request.Request(f"{self.endpoint}/_local/{path}", method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or "null")

    def limit(self) -> None:
        """Starts the limit of AssumeRole with a full allowance."""
        with contextlib.suppress(json.JSONDecodeError):
            self.local("faults", None, "DELETE")
        rate = {"per_second": 100.0, "burst": 100.0}
        self.local("faults", {"effect": "throttling", "operation": "AssumeRole", "above": rate})

    def run(self, name: str, command: list, count: int) -> tuple:
        """Runs a command to its end. Returns its time, CPU time, and peak memory in MB."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "AKIAADMIN",
            "AWS_SECRET_ACCESS_KEY": "hush",
            "AWS_REGION": REGIONS[0],
            "AWS_DEFAULT_REGION": REGIONS[0],  # botocore reads no other
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        self.limit()
        began = time.monotonic()
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        printed = process.stdout.read()
        _, _, usage = os.wait4(process.pid, 0)
        took = time.monotonic() - began
        cpu = usage.ru_utime + usage.ru_stime
        peak = usage.ru_maxrss / 1024
        print(
            f"{name}, {count} accounts x {len(REGIONS)} regions: {took:.1f} s, CPU {cpu:.1f} s, peak {peak:.0f} MB: "
            f"{printed.strip().splitlines()[-1]}",
            flush=True,
        )
        done = re.search(r"(\d+) done", printed)
        return took, cpu, peak, int(done[1]) if done else 0

    def fleet(self, count: int) -> tuple:
        listed = self.home / "accounts.txt"
        listed.write_text("\n".join(accounts(count)))
        program = [BIN / "examples" / "many_accounts", "--quiet", "--role", "Work", "--concurrency", str(WORKERS)]
        return self.run("bsm", [*program, listed, *REGIONS], count)

    def cove(self, count: int) -> tuple:
        command = [sys.executable, "-c", COVE, " ".join(accounts(count)), " ".join(REGIONS), str(WORKERS)]
        return self.run("botocove", command, count)


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        world = World(home)
        try:
            ours, theirs = world.fleet(200), world.cove(200)
            names = ("time", "CPU", "memory")
            print("botocove / bsm:", ", ".join(f"{name} {b / a:.1f}" for name, a, b in zip(names, ours, theirs)))
            small, large = world.fleet(500), world.fleet(5_000)
        finally:
            world.server.terminate()
            world.server.wait()
    ratio = large[2] / small[2]
    print(f"memory at 5,000 accounts / at 500: {ratio:.2f}")
    is_right = ratio <= 1.3 and all(
        done == len(REGIONS) * count * 49 // 50 for (*_, done), count in ((ours, 200), (small, 500), (large, 5_000))
    )
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
