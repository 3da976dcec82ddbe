use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "items")]
struct Item {
    #[model(hash_key)]
    id: f64,
}

fn main() {}
