"""Writes tests/fixtures/profiles.json: profile files and environments, and what botocore makes of them.

    pip install -r tests/peers/requirements.txt
    python tests/peers/profiles.py > tests/fixtures/profiles.json

Nothing is sent. What botocore would do is read off the credentials that it resolves: the keys, the
roles that it would assume and with what. Where we differ on purpose, the case has a `difference`,
which docs/src/profiles.md explains, and `ours`, which follows from the difference by a rule below.
"""

import json
import os
import pathlib
import random
import re
import sys
import tempfile

import botocore.credentials as credentials
import botocore.exceptions as exceptions
import botocore.session

KINDS = [
    (exceptions.ProfileNotFound, "ProfileNotFound"),
    (exceptions.ConfigParseError, "InvalidConfig"),
    (exceptions.PartialCredentialsError, "InvalidConfig"),
    (exceptions.InvalidConfigError, "InvalidConfig"),
    (exceptions.CredentialRetrievalError, "CredentialsUnavailable"),
]


# ---- what botocore makes of a case ----------------------------------------------------------


class Process:
    """Stands for the process of a credential_process, which prints nothing but its own words."""

    returncode = 0

    def __init__(self, words, **_):
        self.words = words

    def communicate(self):
        printed = {"Version": 1, "AccessKeyId": "PROCESS", "SecretAccessKey": json.dumps(self.words)}
        return json.dumps(printed).encode(), b""


class Machine(credentials.Credentials):
    pass


credentials.EC = object()
credentials.ProcessProvider.__init__.__defaults__ = (Process,)
credentials.InstanceMetadataProvider.load = lambda self: Machine("I", "S", method="ec2")
credentials.ContainerProvider._retrieve_or_fail = lambda self: Machine("C", "S", method="ecs")


class Login(credentials.Credentials):
    pass


def login(self):
    config = self._load_config()["profiles"].get(self._profile_name, {})
    if "login_session" in config:
        found = Login("L", "S", method="login")
        found.session = config["login_session"]
        return found


credentials.LoginProvider.load = login


def fetcher(found):
    refresh = found._refresh_using
    refresh = getattr(refresh, "_refresh", refresh)  # with MFA it is wrapped
    return refresh.__self__


def plan(found):
    """Returns the first source and the roles that are assumed with it, in their order."""
    if found is None:
        return {"kind": "none"}, []
    if isinstance(found, Machine):
        return {"kind": found.method}, []
    if isinstance(found, Login):
        return {"kind": "login", "session": found.session}, []
    if found.method == "assume-role":
        role = fetcher(found)
        source, roles = plan(role._source_credentials)
        told = role._assume_kwargs
        name = None if role._using_default_session_name else told.get("RoleSessionName")
        link = {
            "role_arn": told["RoleArn"],
            "session_name": name,
            "external_id": told.get("ExternalId"),
            "mfa_serial": told.get("SerialNumber"),
            "duration": told.get("DurationSeconds"),
        }
        return source, roles + [link]
    if found.method == "assume-role-with-web-identity":
        role = fetcher(found)
        told = role._assume_kwargs
        name = None if role._using_default_session_name else told.get("RoleSessionName")
        return {
            "kind": "web_identity",
            "role_arn": told["RoleArn"],
            "token_file": role._web_identity_token_loader._web_identity_token_path,
            "session_name": name,
        }, []
    if found.method == "sso":
        sso = fetcher(found)
        return {
            "kind": "sso",
            "region": sso._sso_region,
            "start_url": sso._start_url,
            "account_id": sso._account_id,
            "role_name": sso._role_name,
            "session_name": sso._sso_session_name,
        }, []
    if found.method == "custom-process":
        return {"kind": "process", "words": json.loads(found.secret_key)}, []
    kind = {"env": "environment", "explicit": "told"}.get(found.method, found.method)
    return {"kind": kind, "access_key_id": found.access_key, "token": found.token}, []


