use std::time::SystemTime;

use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "events")]
struct Event {
    #[model(hash_key)]
    at: SystemTime,
}

fn main() {}
