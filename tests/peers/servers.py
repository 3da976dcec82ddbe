"""Measures how long local servers of DynamoDB take to start, and how much memory they use.

    python servers.py NAME=COMMAND...

Each command has {port} where it takes the port, such as `moto='moto_server -p {port}'`. Each server is started five
times, and gets a table and a thousand items. Needs boto3, and Linux for the memory.

The time is from the start of the process to the first response to ListTables, which is sent every 5 milliseconds: the
shortest of the five, because other programs on the machine only add to it. The memory is what is resident of the process
and those that it has started, after the first response and with the items: the median.
"""

import os
import pathlib
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import time

import boto3
import botocore.config
import botocore.exceptions

RUNS = 5
ITEMS = 1_000


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def client_of(port: int):
    return boto3.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        # Those of bsm-local-aws, which verifies signatures. The others take any.
        aws_access_key_id="AKIALOCALDEVUSER0001",
        aws_secret_access_key="bsm/local/aws/not+a+secret/0000000000dev",
        config=botocore.config.Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def resident(group: int) -> float:
    """Returns the memory of a group of processes in MiB."""
    pages = 0
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == group:
                pages += int((process / "statm").read_text().split()[1])
        except OSError:  # it has just ended
            pass
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def fill(client) -> None:
    client.create_table(
        TableName="items",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName="items", WaiterConfig={"Delay": 1})
    for first in range(0, ITEMS, 25):
        items = [{"id": {"S": str(id)}, "text": {"S": "x" * 200}} for id in range(first, first + 25)]
        client.batch_write_item(RequestItems={"items": [{"PutRequest": {"Item": item}} for item in items]})


def measure(command: str) -> tuple[float, float, float]:
    port = free_port()
    client = client_of(port)
    begin = time.monotonic()
    server = subprocess.Popen(
        shlex.split(command.format(port=port)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while True:
            try:
                client.list_tables()
                break
            except botocore.exceptions.BotoCoreError:
                if time.monotonic() - begin > 60:  # not a server, or not this port
                    raise
                time.sleep(0.005)
        started = time.monotonic() - begin
        empty = resident(server.pid)
        fill(client)
        return started, empty, resident(server.pid)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def main() -> None:
    print("server                start   memory   with items")
    for argument in sys.argv[1:]:
        name, command = argument.split("=", 1)
        started, *memory = zip(*(measure(command) for _ in range(RUNS)), strict=True)
        empty, filled = (statistics.median(run) for run in memory)
        print(f"{name:<20} {min(started) * 1000:>4.0f} ms {empty:>4.0f} MiB {filled:>8.0f} MiB")


main()
