use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Inner {
    id: String,
}

#[derive(Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    #[serde(flatten)]
    id: Inner,
}

fn main() {}
