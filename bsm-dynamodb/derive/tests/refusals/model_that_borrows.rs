use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User<'a> {
    #[model(hash_key)]
    id: String,
    name: &'a str,
}

fn main() {}
