use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    #[serde(default, skip_serializing_if = "String::is_empty")]
    id: String,
}

fn main() {}
