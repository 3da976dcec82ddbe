use bsm_dynamodb::Index as _;
use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    id: String,
    #[model(index(ByName))]
    name: String,
}

fn main() {
    let _ = ByName::query("ada").consistent_read(true);
}
