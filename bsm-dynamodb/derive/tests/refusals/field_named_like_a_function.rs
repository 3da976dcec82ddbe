use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "calls")]
struct Call {
    #[model(hash_key)]
    id: String,
    query: String,
}

fn main() {
    let _ = Call::get("1");
}
