//! What the derives write, as snapshots. After a change, run the tests with `INSTA_UPDATE=always` and read
//! the difference.

use proc_macro2::TokenStream;
use syn::parse_quote;

use crate::{document, entities, expand, key_attribute};

fn formatted(tokens: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(tokens).expect("the derives write items"))
}

#[test]
fn a_model() {
    let tokens = expand::model(&parse_quote! {
        #[model(table = "users")]
        struct User {
            #[model(hash_key)]
            id: String,
            age: u8,
        }
    });
    insta::assert_snapshot!(formatted(tokens));
}

#[test]
fn a_model_with_everything() {
    let tokens = expand::model(&parse_quote! {
        #[model(table = "orders", region = "eu-west-1", billing = Billing::OnDemand)]
        #[serde(rename_all = "camelCase")]
        pub struct Order<T> {
            #[model(hash_key)]
            customer_id: CustomerId,
            #[model(range_key)]
            #[serde(rename = "n")]
            number: u64,
            #[model(index(ByStatus))]
            status: Status,
            #[model(index(ByStatus, range_key))]
            placed_at: String,
            #[model(ttl)]
            expires: u64,
            #[model(version)]
            version: Version,
            #[model(rest)]
            #[serde(skip)]
            rest: Rest,
            payload: T,
        }
    });
    insta::assert_snapshot!(formatted(tokens));
}

#[test]
fn a_model_with_composed_keys() {
    let tokens = expand::model(&parse_quote! {
        #[model(table = "shop", entity = "order")]
        #[model(hash_key = "CUSTOMER#{customer}", range_key = "ORDER#{number:08}")]
        #[model(index(ByStatus, name = "gsi1", hash_key = "STATUS#{status}"))]
        struct Order {
            customer: String,
            number: u64,
            status: Status,
        }
    });
    insta::assert_snapshot!(formatted(tokens));
}

#[test]
fn the_stub_of_a_model_with_an_error() {
    let tokens = expand::model(&parse_quote! {
        #[model(table = "users")]
        struct User {
            #[model(index(ByName), index(ByName))]
            name: String,
        }
    });
    insta::assert_snapshot!(formatted(tokens));
}

#[test]
fn a_document() {
    let tokens = document::derive(&parse_quote! {
        struct Address {
            city: String,
            #[serde(rename = "zip")]
            postal_code: Option<String>,
        }
    });
    insta::assert_snapshot!(formatted(tokens));
}

#[test]
fn an_enum_over_models() {
    let tokens = entities::derive(&parse_quote! {
        enum ShopItem {
            Customer(Customer),
            Order(Order),
        }
    });
    insta::assert_snapshot!(formatted(tokens));
}

#[test]
fn key_attributes() {
    let newtype = key_attribute::derive(&parse_quote! {
        struct CustomerId(String);
    });
    let units = key_attribute::derive(&parse_quote! {
        #[serde(rename_all = "lowercase")]
        enum Status { Open, Shipped }
    });
    insta::assert_snapshot!(formatted(newtype) + &formatted(units));
}
