use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "shop", hash_key = "CUSTOMER#{customer}", range_key = "PROFILE")]
struct Customer {
    id: String,
}

fn main() {}
