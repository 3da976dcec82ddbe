"""What boto3 finds in, or puts into, a cache that is shared with it.

    python3 tests/peers/cli_cache_boto3.py CACHE_DIRECTORY PROFILE

It sets boto3 up as the AWS CLI does and prints the access key that it ends up with. The profile
files are named by AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, the endpoint by AWS_ENDPOINT_URL.
The test `boto3_and_this_crate_read_each_others_entries` of bsm-core runs it.
"""

import sys

import boto3
import botocore.session
from botocore.utils import JSONFileCache

directory, profile = sys.argv[1:]
session = botocore.session.Session(profile=profile)
provider = session.get_component("credential_provider").get_provider("assume-role")
provider.cache = JSONFileCache(directory)
client = boto3.Session(botocore_session=session).client("sts")
print(session.get_credentials().get_frozen_credentials().access_key, client.get_caller_identity()["Arn"])
