//! The derive macros of `bsm-dynamodb`, which re-exports and documents them.

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

mod key_attribute;
mod model;
mod paths;
mod serde_names;

/// Derives `Model` for a struct with named fields.
#[proc_macro_derive(Model, attributes(model))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    model::derive(&input)
        .unwrap_or_else(|error| error.into_compile_error())
        .into()
}

/// Derives `KeyAttribute` for a newtype around a type that is a key attribute.
#[proc_macro_derive(KeyAttribute)]
pub fn derive_key_attribute(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    key_attribute::derive(&input)
        .unwrap_or_else(|error| error.into_compile_error())
        .into()
}
