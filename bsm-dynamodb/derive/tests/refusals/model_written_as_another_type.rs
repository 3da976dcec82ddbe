use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model, Clone)]
#[model(table = "users")]
#[serde(from = "String", into = "String")]
struct User {
    #[model(hash_key)]
    id: String,
}

impl From<String> for User {
    fn from(id: String) -> Self {
        Self { id }
    }
}

impl From<User> for String {
    fn from(user: User) -> Self {
        user.id
    }
}

fn main() {}
