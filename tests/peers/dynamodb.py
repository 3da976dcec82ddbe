"""Raw requests to the DynamoDB of bsm-local-aws, of moto and of dynalite, and where they differ.

    cargo build --workspace --bins
    pip install botocore 'moto[server]'
    npm install dynalite
    python tests/peers/dynamodb.py target/debug node_modules/.bin/dynalite

Each case has what AWS documents, or what AWS is known to answer: an error code and a part of its message, or
success. The script prints a line for each case in which one of the three answers otherwise, then how many
cases each gets right, and ends with 1 if the local AWS is wrong in one. Without the path of dynalite it
compares with moto alone.
"""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

BIN = pathlib.Path(sys.argv[1]).resolve()
DYNALITE = sys.argv[2] if len(sys.argv) > 2 else None
KEYS = Credentials("AKIALOCALEXAMPLE0001", "not-a-secret")
ACCOUNT = "123456789012"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("a server does not start")


def start_moto(_folder: pathlib.Path) -> tuple:
    port = free_port()
    program = pathlib.Path(sys.executable).parent / "moto_server"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([program, "-H", "127.0.0.1", "-p", str(port)], **quiet)
    wait_for(port)
    return server, f"http://127.0.0.1:{port}"


def start_dynalite(_folder: pathlib.Path) -> tuple:
    port = free_port()
    # Tables become active at once.
    options = ["--createTableMs", "0", "--updateTableMs", "0", "--deleteTableMs", "0"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen([DYNALITE, "--host", "127.0.0.1", "--port", str(port), *options], **quiet)
    wait_for(port)
    return server, f"http://127.0.0.1:{port}"


def start_local(folder: pathlib.Path) -> tuple:
    layout = folder / "layout.toml"
    user = f'name = "dev", access_key_id = "{KEYS.access_key}", secret_access_key = "{KEYS.secret_key}"'
    layout.write_text(f'[[account]]\nid = "{ACCOUNT}"\nuser = [{{ {user} }}]\n')
    command = [BIN / "bsm-local-aws", "--accounts", layout, "--aws-dir", folder / "aws"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    return server, server.stdout.readline().strip().split("=", 1)[1]


def send(endpoint: str, operation: str, body) -> tuple:
    """The error code and message of a response, or `("", "")`."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", endpoint, headers=headers, data=data)
    SigV4Auth(KEYS, "dynamodb", "us-east-1").add_auth(request)
    try:
        prepared = urllib.request.Request(endpoint, data=data, headers=dict(request.headers))
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(prepared, timeout=30).read()
        return "", ""
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        try:
            answer = json.loads(text)
            code = answer.get("__type", "").rpartition("#")[2]
            return code, answer.get("message") or answer.get("Message") or ""
        except (ValueError, AttributeError):
            return f"HTTP {error.code}", text[:80]
    except OSError as error:
        return "no response", type(error).__name__


def s(text: str) -> dict:
    return {"S": text}


def n(number) -> dict:
    return {"N": str(number)}


def key(name: str = "a", number=1) -> dict:
    return {"id": s(name), "n": n(number)}


def schema(*names: str) -> list:
    return [{"AttributeName": name, "KeyType": role} for name, role in zip(names, ("HASH", "RANGE"))]


def definitions(**types: str) -> list:
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]


def index(name: str, *names: str) -> dict:
    return {"IndexName": name, "KeySchema": schema(*names), "Projection": {"ProjectionType": "ALL"}}


TABLE = {
    "TableName": "items",
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": schema("id", "n"),
    "AttributeDefinitions": definitions(id="S", n="N", g="S", h="N", l="S"),
    "GlobalSecondaryIndexes": [index("gsi", "g", "h")],
    "LocalSecondaryIndexes": [index("lsi", "id", "l")],
}

ITEM = {
    **key(),
    "txt": s("t"),
    "num": n(1),
    "vals": {"L": [n(1), n(2)]},
    "doc": {"M": {"x": n(1)}},
    "marks": {"SS": ["x", "y"]},
    "g": s("g"),
    "h": n(1),
    "l": s("l"),
}

INVALID = "ValidationException"
CANCELLED = "TransactionCanceledException"


def put(**more) -> tuple:
    attributes = {**key("p"), **more}
    return "PutItem", {"TableName": "items", "Item": attributes}


def update(expression: str, values: dict | None = None, **more) -> tuple:
    body = {"TableName": "items", "Key": key(), "UpdateExpression": expression, **more}
    return "UpdateItem", body if values is None else {**body, "ExpressionAttributeValues": values}


def query(condition: str, values: dict, **more) -> tuple:
    body = {"TableName": "items", "KeyConditionExpression": condition, "ExpressionAttributeValues": values}
    return "Query", {**body, **more}


def conditional(condition: str, values: dict | None = None) -> tuple:
    body = {"TableName": "items", "Item": ITEM, "ConditionExpression": condition}
    return "PutItem", body if values is None else {**body, "ExpressionAttributeValues": values}


def transact(*actions: dict) -> tuple:
    return "TransactWriteItems", {"TransactItems": list(actions)}


def transact_put(**more) -> dict:
    return {"Put": {"TableName": "items", "Item": {**key("p"), **more}}}


def transact_update(expression: str, values: dict | None = None) -> dict:
    return {"Update": update(expression, values)[1]}


def create(name: str = "other", **more) -> tuple:
    body = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": schema("id"),
        "AttributeDefinitions": definitions(id="S"),
        **more,
    }
    return "CreateTable", {name: value for name, value in body.items() if value is not None}


def batch(*puts: dict) -> tuple:
    return "BatchWriteItem", {"RequestItems": {"items": [{"PutRequest": {"Item": item}} for item in puts]}}


# Name, request, and what AWS answers: a code, and a part of its message; or success.
CASES = [
    ("get without a table", ("GetItem", {"TableName": "nothing", "Key": key()}), "ResourceNotFoundException", "Requested resource not found"),
    ("get without the range key", ("GetItem", {"TableName": "items", "Key": {"id": s("a")}}), INVALID, "The provided key element does not match the schema"),
    ("get with a key of another type", ("GetItem", {"TableName": "items", "Key": {"id": n(1), "n": n(1)}}), INVALID, "The provided key element does not match the schema"),
    ("get with an empty key", ("GetItem", {"TableName": "items", "Key": {"id": s(""), "n": n(1)}}), INVALID, "empty string value. Key: id"),
    ("get with a reserved word", ("GetItem", {"TableName": "items", "Key": key(), "ProjectionExpression": "name"}), INVALID, "Attribute name is a reserved keyword; reserved keyword: name"),
    ("get with overlapping paths", ("GetItem", {"TableName": "items", "Key": key(), "ProjectionExpression": "doc, doc.x"}), INVALID, "Two document paths overlap"),
    ("put without the key", ("PutItem", {"TableName": "items", "Item": {"id": s("a")}}), INVALID, "Missing the key n in the item"),
    ("put with a key of another type", put(n=s("1")), INVALID, "Type mismatch for key n expected: N actual: S"),
    ("put with an empty key", put(id=s("")), INVALID, "empty string value. Key: id"),
    ("put with an empty text", put(txt=s("")), "", ""),
    ("put with an empty set", put(marks={"SS": []}), INVALID, "may not be empty"),
    ("put with a set that has a value twice", put(marks={"SS": ["x", "x"]}), INVALID, "contains duplicates"),
    ("put with two types in a value", put(txt={"S": "x", "N": "1"}), INVALID, "must contain exactly one of the supported datatypes"),
    ("put with a text as number", put(num=n("abc")), INVALID, "cannot be converted to a numeric value"),
    ("put with the largest number", put(num=n("9.9999999999999999999999999999999999999e125")), "", ""),
    ("put with a larger number", put(num=n("1e126")), INVALID, "Number overflow"),
    ("put with the smallest number", put(num=n("1e-130")), "", ""),
    ("put with a smaller number", put(num=n("1e-131")), INVALID, "Number underflow"),
    ("put with 38 digits", put(num=n("1" * 38)), "", ""),
    ("put with 39 digits", put(num=n("1" * 39)), INVALID, "more than 38 significant digits"),
    ("put of more than 400 KB", put(txt=s("x" * 410_000)), INVALID, "Item size has exceeded the maximum allowed size"),
    ("put with a hash key of 2049 bytes", put(id=s("x" * 2049)), INVALID, "exceeded the maximum size limit"),
    ("put with an index key of another type", put(g=n(1)), INVALID, "Type mismatch for Index Key g Expected: S Actual: N IndexName: gsi"),
    ("put with an empty index key", put(g=s(""), h=n(1)), INVALID, "empty string value"),
    ("put with a local index key of 1025 bytes", put(l=s("x" * 1025)), INVALID, "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"),
    ("put with a false condition", conditional("attribute_not_exists(id)"), "ConditionalCheckFailedException", "The conditional request failed"),
    ("condition with a syntax error", conditional("id ="), INVALID, "Invalid ConditionExpression: Syntax error"),
    ("condition with an undefined value", conditional("id = :v"), INVALID, "attribute value used in expression is not defined; attribute value: :v"),
    ("condition with an unused value", conditional("attribute_exists(id)", {":v": n(1)}), INVALID, "unused in expressions: keys: {:v}"),
    ("condition with an unknown function", conditional("what(id)"), INVALID, "Invalid function name; function: what"),
    ("condition with BETWEEN the wrong way", conditional("h BETWEEN :b AND :a", {":a": n(1), ":b": n(2)}), INVALID, "upper bound to be greater than or equal to lower bound"),
    ("condition that orders sets", conditional("marks < :v", {":v": {"SS": ["x"]}}), INVALID, "Incorrect operand type"),
    ("condition with a path too deep", conditional("attribute_exists(" + ".".join(["m"] * 33) + ")"), INVALID, "nesting"),
    ("condition with the same path twice", conditional("txt = txt"), INVALID, "The first operand must be distinct from the remaining operands"),
    ("update of a key", update("SET id = :v", {":v": s("b")}), INVALID, "Cannot update attribute id. This attribute is part of the key"),
    ("update of overlapping paths", update("SET doc = :v, doc.x = :v", {":v": n(1)}), INVALID, "Two document paths overlap"),
    ("update below a number", update("SET num.x = :v", {":v": n(1)}), INVALID, "The document path provided in the update expression is invalid for update"),
    ("update below nothing", update("SET nothing.x = :v", {":v": n(1)}), INVALID, "The document path provided in the update expression is invalid for update"),
    ("update from nothing", update("SET copied = nothing"), INVALID, "refers to an attribute that does not exist in the item"),
    ("update that adds to a text", update("SET txt = txt + :v", {":v": n(1)}), INVALID, "An operand in the update expression has an incorrect data type"),
    ("update that adds a text", update("SET num = num + :v", {":v": s("x")}), INVALID, "Incorrect operand type for operator or function"),
    ("ADD of a number to a text", update("ADD txt :v", {":v": n(1)}), INVALID, "An operand in the update expression has an incorrect data type"),
    ("ADD of a text", update("ADD num :v", {":v": s("x")}), INVALID, "Incorrect operand type for operator or function; operator: ADD"),
    ("ADD of another type of set", update("ADD marks :v", {":v": {"NS": ["1"]}}), INVALID, "An operand in the update expression has an incorrect data type"),
    ("DELETE of a number", update("DELETE num :v", {":v": n(1)}), INVALID, "Incorrect operand type for operator or function; operator: DELETE"),
    ("DELETE of all elements of a set", update("DELETE marks :v", {":v": {"SS": ["x", "y"]}}), "", ""),
    ("REMOVE of an index behind the end", update("REMOVE vals[9]"), "", ""),
    ("SET of an index behind the end", update("SET vals[9] = :v", {":v": n(3)}), "", ""),
    ("SET twice", update("SET num = :v SET txt = :v", {":v": n(1)}), INVALID, 'The "SET" section can only be used once'),
    ("list_append to a text", update("SET txt = list_append(txt, :v)", {":v": {"L": []}}), INVALID, "An operand in the update expression has an incorrect data type"),
    ("update with an empty expression", update(""), INVALID, "The expression can not be empty"),
    ("update to more than 400 KB", update("SET txt = :v", {":v": s("x" * 410_000)}), INVALID, "maximum allowed size"),
    ("update of an index key to another type", update("SET g = :v", {":v": n(1)}), INVALID, "Type mismatch for Index Key g"),
    ("update that removes an index key", update("REMOVE g"), "", ""),
    ("sum beyond the largest number", update("SET num = :v + :v", {":v": n("9e125")}), INVALID, "Number overflow"),
    ("query without the hash key", query("n = :v", {":v": n(1)}), INVALID, "Query condition missed key schema element: id"),
    ("query with two range conditions", query("id = :a AND n > :v AND n < :v", {":a": s("a"), ":v": n(1)}), INVALID, "KeyConditionExpressions must only contain one condition per key"),
    ("query with another attribute", query("id = :a AND txt = :v", {":a": s("a"), ":v": s("t")}), INVALID, "Query condition missed key schema element: n"),
    ("query with a key of another type", query("id = :a", {":a": n(1)}), INVALID, "Condition parameter type does not match schema type"),
    ("query with an empty key", query("id = :a", {":a": s("")}), INVALID, "empty string value. Key: id"),
    ("query with OR", query("id = :a OR id = :b", {":a": s("a"), ":b": s("b")}), INVALID, "Invalid operator used in KeyConditionExpression: OR"),
    ("query with a filter on the key", query("id = :a", {":a": s("a")}, FilterExpression="n = :a"), INVALID, "Filter Expression can only contain non-primary key attributes: Primary key attribute: n"),
    ("query of an index that does not exist", query("id = :a", {":a": s("a")}, IndexName="nothing"), INVALID, "The table does not have the specified index: nothing"),
    ("consistent query of a global index", query("g = :a", {":a": s("a")}, IndexName="gsi", ConsistentRead=True), INVALID, "Consistent reads are not supported on global secondary indexes"),
    ("query with a limit of 0", query("id = :a", {":a": s("a")}, Limit=0), INVALID, "failed to satisfy constraint: Member must have value greater than or equal to 1"),
    ("query that starts at another key", query("id = :a", {":a": s("a")}, ExclusiveStartKey={"id": s("a")}), INVALID, "The provided starting key is invalid"),
    ("query that starts at another hash key", query("id = :a", {":a": s("a")}, ExclusiveStartKey=key("b")), INVALID, "The provided starting key is"),
    ("scan with a segment only", ("Scan", {"TableName": "items", "Segment": 0}), INVALID, "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"),
    ("scan with a segment out of range", ("Scan", {"TableName": "items", "Segment": 4, "TotalSegments": 4}), INVALID, "The Segment parameter is zero-based and must be less than parameter TotalSegments"),
    ("scan with a select and a projection", ("Scan", {"TableName": "items", "Select": "COUNT", "ProjectionExpression": "id"}), INVALID, "Cannot specify the ProjectionExpression when choosing to get only the Count"),
    ("batch of 26 writes", batch(*[key(str(number)) for number in range(26)]), INVALID, ""),
    ("batch with a key twice", batch(key("x"), key("x")), INVALID, "Provided list of item keys contains duplicates"),
    ("batch without writes", ("BatchWriteItem", {"RequestItems": {}}), INVALID, ""),
    ("batch of 101 reads", ("BatchGetItem", {"RequestItems": {"items": {"Keys": [key(str(number)) for number in range(101)]}}}), INVALID, ""),
    ("batch that reads a key twice", ("BatchGetItem", {"RequestItems": {"items": {"Keys": [key(), key()]}}}), INVALID, "Provided list of item keys contains duplicates"),
    ("batch with an index key of another type", batch({**key("x"), "g": n(1)}), INVALID, "Type mismatch for Index Key g"),
    ("transaction with an item twice", transact(transact_put(), {"Delete": {"TableName": "items", "Key": key("p")}}), INVALID, "Transaction request cannot include multiple operations on one item"),
    ("transaction with a false condition", transact({"ConditionCheck": {"TableName": "items", "Key": key(), "ConditionExpression": "attribute_not_exists(id)"}}), CANCELLED, "[ConditionalCheckFailed]"),
    ("transaction of 101 actions", transact(*[{"Put": {"TableName": "items", "Item": key(str(number))}} for number in range(101)]), INVALID, "Member must have length less than or equal to 100"),
    ("transaction without actions", transact(), INVALID, "Member must have length greater than or equal to 1"),
    ("transaction without a table", transact({"Put": {"TableName": "nothing", "Item": key()}}), "ResourceNotFoundException", "Requested resource not found"),
    ("transaction with an index key of another type", transact(transact_put(g=n(1))), CANCELLED, "[ValidationError]"),
    ("transaction with an empty index key", transact(transact_put(g=s(""), h=n(1))), INVALID, "empty string value"),
    ("transaction with a local index key of 1025 bytes", transact(transact_put(l=s("x" * 1025))), CANCELLED, "[ValidationError]"),
    ("transaction with a global index key of 2049 bytes", transact(transact_put(g=s("x" * 2049), h=n(1))), CANCELLED, "[ValidationError]"),
    ("transaction that sets an index key of 2049 bytes", transact(transact_update("SET g = :v", {":v": s("x" * 2049)})), CANCELLED, "[ValidationError]"),
    ("transaction that sets an index key of another type", transact(transact_update("SET g = :v", {":v": n(1)})), CANCELLED, "[ValidationError]"),
    ("transaction that removes an index key", transact(transact_update("REMOVE g")), "", ""),
    ("table without a billing mode and a capacity", create(BillingMode=None), INVALID, ""),
    ("table on demand with a capacity", create(ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}), INVALID, "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"),
    ("table that exists", create("items"), "ResourceInUseException", "Table already exists"),
    ("table with a name of two characters", create("ab"), INVALID, ""),
    ("table with a definition too many", create(AttributeDefinitions=definitions(id="S", x="S")), INVALID, "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions"),
    ("table with a local index and no range key", create(AttributeDefinitions=definitions(id="S", x="S"), LocalSecondaryIndexes=[index("local", "id", "x")]), INVALID, "Table KeySchema does not have a range key"),
    ("table with two indexes of one name", create(AttributeDefinitions=definitions(id="S", x="S"), GlobalSecondaryIndexes=[index("one", "x"), index("one", "x")]), INVALID, "Duplicate index name: one"),
    ("table with an index without projection", create(AttributeDefinitions=definitions(id="S", x="S"), GlobalSecondaryIndexes=[{"IndexName": "one", "KeySchema": schema("x")}]), INVALID, ""),
    ("table with 21 attributes in an index", create(AttributeDefinitions=definitions(id="S", x="S"), GlobalSecondaryIndexes=[{**index("one", "x"), "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": [f"a{number}" for number in range(21)]}}]), INVALID, ""),
    ("table with six local indexes", create(KeySchema=schema("id", "n"), AttributeDefinitions=definitions(id="S", n="N", **{f"a{number}": "S" for number in range(6)}), LocalSecondaryIndexes=[index(f"local{number}", "id", f"a{number}") for number in range(6)]), INVALID, "LocalSecondaryInd"),
    ("table with 21 global indexes", create(AttributeDefinitions=definitions(id="S", x="S"), GlobalSecondaryIndexes=[index(f"index{number}", "x") for number in range(21)]), INVALID, "20"),
    ("deletion of no table", ("DeleteTable", {"TableName": "nothing"}), "ResourceNotFoundException", "Requested resource not found: Table: nothing not found"),
    ("description of no table", ("DescribeTable", {"TableName": "nothing"}), "ResourceNotFoundException", "Requested resource not found: Table: nothing not found"),
    ("time to live that is already off", ("UpdateTimeToLive", {"TableName": "items", "TimeToLiveSpecification": {"AttributeName": "t", "Enabled": False}}), INVALID, "TimeToLive is already disabled"),
    ("an operation that does not exist", ("Nothing", {}), "UnknownOperationException", ""),
    ("a body that is no JSON", ("GetItem", b"{"), "SerializationException", ""),
    ("a number in place of a text", ("GetItem", {"TableName": "items", "Key": {"id": {"S": 1}, "n": n(1)}}), "SerializationException", ""),
]


def is_right(answer: tuple, code: str, message: str) -> bool:
    return answer[0] == code and message in answer[1]


def answers(start) -> list:
    with tempfile.TemporaryDirectory() as folder:
        server, endpoint = start(pathlib.Path(folder))
        try:
            created = send(endpoint, "CreateTable", TABLE)
            if created[0]:
                raise RuntimeError(f"the table cannot be created: {created}")
            for _ in range(100):
                # Every case starts with the same item, whatever the one before has done.
                if not send(endpoint, "PutItem", {"TableName": "items", "Item": ITEM})[0]:
                    break
                time.sleep(0.1)
            found = []
            for _, (operation, body), _, _ in CASES:
                send(endpoint, "PutItem", {"TableName": "items", "Item": ITEM})
                found.append(send(endpoint, operation, body))
                # A table that should have been refused would hide the next refusal.
                send(endpoint, "DeleteTable", {"TableName": "other"})
            return found
        finally:
            server.terminate()
            server.wait()


def main() -> int:
    servers = {"local": start_local, "moto": start_moto}
    if DYNALITE:
        servers["dynalite"] = start_dynalite
    all_answers = {name: answers(start) for name, start in servers.items()}
    right = dict.fromkeys(servers, 0)
    for position, (case, _, code, message) in enumerate(CASES):
        wrong = {}
        for name in servers:
            answer = all_answers[name][position]
            if is_right(answer, code, message):
                right[name] += 1
            else:
                wrong[name] = answer
        if wrong:
            print(f"{case}\n  {'AWS':9} {code or 'success'} {message}")
            for name, answer in wrong.items():
                print(f"  {name:9} {answer[0] or 'success'} {answer[1][:160]}")
    print(", ".join(f"{name}: {number} of {len(CASES)}" for name, number in right.items()))
    return 0 if right["local"] == len(CASES) else 1


if __name__ == "__main__":
    sys.exit(main())
