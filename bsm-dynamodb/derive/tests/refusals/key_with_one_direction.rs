use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "items")]
struct Item {
    #[model(hash_key)]
    #[serde(skip_deserializing)]
    id: u64,
}

fn main() {
    let _ = Item::get(1_u64);
}
