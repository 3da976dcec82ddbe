//! What stands in for a model after an error, so that its uses are no errors as well.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Ident};

use crate::field::ModelField;
use crate::options::StructOptions;

/// Writes an implementation of `Model` that accepts every key, and types for the indexes.
pub(crate) fn expand(
    input: &DeriveInput,
    fields: &[ModelField<'_>],
    options: &StructOptions,
) -> TokenStream {
    // A model with parameters would need bounds, which may be what is missing.
    if !input.generics.params.is_empty() {
        return TokenStream::new();
    }
    let name = &input.ident;
    let indexes = indexes(fields, options)
        .into_iter()
        .map(|marker| index(input, marker));
    // The paths of the fields, which are expanded even after an error, name these encodings.
    let encodings = fields
        .iter()
        .filter_map(|field| field.expand_encoding(input));
    quote! {
        #[automatically_derived]
        impl ::bsm_dynamodb::Model for #name {
            // It accepts every key, because the real one may be what is missing.
            type Key = ::bsm_dynamodb::__private::AnyKey;
            type Codec = ::bsm_dynamodb::__private::AnyCodec;

            const KEY: ::bsm_dynamodb::KeySchema<Self::Key> =
                ::bsm_dynamodb::KeySchema::hash("");

            fn table_name() -> ::std::borrow::Cow<'static, str> {
                ::core::convert::Into::into("")
            }
        }

        #(#indexes)*
        #(#encodings)*
    }
}

/// The types of the indexes, each once.
fn indexes<'a>(fields: &'a [ModelField<'a>], options: &'a StructOptions) -> Vec<&'a Ident> {
    let of_fields = fields.iter().flat_map(|field| &field.options.indexes);
    let of_fields = of_fields.map(|index| &index.marker);
    let of_struct = options.indexes.iter().map(|index| &index.marker);
    let mut markers: Vec<&Ident> = Vec::new();
    for marker in of_fields.chain(of_struct) {
        if !markers.contains(&marker) {
            markers.push(marker);
        }
    }
    markers
}

fn index(input: &DeriveInput, marker: &Ident) -> TokenStream {
    let (model, visibility) = (&input.ident, &input.vis);
    quote! {
        #[allow(dead_code, reason = "the model has an error")]
        #visibility enum #marker {}

        #[automatically_derived]
        impl ::bsm_dynamodb::Index for #marker {
            type Model = #model;
            type Key = ::bsm_dynamodb::__private::AnyKey;
            // Of the two kinds, the one that can also be read consistently.
            type Kind = ::bsm_dynamodb::LocalIndex;

            const NAME: &'static str = "";
            const KEY: ::bsm_dynamodb::KeySchema<Self::Key> =
                ::bsm_dynamodb::KeySchema::hash("");
        }
    }
}
