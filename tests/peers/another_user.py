"""What another user of this machine gets from the server of `bsm exec --server`.

    cargo build --workspace --bins
    python tests/peers/another_user.py target/debug

It becomes another user, so it needs root, and Linux, whose /proc shows which ports a process listens on. It
asks every port of `bsm` for credentials, and reads the files that have the server's secrets. It prints one
line for each case, and ends with 1 if one fails. It asks no other program.
"""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.parse

from command import BSM, World

NOBODY = 65534
SCRIPT = """\
echo "$AWS_CONTAINER_CREDENTIALS_FULL_URI"
echo "$AWS_CONTAINER_AUTHORIZATION_TOKEN"
echo "$AWS_CONFIG_FILE"
echo $$
read line
"""


def ports(pid: int) -> list:
    """The TCP ports on which a process listens."""
    sockets = {os.readlink(entry) for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()}
    listening = []
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        is_listening = fields[3] == "0A"
        if is_listening and f"socket:[{fields[9]}]" in sockets:
            listening.append(int(fields[1].split(":")[1], 16))
    return listening


def as_another_user(look, *arguments):
    """What a function returns in a process of another user."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.write(write, json.dumps(look(*arguments)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)


def ask(port: int, requests: list) -> list:
    """The status and the body of the answer to each request."""
    answers = []
    for method, path, headers in requests:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        answers.append([answer.status, answer.read().decode()])
        connection.close()
    return answers


def read(paths: list) -> list:
    """What happens when each file is read."""
    outcomes = []
    for path in paths:
        try:
            pathlib.Path(path).read_bytes()
            outcomes.append("read")
        except OSError as error:
            outcomes.append(type(error).__name__)
    return outcomes


def guesses() -> list:
    """Requests of somebody who does not have the secrets."""
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    return [
        ("GET", "/", {}),
        ("GET", "/container", {}),
        ("GET", "/" + "0" * 64 + "/container", {"Authorization": "0" * 64}),
        ("GET", "/latest/meta-data/iam/security-credentials/", {}),
        ("PUT", "/latest/api/token", ttl),
        ("PUT", "/" + "0" * 64 + "/metadata/latest/api/token", ttl),
        ("GET", "/v2/credentials/", {}),
    ]


def cases(world: World):
    """All cases, as a name, whether it went well, and what was found."""
    program = subprocess.Popen(
        [BSM, "exec", "--server", "-p", "staging", "--", "sh", "-c", SCRIPT],
        env=world.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url, token, config, child = [program.stdout.readline().strip() for _ in range(4)]
        address = urllib.parse.urlsplit(url)
        found = ports(program.pid)
        yield "bsm listens on the one port that the program is told", found == [address.port], found
        with_all = [("GET", address.path, {"Authorization": token})]
        answer = ask(address.port, with_all)
        yield "the program's own request gets credentials", answer[0][0] == 200, answer
        for port in found:
            answers = as_another_user(ask, port, guesses())
            is_refused = all(answer == [403, ""] for answer in answers)
            yield f"another user's {len(answers)} requests get 403 and nothing else", is_refused, answers
        secret = [config, f"/proc/{program.pid}/environ", f"/proc/{child}/environ", world.home / ".aws" / "credentials"]
        outcomes = as_another_user(read, [str(path) for path in secret])
        yield "another user cannot read the files and environments", set(outcomes) == {"PermissionError"}, outcomes
        arguments = [pathlib.Path(f"/proc/{pid}/cmdline").read_text() for pid in (program.pid, child)]
        path = address.path.split("/")[1]
        is_silent = not any(token in text or path in text for text in arguments)
        yield "the arguments, which every user can read, have no secret", is_silent, arguments
    finally:
        program.communicate("\n")


def main() -> int:
    if sys.platform != "linux" or os.geteuid() != 0:
        print("skipped: to become another user needs Linux and root")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory() as home:
        world = World(home)
        try:
            for name, is_right, found in cases(world):
                failed += not is_right
                print("ok    " if is_right else "FAILED", name, "" if is_right else found)
        finally:
            world.server.terminate()
            world.server.wait()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
