use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "users")]
#[serde(transparent)]
struct User {
    #[model(hash_key)]
    id: String,
}

fn main() {}
