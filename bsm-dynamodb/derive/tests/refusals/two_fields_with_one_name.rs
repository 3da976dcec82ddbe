use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    id: String,
    #[serde(rename = "id")]
    other: String,
}

fn main() {}
