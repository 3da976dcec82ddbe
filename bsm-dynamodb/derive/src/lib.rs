//! The derive macros of `bsm-dynamodb`, which re-exports and documents them.

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

mod errors;
mod expand;
mod field;
mod index;
mod key_attribute;
mod model;
mod paths;
mod serde_attributes;
mod stub;

/// Derives `Model` for a struct with named fields.
#[proc_macro_derive(Model, attributes(model))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::model(&input).into()
}

/// Derives `KeyAttribute` for a newtype or an enum of unit variants.
#[proc_macro_derive(KeyAttribute, attributes(model))]
pub fn derive_key_attribute(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    key_attribute::derive(&input).into()
}
