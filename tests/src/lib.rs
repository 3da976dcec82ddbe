//! Tests across bsm-core and bsm-dynamodb.
