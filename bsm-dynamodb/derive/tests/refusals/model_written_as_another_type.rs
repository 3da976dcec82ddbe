use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model, Clone)]
#[model(table = "users")]
#[serde(from = "String", into = "String")]
struct User {
    #[model(hash_key)]
    id: String,
}

fn main() {}
