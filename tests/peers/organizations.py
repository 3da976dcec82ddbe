"""The organization of bsm-local-aws beside moto's, by boto3 and by `bsm each`.

    cargo build --workspace --bins
    pip install boto3 'moto[server]'
    python tests/peers/organizations.py target/debug

It makes an organization in moto, and the same one in a local AWS. Every answer must have the same shape in
both, the tree of units and accounts must be the same, and `bsm each --org` must select the same accounts of
both. It prints one line for each case, and ends with 1 if one fails.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

import boto3
from botocore.config import Config

BIN = pathlib.Path(sys.argv[1]).resolve()
MANAGEMENT = "123456789012"  # moto's
KEYS = {"aws_access_key_id": "AKIALOCALEXAMPLE0001", "aws_secret_access_key": "not-a-secret"}


def client(endpoint: str):
    config = Config(retries={"max_attempts": 2}, proxies={})
    return boto3.client("organizations", region_name="us-east-1", endpoint_url=endpoint, config=config, **KEYS)


def start_moto() -> tuple:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = pathlib.Path(sys.executable).parent / "moto_server"
    server = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server, f"http://127.0.0.1:{port}"
        time.sleep(0.1)
    raise RuntimeError("moto does not start")


def fill(moto) -> dict:
    """Makes an organization. Returns the path of the unit of each account."""
    moto.create_organization(FeatureSet="ALL")
    root = moto.list_roots()["Roots"][0]["Id"]
    units = {"": root}
    for path in ("Workloads", "Workloads/Production", "Sandbox"):
        parent, _, name = path.rpartition("/")
        unit = moto.create_organizational_unit(ParentId=units[parent], Name=name)
        units[path] = unit["OrganizationalUnit"]["Id"]
    accounts = {}
    for number, path in enumerate(["", "Workloads", "Workloads/Production", "Workloads/Production", "Sandbox"]):
        made = moto.create_account(AccountName=f"account-{number}", Email=f"a{number}@example.com")
        account = made["CreateAccountStatus"]["AccountId"]
        if path:
            moto.move_account(AccountId=account, SourceParentId=root, DestinationParentId=units[path])
        accounts[account] = path
    first = next(iter(accounts))
    moto.tag_resource(ResourceId=first, Tags=[{"Key": "stage", "Value": "test"}])
    return accounts


def start_local(folder: pathlib.Path, accounts: dict) -> tuple:
    members = "\n".join(f'{account} = "{path}"' for account, path in accounts.items())
    first = next(iter(accounts))
    layout = folder / "layout.toml"
    user = ", ".join([
        'name = "dev"',
        f'access_key_id = "{KEYS["aws_access_key_id"]}"',
        f'secret_access_key = "{KEYS["aws_secret_access_key"]}"',
    ])
    layout.write_text(
        f'[[account]]\nid = "{MANAGEMENT}"\nuser = [{{ {user} }}]\n'
        f'[organization]\nmanagement = "{MANAGEMENT}"\n[organization.members]\n{members}\n'
        f'[organization.tags.{first}]\nstage = "test"\n'
    )
    server = subprocess.Popen(
        [BIN / "bsm-local-aws", "--accounts", layout, "--aws-dir", folder / "aws"], stdout=subprocess.PIPE, text=True
    )
    return server, server.stdout.readline().strip().split("=", 1)[1]


def answers(organizations, accounts: dict):
    """Every answer that is compared, by name."""
    root = organizations.list_roots()["Roots"][0]["Id"]
    first = next(iter(accounts))
    yield "DescribeOrganization", organizations.describe_organization()
    yield "ListRoots", organizations.list_roots()
    yield "ListAccounts", organizations.list_accounts()
    yield "ListOrganizationalUnitsForParent", organizations.list_organizational_units_for_parent(ParentId=root)
    yield "ListAccountsForParent", organizations.list_accounts_for_parent(ParentId=root)
    yield "ListParents", organizations.list_parents(ChildId=first)
    yield "ListTagsForResource", organizations.list_tags_for_resource(ResourceId=first)


def shape(value):
    """The names and types in an answer."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in sorted(value.items()) if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def tree(organizations, parent: str = "") -> dict:
    """The units below a parent, and the accounts in each, by name."""
    parent = parent or organizations.list_roots()["Roots"][0]["Id"]
    accounts = organizations.list_accounts_for_parent(ParentId=parent)["Accounts"]
    units = organizations.list_organizational_units_for_parent(ParentId=parent)["OrganizationalUnits"]
    return {
        "accounts": sorted((account["Id"], account["Status"]) for account in accounts),
        "units": {unit["Name"]: tree(organizations, unit["Id"]) for unit in units},
    }


def selected(endpoint: str, home: str, more: list) -> list:
    """The accounts that `bsm each` would work in."""
    ran = subprocess.run(
        [BIN / "bsm", "each", "--org", "--role-name", "OrganizationAccountAccessRole", "--dry-run", *more, "--", "true"],
        env={
            "HOME": home,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    return [ran.returncode, *sorted(ran.stdout.split())] if ran.returncode == 0 else [ran.stderr[-300:]]


def main() -> int:
    failed = 0

    def check(name: str, ours, theirs) -> None:
        nonlocal failed
        is_same = ours == theirs
        failed += not is_same
        print("ok    " if is_same else "FAILED", name, "" if is_same else f"\n  local: {ours}\n  moto:  {theirs}")

    moto_server, moto_endpoint = start_moto()
    try:
        moto = client(moto_endpoint)
        accounts = fill(moto)
        with tempfile.TemporaryDirectory() as folder:
            local_server, local_endpoint = start_local(pathlib.Path(folder), accounts)
            try:
                local = client(local_endpoint)
                theirs = dict(answers(moto, accounts))
                for name, answer in answers(local, accounts):
                    check(f"shape of {name}", shape(answer), shape(theirs[name]))
                check("tree", tree(local), tree(moto))
                unit = {}
                for name, organizations in (("local", local), ("moto", moto)):
                    root = organizations.list_roots()["Roots"][0]["Id"]
                    units = organizations.list_organizational_units_for_parent(ParentId=root)["OrganizationalUnits"]
                    unit[name] = next(one["Id"] for one in units if one["Name"] == "Workloads")
                for name, more in {
                    "all accounts": lambda _: [],
                    "those below a unit": lambda place: ["--within", unit[place]],
                    "those outside of a unit": lambda place: ["--without", unit[place]],
                    "those with a tag": lambda _: ["--account-tag", "stage=test"],
                }.items():
                    check(
                        f"bsm each selects {name}",
                        selected(local_endpoint, folder, more("local")),
                        selected(moto_endpoint, folder, more("moto")),
                    )
            finally:
                local_server.terminate()
                local_server.wait()
    finally:
        moto_server.terminate()
        moto_server.wait()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