def outcome(case):
    with tempfile.TemporaryDirectory() as home:
        folder = pathlib.Path(home, ".aws")
        folder.mkdir()
        for name in ["config", "credentials"]:
            if case[name] is not None:
                folder.joinpath(name).write_text(case[name], encoding="utf-8")
        os.environ.clear()
        os.environ.update(case["environment"], HOME=home)
        try:
            session = botocore.session.Session(profile=case["profile"])
            if case["keys"]:
                session.set_credentials("TOLD", "SECRET")
            if case["region"]:
                session.set_config_variable("region", case["region"])
            region = session.get_config_variable("region")
            source, roles = plan(session.get_credentials())
        except tuple(kind for kind, _ in KINDS) as error:
            kind = next(kind for family, kind in KINDS if isinstance(error, family))
            return {"error": kind, "exception": type(error).__name__}
        if not roles and source["kind"] in ("ec2", "ecs"):
            # Whether it is the one or the other is found out on the way.
            source = {"kind": "machine"}
        return {"region": region, "source": source, "roles": roles}


# ---- where we differ on purpose -------------------------------------------------------------


def without_empty_settings(text):
    return text and re.sub(r"(?m)^(?!\s)[\w]+\s*[=:]\s*\n(?!\s)", "", text)


def without_comments(text):
    lines = (text or "").splitlines(keepends=True)
    cut = [
        line if "credential_process" in line else re.sub(r"^([^#;\n]*[^#;\s])\s+[#;].*$", r"\1", line)
        for line in lines
    ]
    return text and "".join(cut)


def ours(case, theirs):
    """Returns our outcome and the reasons for which it is not theirs."""
    reasons = []
    kind = dict(case, environment={k: v for k, v in case["environment"].items() if v})
    for name in ["config", "credentials"]:
        kind[name] = without_empty_settings(kind[name])
    if kind != case and outcome(kind) != theirs:
        reasons.append("empty-is-unset")
    plain = dict(kind)
    for name in ["config", "credentials"]:
        plain[name] = without_comments(plain[name])
        if (plain[name] or "").startswith("\ufeff"):
            plain[name] = plain[name][1:]
            reasons.append("byte-order-mark")
    if outcome(plain) != outcome(kind) and "byte-order-mark" not in reasons:
        reasons.append("comment-behind-value")
    result = outcome(plain)
    named = kind["environment"].get("AWS_DEFAULT_PROFILE") or kind["environment"].get("AWS_PROFILE")
    if kind["keys"] and not kind["profile"] and named and result.get("error") == "ProfileNotFound":
        reasons.append("keys-need-no-profile")
        variables = dict(plain["environment"])
        for name in ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"]:
            variables.pop(name, None)
        # The profile that they name says nothing, and no other one takes its place.
        result = outcome(dict(plain, environment=variables, config=None, credentials=None))
    variable = kind["environment"].get("AWS_REGION")
    if "error" not in result and variable and not kind["region"] and result["region"] != variable:
        reasons.append("aws-region")
        result = dict(result, region=variable)
    if kind["profile"] and result.get("source") == {"kind": "machine"}:
        reasons.append("named-profile-stays")
        result = {"error": "NoCredentials"}
    return result, reasons


# ---- the cases ------------------------------------------------------------------------------

ROLE = "arn:aws:iam::222222222222:role/{}"
NAMES = ["default", "a", "b", "c", "del ta", "x.y@z", "Ünï"]


def keys(tag):
    return {"aws_access_key_id": f"AKIA{tag}", "aws_secret_access_key": f"secret{tag}"}


def one_of(rng, *choices):
    return rng.choice(choices)


def kind_of_profile(rng, name, names):
    """Settings of one profile in the config file."""
    tag = re.sub(r"\W", "", name).upper()
    settings = {}
    for _ in range(one_of(rng, 1, 1, 1, 2)):
        kind = rng.choice(
            ["keys"] * 5 + ["role"] * 7 + ["source"] * 2 + ["web", "sso", "sso", "process", "login", "none", "half"]
        )
        if kind == "keys":
            settings.update(keys(tag + "CONFIG"))
            if rng.random() < 0.3:
                settings["aws_session_token"] = "token" + tag
        elif kind == "role":
            settings["role_arn"] = ROLE.format(tag)
            settings["source_profile"] = rng.choice(names * 4 + ["missing"])
        elif kind == "source":
            settings["role_arn"] = ROLE.format(tag)
            settings["credential_source"] = one_of(
                rng, "Environment", "Environment", "Ec2InstanceMetadata", "EcsContainer", "environment", "Nowhere"
            )
        elif kind == "web":
            settings["web_identity_token_file"] = "/token/" + tag
            if rng.random() < 0.8:
                settings["role_arn"] = ROLE.format(tag)
        elif kind == "sso":
            session = {"sso_region": "us-west-1", "sso_start_url": "https://x.example/start#/"}
            wanted = {"sso_account_id": "333333333333", "sso_role_name": "Reader"}
            settings.update(rng.choice([{"sso_session": "corp"}, {"sso_session": "gone"}, session, session, {}]))
            settings.update(rng.choice([wanted, wanted, wanted, {"sso_account_id": "1"}, {}]))
        elif kind == "process":
            settings["credential_process"] = one_of(rng, "/bin/give --me", "'/opt/a b/give' \"x y\" z", "sh -c 'a; b # c'")
        elif kind == "login":
            settings["login_session"] = "arn:aws:iam::444444444444:user/me"
        elif kind == "half":
            settings[one_of(rng, "aws_access_key_id", "aws_secret_access_key")] = "HALF" + tag
    if "role_arn" in settings:
        extras = {
            "role_session_name": "me@x",
            "external_id": "x 1",
            "mfa_serial": "arn:aws:iam::1:mfa/me",
            "duration_seconds": one_of(rng, "900", "7200", "an hour"),
        }
        settings.update({k: v for k, v in extras.items() if rng.random() < 0.3})
    if rng.random() < 0.5:
        settings["region"] = "region-of-" + tag.lower()
    return settings


