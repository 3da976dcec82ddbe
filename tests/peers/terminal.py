"""A terminal with somebody at it who types the six digits given as the argument.

It prints the terminal's path, waits for a prompt, types, and prints all that the terminal showed.
The test `a_person_at_a_terminal_is_asked_and_the_code_is_not_shown` of bsm-core runs it.
"""

import os
import select
import sys

master, slave = os.openpty()
print(os.ttyname(slave), flush=True)
shown = b""
while b": " not in shown:
    shown += os.read(master, 1024)
os.write(master, sys.argv[1].encode() + b"\n")
while select.select([master], [], [], 1)[0]:
    shown += os.read(master, 1024)
print(shown)
