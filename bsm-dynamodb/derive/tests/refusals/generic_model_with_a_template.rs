use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "users", hash_key = "USER#{id}")]
#[serde(bound = "T: Serialize + for<'a> Deserialize<'a>")]
struct User<T> {
    id: String,
    value: T,
}

fn main() {}
