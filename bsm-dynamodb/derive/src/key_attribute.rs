//! `#[derive(KeyAttribute)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let inner = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => &fields.unnamed[0].ty,
            _ => return Err(not_a_newtype(input)),
        },
        _ => return Err(not_a_newtype(input)),
    };
    let name = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::bsm_dynamodb::KeyAttribute for #name #ty_generics #where_clause {
            const TYPE: ::bsm_dynamodb::KeyType =
                <#inner as ::bsm_dynamodb::KeyAttribute>::TYPE;

            fn to_key_value(&self) -> ::bsm_dynamodb::KeyValue {
                ::bsm_dynamodb::KeyAttribute::to_key_value(&self.0)
            }
        }
    })
}

fn not_a_newtype(input: &DeriveInput) -> Error {
    Error::new(
        input.ident.span(),
        "KeyAttribute is derived for a tuple struct with one field, such as `struct UserId(String);`",
    )
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn a_newtype_is_stored_like_what_it_wraps() {
        let tokens = derive(&parse_quote! { struct UserId(String); }).unwrap();
        let text = tokens.to_string();
        assert!(text.contains("impl :: bsm_dynamodb :: KeyAttribute for UserId"));
        assert!(text.contains("< String as :: bsm_dynamodb :: KeyAttribute > :: TYPE"));
    }

    #[test]
    fn anything_but_a_newtype_is_refused() {
        for input in [
            parse_quote! { struct Pair(String, String); },
            parse_quote! { struct Named { id: String } },
            parse_quote! { enum Id { A } },
        ] {
            let error = derive(&input).unwrap_err();
            assert!(error.to_string().contains("a tuple struct with one field"));
        }
    }
}
