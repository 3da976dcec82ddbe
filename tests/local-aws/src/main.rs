//! The local AWS as a program, for AWS CLI, boto3 and whoever else speaks AWS.

fn main() {}
