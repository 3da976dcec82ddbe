"""Copies the table `bench` with pynamodb and its session manager, for a comparison of speed.

Against a local AWS in a process of its own (`bsm-local-aws --aws-dir DIR`), with
`AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` set to its files, after
`cargo run --release -p bsm-dynamodb --example copy_bench -- fill N`:

    pip install --no-deps -r copy_table_requirements.txt
    python copy_table.py

pynamodb-session-manager 0.1.2 asks for boto-session-manager before 2.0, so pip alone would choose
1.8.1; it works with 2.1.1, which has to be installed without looking at what it asks for.
"""

import time

from boto_session_manager.api import BotoSesManager
from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.models import Model
from pynamodb_session_manager.api import use_boto_session


class Thing(Model):
    class Meta:
        table_name = "bench"
        region = "us-east-1"
        billing_mode = "PAY_PER_REQUEST"

    id = UnicodeAttribute(hash_key=True)
    number = NumberAttribute()
    tags = UnicodeSetAttribute()
    note = UnicodeAttribute()


def copy(source: BotoSesManager, target: BotoSesManager) -> tuple[int, float]:
    """Copies the table, and returns how many items it has and how many seconds it took."""
    began = time.perf_counter()
    with use_boto_session(Thing, source):
        things = list(Thing.scan())
    with use_boto_session(Thing, target):
        Thing.create_table(wait=True)
        with Thing.batch_write() as batch:
            for thing in things:
                batch.save(thing)
    return len(things), time.perf_counter() - began


def main() -> None:
    staging = BotoSesManager(profile_name="staging", region_name="us-east-1")
    production = BotoSesManager(profile_name="production", region_name="us-east-1")
    items, seconds = copy(staging, production)
    print(f"python: {items} items in {seconds:.2f} s, {items / seconds:.0f} a second")


if __name__ == "__main__":
    main()
