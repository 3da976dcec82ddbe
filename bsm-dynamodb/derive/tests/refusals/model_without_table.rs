use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
struct User {
    #[model(hash_key)]
    id: String,
}

fn main() {
    let _ = User::get("1");
}
