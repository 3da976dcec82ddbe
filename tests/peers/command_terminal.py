"""Runs a command on a terminal with somebody at it.

    python3 command_terminal.py PROMPT ANSWER [PROMPT ANSWER]... -- COMMAND..

It types each answer once its prompt is shown; `^C` and `^Z` are the keys Ctrl-C and Ctrl-Z. It prints what the terminal
showed, and ends as the command ends, with 128 and the number if that is a signal. The tests of the command `bsm` run it.
"""

import os
import pty
import select
import signal
import sys
import time

KEYS = {"^C": b"\x03", "^Z": b"\x1a"}

split = sys.argv.index("--")
script, command = sys.argv[1:split], sys.argv[split + 1 :]
steps = list(zip(script[::2], script[1::2]))
# Before that of the tests, so that they can show what the terminal showed.
deadline = time.monotonic() + 45

pid, terminal = pty.fork()
if pid == 0:
    # A program in the background of a script ignores Ctrl-C, and so do those that it starts.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(command[0], command)

shown = b""
seen = 0
while time.monotonic() < deadline:
    if steps and steps[0][0].encode() in shown[seen:]:
        _, answer = steps.pop(0)
        # A person takes longer than a program needs to turn off the echo after its prompt.
        time.sleep(0.2)
        seen = len(shown)
        os.write(terminal, KEYS.get(answer, answer.encode() + b"\n"))
    if select.select([terminal], [], [], 0.05)[0]:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:  # Linux: the other side is closed
            chunk = b""
        if not chunk:
            break
        shown += chunk
else:
    os.kill(pid, 9)
print(shown.decode().replace("\r\n", "\n"), end="")
_, status = os.waitpid(pid, 0)
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)  # a signal, as a shell tells it
