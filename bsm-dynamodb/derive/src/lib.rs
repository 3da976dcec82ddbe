//! The derive macros of `bsm-dynamodb`, which re-exports and documents them.

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

mod document;
mod entities;
mod errors;
mod expand;
mod field;
mod index;
mod key_attribute;
mod model;
mod options;
mod paths;
mod serde_attributes;
#[cfg(test)]
mod snapshots;
mod stub;
mod template;
mod template_index;

/// Derives `Model` for a struct with named fields.
#[proc_macro_derive(Model, attributes(model))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::model(&input).into()
}

/// Derives typed paths into a struct that is nested in a model.
#[proc_macro_derive(Document, attributes(model))]
pub fn derive_document(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    document::derive(&input).into()
}

/// Derives `Entities` for an enum over models.
#[proc_macro_derive(Entities)]
pub fn derive_entities(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    entities::derive(&input).into()
}

/// Derives `KeyAttribute` for a newtype or an enum of unit variants.
#[proc_macro_derive(KeyAttribute, attributes(model))]
pub fn derive_key_attribute(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    key_attribute::derive(&input).into()
}