def section(rng, title, settings):
    lines = [f"[{title}]" + one_of(rng, "", "", "", "  # why", "\t; not")]
    for key, value in settings.items():
        key = one_of(rng, key, key, key, key.upper())
        if isinstance(value, dict):
            lines += [f"{key} ="] + [f"  {k} = {v}" for k, v in value.items()]
        else:
            lines.append(key + one_of(rng, " = ", " = ", "=", ":", "  : ") + value)
        if rng.random() < 0.1:
            lines.append(one_of(rng, "# a comment", "; another", "", "   "))
    return "\n".join(lines) + "\n" + one_of(rng, "", "\n")


def title(rng, name):
    if name == "default":
        return one_of(rng, "default", "default", "profile default")
    if re.fullmatch(r"\S+", name):
        return one_of(rng, f"profile {name}", f"profile {name}", f'profile "{name}"', f"profile   {name}")
    return one_of(rng, f'profile "{name}"', f"profile '{name}'", "profile " + name.replace(" ", "\\ "))


def environment(rng, names):
    found = {}
    roll = rng.random()
    if roll < 0.25:
        found.update(AWS_ACCESS_KEY_ID="AKIAENV", AWS_SECRET_ACCESS_KEY="envsecret")
        if rng.random() < 0.4:
            found[one_of(rng, "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")] = "envtoken"
    elif roll < 0.3:
        found[one_of(rng, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")] = "HALFENV"
    for variable in ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]:
        if rng.random() < 0.15:
            found[variable] = rng.choice(names * 4 + ["gone"])
    if rng.random() < 0.25:
        found["AWS_DEFAULT_REGION"] = "region-of-default-variable"
    if rng.random() < 0.1:
        found["AWS_REGION"] = "region-of-variable"
    if rng.random() < 0.12:
        found["AWS_WEB_IDENTITY_TOKEN_FILE"] = "/token/env"
        if rng.random() < 0.8:
            found["AWS_ROLE_ARN"] = ROLE.format("ENV")
        if rng.random() < 0.4:
            found["AWS_ROLE_SESSION_NAME"] = "env-session"
    if rng.random() < 0.08:
        found["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/x"
    return found


def generated(seed):
    rng = random.Random(seed)
    names = rng.sample(NAMES, rng.randint(1, 5))
    config, creds = "", ""
    for name in names:
        settings = kind_of_profile(rng, name, names)
        if rng.random() < 0.95:
            config += section(rng, title(rng, name), settings)
        if rng.random() < 0.3:
            tag = re.sub(r"\W", "", name).upper() + "FILE"
            in_file = rng.choice([keys(tag), keys(tag), {"aws_access_key_id": "HALF" + tag}, settings, {}])
            creds += section(rng, name, in_file)
    if rng.random() < 0.6:
        corp = {"sso_region": "us-west-2", "sso_start_url": "https://corp.example/start"}
        config += section(rng, "sso-session corp", rng.choice([corp, corp, {"sso_region": "us-west-2"}]))
    roll = rng.random()
    return {
        "name": f"generated {seed}",
        "environment": environment(rng, names),
        "config": config or None,
        "credentials": creds or None,
        "profile": rng.choice(names * 4 + ["gone"]) if roll < 0.6 else None,
        "keys": 0.6 <= roll < 0.66,
        "region": "told-region" if rng.random() < 0.1 else None,
    }


def by_hand():
    """What chance does not come upon."""
    with_keys = "[{}]\naws_access_key_id = AKIAX\naws_secret_access_key = s\nregion = r\n"
    both = keys("ENV")
    in_env = {"AWS_ACCESS_KEY_ID": both["aws_access_key_id"], "AWS_SECRET_ACCESS_KEY": "s"}
    role = "[profile r]\nrole_arn = arn:aws:iam::2:role/R\nsource_profile = {}\n"
    chain = "".join(f"[profile p{i}]\nrole_arn = role{i}\nsource_profile = p{i + 1}\n" for i in range(6))
    table = {
        "no files at all": {},
        "a profile in no file": {"profile": "x"},
        "an empty file": {"config": "", "profile": None},
        "AWS_DEFAULT_PROFILE before AWS_PROFILE": {
            "config": with_keys.format("profile a") + with_keys.format("profile b").replace("AKIAX", "AKIAB"),
            "environment": {"AWS_DEFAULT_PROFILE": "b", "AWS_PROFILE": "a"},
        },
        "an explicit profile beats keys in the environment": {
            "config": with_keys.format("profile a"), "profile": "a", "environment": in_env,
        },
        "keys in the environment beat AWS_PROFILE": {
            "config": with_keys.format("profile a"), "environment": {**in_env, "AWS_PROFILE": "a"},
        },
        "AWS_PROFILE has to exist even beside keys in the environment": {
            "environment": {**in_env, "AWS_PROFILE": "a"},
        },
        "told keys beside an AWS_PROFILE that is missing": {"keys": True, "environment": {"AWS_PROFILE": "a"}},
        "told keys take the region of AWS_PROFILE": {
            "keys": True, "environment": {"AWS_PROFILE": "a"}, "config": with_keys.format("profile a"),
        },
        "told keys and a told profile that is missing": {"keys": True, "profile": "a"},
        "an explicit profile without credentials": {"config": "[profile a]\nregion = r\n", "profile": "a"},
        "an explicit profile without credentials in a container": {
            "config": "[profile a]\nregion = r\n", "profile": "a",
            "environment": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/x"},
        },
        "a profile of the environment without credentials": {
            "config": "[profile a]\nregion = r\n", "environment": {"AWS_PROFILE": "a"},
        },
        "a chain of six": {"config": chain + with_keys.format("profile p6"), "profile": "p0"},
        "a chain that ends in nothing": {"config": chain + "[profile p6]\n", "profile": "p0"},
        "a chain with a missing link": {"config": chain, "profile": "p0"},
        "a circle of six": {
            "config": chain + "[profile p6]\nrole_arn = x\nsource_profile = p2\n", "profile": "p0",
        },
        "a circle that is broken by keys": {
            "config": chain + "[profile p6]\nrole_arn = x\nsource_profile = p2\naws_access_key_id = K\n"
            "aws_secret_access_key = s\n", "profile": "p0",
        },
        "a role of itself, with keys": {
            "config": role.format("r") + "aws_access_key_id = K\naws_secret_access_key = s\n", "profile": "r",
        },
        "a role of itself, with keys in the other file": {
            "config": role.format("r"), "credentials": with_keys.format("r"), "profile": "r",
        },
        "a role of itself, without keys": {"config": role.format("r"), "profile": "r"},
        "a role of itself, with a process": {
            "config": role.format("r") + "credential_process = x\n", "profile": "r",
        },
        "a role without a source": {"config": "[profile r]\nrole_arn = x\n", "profile": "r"},
        "a role with both sources": {
            "config": role.format("b") + "credential_source = Environment\n" + with_keys.format("profile b"),
            "profile": "r",
        },
        "a role whose source is the default profile": {
            "config": role.format("default"), "credentials": with_keys.format("default"), "profile": "r",
        },
        "keys in two halves in two files": {
            "config": "[profile a]\naws_access_key_id = K\n", "credentials": "[a]\naws_secret_access_key = s\n",
            "profile": "a",
        },
        "a secret alone": {"config": "[profile a]\naws_secret_access_key = s\n", "profile": "a"},
        "process before keys of the config file": {
            "config": with_keys.format("profile a") + "credential_process = give\n", "profile": "a",
        },
        "keys of the credentials file before process": {
            "config": "[profile a]\ncredential_process = give\n", "credentials": with_keys.format("a"),
            "profile": "a",
        },
        "SSO before keys": {
            "config": with_keys.format("profile a")
            + "sso_account_id = 1\nsso_role_name = r\nsso_region = r\nsso_start_url = u\n", "profile": "a",
        },
        "a login session before a process": {
            "config": "[profile a]\nlogin_session = me\ncredential_process = give\n", "profile": "a",
        },
        "SSO said in two ways": {
            "config": "[profile a]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\nsso_region = x\n"
            "[sso-session s]\nsso_region = y\nsso_start_url = u\n", "profile": "a",
        },
        "an sso-session with another region, which says nothing of SSO": {
            "config": "[profile a]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\nregion = x\n"
            "[sso-session s]\nsso_region = y\nsso_start_url = u\nregion = z\n", "profile": "a",
        },
        "SSO account and role in the session": {
            "config": "[profile a]\nsso_session = s\nsso_role_name = r\n"
            "[sso-session s]\nsso_account_id = 1\nsso_region = y\nsso_start_url = u\n", "profile": "a",
        },
        "an sso-session with a space": {
            "config": "[profile a]\nsso_session = s t\nsso_role_name = r\nsso_account_id = 1\n"
            "[sso-session 's t']\nsso_region = y\nsso_start_url = u\n", "profile": "a",
        },
        "web identity of the environment before keys of the default profile": {
            "config": with_keys.format("default"),
            "environment": {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn"},
        },
        "a role of the default profile before web identity of the environment": {
            "config": "[default]\nrole_arn = x\nsource_profile = b\n" + with_keys.format("profile b"),
            "environment": {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn"},
        },
        "web identity half of the environment and half of the profile": {
            "config": "[default]\nweb_identity_token_file = /f\nrole_session_name = n\n",
            "environment": {"AWS_ROLE_ARN": "arn"},
        },
        "web identity of the environment is nothing to an explicit profile": {
            "config": with_keys.format("default"), "profile": "default",
            "environment": {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn"},
        },
        "web identity at the end of a chain": {
            "config": role.format("w") + "[profile w]\nrole_arn = x\nweb_identity_token_file = /t\n", "profile": "r",
            "environment": {"AWS_ROLE_ARN": "arn"},
        },
        "an expired token variable before the new one": {
            "environment": {**in_env, "AWS_SECURITY_TOKEN": "old", "AWS_SESSION_TOKEN": "new"},
        },
        "a profile's old token name before the new one": {
            "config": with_keys.format("default") + "aws_session_token = new\naws_security_token = old\n",
        },
        "default and profile default: the last one": {
            "config": with_keys.format("default") + "[profile default]\nregion = other\n",
        },
        "profile default and default: the last one": {
            "config": "[profile default]\nregion = other\n" + with_keys.format("default"),
        },
        "quoted and plain: the last one": {
            "config": with_keys.format("profile a") + '[profile "a"]\nregion = other\n', "profile": "a",
        },
        "the same section twice": {
            "config": with_keys.format("profile a") + "[profile a]\noutput = json\n", "profile": "a",
        },
        "the same key twice": {"config": "[default]\nregion = a\nREGION = b\n"},
        "a line without a delimiter": {"config": "[default]\nregion\n"},
        "a key without a section": {"config": "region = x\n"},
        "a broken credentials file": {"credentials": "nonsense\n", "config": with_keys.format("default")},
        "a broken file beside keys in the environment": {"config": "nonsense\n", "environment": in_env},
        "an open quote in a section name": {
            "config": with_keys.format('profile "a') + with_keys.format("profile b"), "profile": "b",
        },
        "three words in a section name": {"config": with_keys.format("profile a b"), "profile": "a"},
        "a section without the word profile": {"config": with_keys.format("a"), "profile": "a"},
        "the word profile in the credentials file": {"credentials": with_keys.format("profile a"), "profile": "a"},
        "a name with a space in the credentials file": {"credentials": with_keys.format("a b"), "profile": "a b"},
        "a name with a bracket": {"config": with_keys.format("profile a]b"), "profile": "a]b"},
        "a section that begins with profile": {"config": with_keys.format("profiles a"), "profile": "a"},
        "an indented file": {
            "config": "".join("    " + line for line in with_keys.format("profile a").splitlines(True)),
            "profile": "a",
        },
        "settings that are indented by mistake": {
            "config": "[profile a]\nregion = r\n  aws_access_key_id = K\n", "profile": "a",
        },
        "Windows line ends": {"config": with_keys.format("profile a").replace("\n", "\r\n"), "profile": "a"},
        "the DEFAULT section": {"config": "[DEFAULT]\nregion = all\n[default]\n[profile a]\n" "aws_access_key_id = K\n"
                                "aws_secret_access_key = s\n", "profile": "a"},
        "nested settings": {"config": with_keys.format("default") + "s3 =\n  a = b\n  c = d\n"},
        "nested settings that are broken": {"config": with_keys.format("default") + "s3 =\n  a\n"},
        "a value over two lines": {"config": "[default]\nregion = a\n  b\n"},
        "the credentials file's region before the config file's": {
            "config": "[profile a]\nregion = c\n", "credentials": with_keys.format("a"), "profile": "a",
        },
        "a duration that is not a number": {
            "config": role.format("b") + "duration_seconds = long\n" + with_keys.format("profile b"), "profile": "r",
        },
        "a credential source in lower case": {
            "config": "[profile r]\nrole_arn = x\ncredential_source = environment\n", "profile": "r",
            "environment": in_env,
        },
        "the environment as a source, and half a pair": {
            "config": "[profile r]\nrole_arn = x\ncredential_source = Environment\n", "profile": "r",
            "environment": {"AWS_ACCESS_KEY_ID": "K"},
        },
        "the environment as a source, and nothing in it": {
            "config": "[profile r]\nrole_arn = x\ncredential_source = Environment\n", "profile": "r",
        },
        "a container as a source, outside of one": {
            "config": "[profile r]\nrole_arn = x\ncredential_source = EcsContainer\n", "profile": "r",
        },
        "a container as a source": {
            "config": "[profile r]\nrole_arn = x\ncredential_source = EcsContainer\n", "profile": "r",
            "environment": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/x"},
        },
        "AWS_REGION before AWS_DEFAULT_REGION": {
            "environment": {**in_env, "AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"},
        },
        "a told region before all others": {
            "region": "t", "environment": {**in_env, "AWS_REGION": "a", "AWS_DEFAULT_REGION": "b"},
        },
        "an empty AWS_PROFILE": {"config": with_keys.format("default"), "environment": {"AWS_PROFILE": ""}},
        "an empty AWS_DEFAULT_PROFILE": {
            "config": with_keys.format("profile a"), "environment": {"AWS_DEFAULT_PROFILE": "", "AWS_PROFILE": "a"},
        },
        "an empty region variable": {
            "config": with_keys.format("default"), "environment": {"AWS_DEFAULT_REGION": ""},
        },
        "empty keys in the environment": {
            "config": with_keys.format("default"),
            "environment": {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
        },
        "an empty web identity": {
            "config": with_keys.format("default"), "environment": {"AWS_WEB_IDENTITY_TOKEN_FILE": ""},
        },
        "an empty role": {"config": with_keys.format("default") + "role_arn =\noutput = json\n"},
        "an empty region": {"config": "[default]\nregion =\n", "environment": in_env},
        "an empty process": {"config": with_keys.format("default") + "credential_process =\noutput = json\n"},
        "a comment behind a value": {"config": with_keys.format("default").replace("= r", "= r  # here")},
        "a comment behind keys": {"config": with_keys.format("default").replace("AKIAX", "AKIAX ; mine")},
        "a sign of a comment inside a value": {"config": with_keys.format("default").replace("= r", "= r#x;y")},
        "a sign of a comment in a process": {
            "config": "[default]\ncredential_process = sh -c 'a; b' # c\n",
        },
        "a byte order mark": {"config": "\ufeff" + with_keys.format("default")},
        "a secret with delimiters in it": {"config": with_keys.format("default").replace("= s", "= a=b:c/+")},
    }
    for name, case in table.items():
        yield {
            "name": name, "environment": {}, "config": None, "credentials": None, "profile": None, "keys": False,
            "region": None, **case,
        }


def main():
    cases = list(by_hand()) + [generated(seed) for seed in range(500)]
    for case in cases:
        theirs = outcome(case)
        result, reasons = ours(case, theirs)
        case["botocore"] = theirs
        if reasons:
            case["differences"] = reasons
            case["ours"] = result
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    sys.stdout.write("[\n" + lines + "\n]\n")


if __name__ == "__main__":
    main()
