"""A sign-in through a real browser: `bsm login` with an authorization code and PKCE.

    cargo build --workspace --bins
    apt-get install chromium
    pip install websocket-client
    python tests/peers/browser.py target/debug [SCREENSHOT.png]

It starts a local AWS and a headless Chromium, which opens the address that `bsm login` prints, clicks on
Allow, and follows the redirection to the port of `bsm login`. Then the same with Deny. It prints one line
for each case, and ends with 1 if one fails.
"""

import base64
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

import websocket

BIN = pathlib.Path(sys.argv[1]).resolve()
BSM = str(BIN / "bsm")
ACCOUNT = "111111111111"
LAYOUT = f"""
[[account]]
id = "{ACCOUNT}"

[identity_center]
session_name = "corp"
start_url = "https://corp.example.com/start"
assignment = [{{ account = "{ACCOUNT}", role = "Admin" }}]

[[profile]]
name = "admin"
sso_session = "corp"
sso_account_id = "{ACCOUNT}"
sso_role_name = "Admin"
region = "us-east-1"
"""


class Browser:
    """A headless Chromium, by its debugging protocol."""

    def __init__(self, folder: str) -> None:
        self.process = subprocess.Popen(
            [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server",
                "--remote-debugging-port=0", "--remote-allow-origins=*", f"--user-data-dir={folder}", "about:blank",
            ],
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in self.process.stderr:
            found = re.search(r"ws://(127\.0\.0\.1:\d+)/", line)
            if found:
                break
        with urllib.request.urlopen(f"http://{found[1]}/json/list") as answer:
            page = next(page for page in json.load(answer) if page["type"] == "page")
        self.socket = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=60)
        self.calls = 0

    def call(self, method: str, **parameters: object) -> dict:
        self.calls += 1
        self.socket.send(json.dumps({"id": self.calls, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.calls:
                return message.get("result", {})

    def evaluate(self, expression: str) -> object:
        return self.call("Runtime.evaluate", expression=expression)["result"].get("value")

    def wait_for(self, expression: str) -> object:
        for _ in range(600):
            with contextlib.suppress(KeyError):
                value = self.evaluate(expression)
                if value:
                    return value
            time.sleep(0.1)
        raise RuntimeError(f"{expression} stays false on {self.evaluate('document.body.innerText')!r}")

    def screenshot(self, path: str) -> None:
        pathlib.Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def sign_in(browser: Browser, environment: dict, decision: str) -> tuple:
    """Signs in. Returns what the last page says, and how the command ended."""
    login = subprocess.Popen(
        [BSM, "login", "-p", "admin", "--no-browser", "--json"],
        # A display, so that it does not fall back to a device code.
        env={**environment, "DISPLAY": ":0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    printed = ""
    address = None
    while not address:
        printed += login.stderr.readline()
        address = re.search(r"http://\S*/authorize\?\S+", printed)
    browser.call("Page.navigate", url=address[0])
    browser.wait_for(f"document.getElementById('{decision}') !== null")
    browser.evaluate(f"document.getElementById('{decision}').click()")
    browser.wait_for("location.pathname === '/oauth/callback' && document.readyState === 'complete'")
    page = browser.evaluate("document.body.innerText")
    login.communicate(timeout=60)
    return page, login.returncode


def main() -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as home:
        layout = pathlib.Path(home) / "layout.toml"
        layout.write_text(LAYOUT)
        server = subprocess.Popen(
            [BIN / "bsm-local-aws", "--accounts", layout, "--aws-dir", pathlib.Path(home) / ".aws"],
            stdout=subprocess.PIPE,
            text=True,
        )
        endpoint = server.stdout.readline().strip().split("=", 1)[1]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        browser = Browser(f"{home}/chromium")
        try:
            page, status = sign_in(browser, environment, "deny")
            cases = [("a denied sign-in fails", status == 4, f"{status}: {page}")]
            page, status = sign_in(browser, environment, "allow")
            cases.append(("an allowed sign-in succeeds", status == 0, f"{status}: {page}"))
            cases.append(("the last page says so", "close" in page, page))
            if len(sys.argv) > 2:
                browser.screenshot(sys.argv[2])
            who = subprocess.run([BSM, "whoami", "-p", "admin"], env=environment, capture_output=True, text=True)
            cases.append(("the login is used", ACCOUNT in who.stdout, who.stderr))
        finally:
            browser.close()
            server.terminate()
            server.wait()
        for name, is_right, printed in cases:
            failed += not is_right
            print("ok    " if is_right else "FAILED", name, "" if is_right else printed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
