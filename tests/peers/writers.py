"""Writes to a table until a file appears: puts, updates and deletes of random items.

    python writers.py TABLE IDS STOP_FILE

The session comes from the environment. Prints the number of writes that were acknowledged, and how many
that is a second. Needs boto3.
"""

import pathlib
import random
import sys
import threading
import time

import boto3

THREADS = 4


def write(client, table: str, ids: int, stop: pathlib.Path, counts: list, number: int) -> None:
    rng = random.Random(number)
    while not stop.exists():
        key = {"id": {"S": f"{rng.randrange(ids):06}"}}
        kind = rng.randrange(4)
        if kind == 0:
            client.delete_item(TableName=table, Key=key)
        elif kind == 1:
            client.put_item(TableName=table, Item={**key, "python": {"N": str(rng.random())}})
        else:
            client.update_item(
                TableName=table,
                Key=key,
                UpdateExpression="SET changed = :v",
                ExpressionAttributeValues={":v": {"S": str(rng.random())}},
            )
        counts[number] += 1


def main() -> None:
    table, ids, stop = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
    counts = [0] * THREADS
    client = boto3.client("dynamodb")
    began = time.monotonic()
    threads = [
        threading.Thread(target=write, args=(client, table, ids, stop, counts, number))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"{sum(counts)} writes, {sum(counts) / (time.monotonic() - began):.0f} a second")


if __name__ == "__main__":
    main()
