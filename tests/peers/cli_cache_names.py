"""Writes the names that botocore gives to cache entries, as a fixture for bsm-core.

    python3 tests/peers/cli_cache_names.py > bsm-core/src/credentials/cli_cache/fixtures/names.json

The arguments are drawn at random, but the same in every run; the names are botocore's own.
"""

import json
import random

from botocore.credentials import AssumeRoleCredentialFetcher, SSOCredentialFetcher

ALPHABET = (
    [chr(c) for c in range(0x80)]
    + list("\"\\/\x00\x1f\x7f\x80\xa0\xeb\xff\u0100\u2028\u2603\ud7ff\ue000\uffff")
    + list("\U00010000\U0001f600\U0010ffff")
)
random.seed(20261122)


def text():
    return "".join(random.choice(ALPHABET) for _ in range(random.randrange(12)))


def value(depth):
    kind = random.randrange(8 if depth else 6)
    match kind:
        case 0:
            return text()
        case 1:
            return random.choice([0, 1, -1, 2**31, 2**53 + 1, 2**63, 2**64 - 1, -(2**63)])
        case 2:
            return random.choice([0.0, 1.0, 0.1, 1e-4, 1e-5, 1e15, 1e16, 1e17, 1.5e300, 5e-324, -2.5])
        case 3:
            return random.choice([True, False, None])
        case 4 | 5:
            return text()
        case 6:
            return [value(depth - 1) for _ in range(random.randrange(4))]
        case 7:
            return {text(): value(depth - 1) for _ in range(random.randrange(4))}


def arguments():
    optional = {
        "RoleSessionName": text,
        "ExternalId": text,
        "SerialNumber": text,
        "SourceIdentity": text,
        "DurationSeconds": lambda: random.randrange(900, 43201),
        "Policy": lambda: json.dumps(
            {text(): value(3) for _ in range(3)}, ensure_ascii=random.random() < 0.5
        ),
        "PolicyArns": lambda: [{"arn": text()} for _ in range(random.randrange(1, 3))],
        "Tags": lambda: [{"Key": text(), "Value": text()} for _ in range(random.randrange(1, 4))],
        "TransitiveTagKeys": lambda: [text() for _ in range(random.randrange(1, 3))],
        "ProvidedContexts": lambda: [{"ProviderArn": text(), "ContextAssertion": text()}],
    }
    chosen = {name: make() for name, make in optional.items() if random.random() < 0.4}
    # botocore takes an empty name for none; this crate refuses it.
    return {name: value for name, value in chosen.items() if value != ""}


def role():
    role_arn, extra = "arn:aws:iam::111122223333:role/" + text(), arguments()
    fetcher = AssumeRoleCredentialFetcher(None, None, role_arn, extra_args=extra)
    return {"arguments": {"RoleArn": role_arn, **extra}, "name": fetcher._cache_key}


def sso():
    names = {"start_url": text(), "role_name": text(), "account_id": text()}
    session = random.choice([None, "my-sso", text() or "x"])
    fetcher = SSOCredentialFetcher(
        sso_region="us-east-1", client_creator=None, sso_session_name=session, **names
    )
    return {"arguments": {**names, "session_name": session}, "name": fetcher._cache_key}


cases = {"roles": [role() for _ in range(80)], "sso": [sso() for _ in range(20)]}
lines = {kind: ",\n".join(map(json.dumps, found)) for kind, found in cases.items()}
print("{" + ",\n".join(f'"{kind}": [\n{found}\n]' for kind, found in lines.items()) + "}")
