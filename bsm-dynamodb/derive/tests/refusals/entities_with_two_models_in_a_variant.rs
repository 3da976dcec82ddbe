use bsm_dynamodb::Entities;
use bsm_dynamodb::Model;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "shop", entity = "customer")]
struct Customer {
    #[model(hash_key)]
    id: String,
}

#[derive(Entities)]
enum Shop {
    Customers(Customer, Customer),
}

fn main() {}
