"""Reads exports of DynamoDB in S3 as AWS documents them, and compares them with the table.

    python exports.py BUCKET TABLE MANIFEST_SUMMARY_KEY..

The first is a full export, and the others are the incremental ones since, in order. The session comes from the
environment. Checks the checksums and the counts of the manifests, and prints the number of items and of changes.
Needs boto3.
"""

import base64
import gzip
import hashlib
import json
import sys

import boto3
from boto3.dynamodb.types import TypeDeserializer


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def from_json(value: dict) -> dict:
    """An attribute value of a file, as boto3 has it: with bytes in place of base64."""
    [(kind, inner)] = value.items()
    if kind == "B":
        inner = base64.b64decode(inner)
    elif kind == "BS":
        inner = [base64.b64decode(each) for each in inner]
    elif kind == "M":
        inner = {name: from_json(each) for name, each in inner.items()}
    elif kind == "L":
        inner = [from_json(each) for each in inner]
    return {kind: inner}


def main() -> None:
    bucket, table, *summaries = sys.argv[1:]
    s3 = boto3.client("s3")
    deserialize = TypeDeserializer().deserialize

    def read(key: str) -> bytes:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def checked(key: str) -> bytes:
        data = read(key)
        assert read(key.replace(".json", ".checksum")).decode().strip() == md5(data), key
        return data

    def decode(item: dict) -> dict:
        return deserialize(from_json({"M": item}))

    def lines(summary: dict) -> list:
        found = []
        for line in checked(summary["manifestFilesS3Key"]).decode().splitlines():
            file = json.loads(line)
            data = read(file["dataFileS3Key"])
            assert md5(data) == file["md5Checksum"], file
            records = gzip.decompress(data).decode().splitlines()
            assert len(records) == file["itemCount"], file
            found += [json.loads(record) for record in records]
        assert len(found) == summary["itemCount"], summary
        return found

    items, changes, last = {}, 0, None
    for key in summaries:
        summary = json.loads(checked(key))
        if last is None:
            assert summary.get("exportType", "FULL_EXPORT") == "FULL_EXPORT", summary
            decoded = [decode(record["Item"]) for record in lines(summary)]
            items = {item["id"]: item for item in decoded}
            assert len(items) == len(decoded)
            last = summary["exportTime"]
            continue
        assert summary["exportType"] == "INCREMENTAL_EXPORT", summary
        # The windows touch: nothing is between them.
        assert summary["exportFromTime"] == last, (summary, last)
        last = summary["exportToTime"]
        for record in lines(summary):
            assert "WriteTimestampMicros" in record["Metadata"], record
            changes += 1
            id = decode(record["Keys"])["id"]
            if "NewImage" in record:
                items[id] = decode(record["NewImage"])
            else:
                items.pop(id, None)

    stored = []
    for page in boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table):
        stored += [deserialize({"M": item}) for item in page["Items"]]
    by_id = lambda item: item["id"]
    assert sorted(items.values(), key=by_id) == sorted(stored, key=by_id)
    print(len(items), changes)


if __name__ == "__main__":
    main()
