"""Reads an export of DynamoDB in S3 as AWS documents it, and compares it with the table.

    python exports.py BUCKET MANIFEST_SUMMARY_KEY TABLE

The session comes from the environment. Checks the checksums and the counts of the manifests, and prints
the number of items. Needs boto3.
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
    bucket, summary_key, table = sys.argv[1:]
    s3 = boto3.client("s3")

    def read(key: str) -> bytes:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def checked(key: str) -> bytes:
        data = read(key)
        assert read(key.replace(".json", ".checksum")).decode().strip() == md5(data), key
        return data

    summary = json.loads(checked(summary_key))
    items = []
    decode = TypeDeserializer().deserialize
    for line in checked(summary["manifestFilesS3Key"]).decode().splitlines():
        file = json.loads(line)
        data = read(file["dataFileS3Key"])
        assert md5(data) == file["md5Checksum"], file
        lines = gzip.decompress(data).decode().splitlines()
        assert len(lines) == file["itemCount"], file
        items += [decode(from_json({"M": json.loads(line)["Item"]})) for line in lines]
    assert len(items) == summary["itemCount"], summary

    stored = []
    for page in boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table):
        stored += [decode({"M": item}) for item in page["Items"]]
    by_id = lambda item: item["id"]
    assert sorted(items, key=by_id) == sorted(stored, key=by_id)
    print(len(items))


if __name__ == "__main__":
    main()
