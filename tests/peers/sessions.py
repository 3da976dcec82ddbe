"""What the Python originals cost, and where their writes land, for the program `ratios`.

    pip install --no-deps -r tests/peers/copy_table_requirements.txt
    cargo run --release -p bsm-tests --bin ratios -- --only python --python PYTHON

It talks to the local AWS that AWS_ENDPOINT_URL names, with the profiles of AWS_CONFIG_FILE and
AWS_SHARED_CREDENTIALS_FILE, and prints a name and a figure on each line.
"""

import statistics
import sys
import threading
import time

from boto_session_manager.api import BotoSesManager
from copy_table import copy
from pynamodb.attributes import UnicodeAttribute
from pynamodb.models import Model
from pynamodb_session_manager.api import use_boto_session


class User(Model):
    class Meta:
        table_name = "users"
        region = "us-east-1"
        billing_mode = "PAY_PER_REQUEST"

    id = UnicodeAttribute(hash_key=True)
    name = UnicodeAttribute(null=True)


def manager(profile: str) -> BotoSesManager:
    return BotoSesManager(profile_name=profile, region_name="us-east-1")


def median(times: int, work) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def switches(times: int, managers: list) -> None:
    """One get in a session that is open, and one for which a session is entered and left."""
    with use_boto_session(User, managers[0]):
        User.get("123")
        print("get_seconds", median(times, lambda: User.get("123")))

    def switch() -> None:
        managers.reverse()
        with use_boto_session(User, managers[0]):
            User.get("123")

    print("switch_seconds", median(times, switch))


def writes(count: int, managers: list) -> None:
    """Two threads write with one model, each in a session of its own, and the ids say which."""

    def write(bsm: BotoSesManager, prefix: str) -> None:
        with use_boto_session(User, bsm):
            for number in range(count // 2):
                User(id=f"python-{prefix}-{number}").save()

    threads = [
        threading.Thread(target=write, args=(bsm, prefix))
        for bsm, prefix in zip(managers, ["staging", "production"])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    times, count = int(sys.argv[1]), int(sys.argv[2])
    staging, production = manager("staging"), manager("production")
    items, seconds = copy(staging, production)
    print("copied_per_second", items / seconds)
    switches(times, [staging, production])
    writes(count, [staging, production])


if __name__ == "__main__":
    main()
