use bsm_dynamodb::KeyAttribute;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, KeyAttribute)]
enum Status {
    Open,
    Closed(u64),
}

fn main() {}
