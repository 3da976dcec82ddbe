use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    id: String,
    #[model(index(ByEmail))]
    email: Option<String>,
}

fn main() {}
