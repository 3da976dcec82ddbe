"""What botocore takes to parse a profile file, for the program `ratios`.

    pip install --no-deps -r tests/peers/copy_table_requirements.txt
    cargo run --release -p bsm-tests --bin ratios -- --only profiles --python PYTHON

It prints a name and a figure on each line.
"""

import statistics
import sys
import time

from botocore.configloader import load_config


def main(path: str) -> None:
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        assert load_config(path)["profiles"]
        taken.append(time.perf_counter() - began)
    print("parse_seconds", statistics.median(taken))


main(sys.argv[1])
