use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "users")]
struct User {
    #[model(hash_key)]
    id: String,
}

async fn all() {
    let _ = User::query("1").await;
}

fn main() {
    drop(all());
}
