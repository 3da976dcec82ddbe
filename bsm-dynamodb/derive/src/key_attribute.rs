//! `#[derive(KeyAttribute)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Field, Fields, Result, Type};

use crate::field::key_type_option;
use crate::serde_attributes::{SerdeContainer, SerdeField};

/// Expands the derive. After an error it still implements the trait, so that there is only one.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let (stored, error) = match stored_type(input) {
        Ok(stored) => (stored, None),
        Err(error) => (
            quote! { ::std::string::String },
            Some(error.into_compile_error()),
        ),
    };
    let name = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    quote! {
        #error

        #[automatically_derived]
        impl #impl_generics ::bsm_dynamodb::KeyAttribute for #name #ty_generics #where_clause {
            type Stored = #stored;
        }
    }
}

/// Finds out how serde writes the type: as text, a number or binary.
fn stored_type(input: &DeriveInput) -> Result<TokenStream> {
    let declared = key_type_option(&input.attrs)?;
    let container = SerdeContainer::parse(&input.attrs)?;
    let written = match &input.data {
        Data::Struct(data) => newtype_field(&data.fields).map(Written::Field),
        Data::Enum(data) => {
            let is_unit = |fields: &Fields| matches!(fields, Fields::Unit);
            let units = data.variants.iter().all(|variant| is_unit(&variant.fields));
            (units && !data.variants.is_empty()).then_some(Written::VariantName)
        }
        Data::Union(_) => None,
    };
    let written = written.ok_or_else(|| {
        Error::new(
            input.ident.span(),
            "KeyAttribute is derived for a tuple struct with one field, such as \
             `struct UserId(String);`, and for an enum without fields",
        )
    })?;
    // Checked even with a declared key type, which says nothing about reading.
    if let Written::Field(field) = written {
        let serde = SerdeField::parse(field, container.rename_all)?;
        if let Some(span) = serde.unwritten.or(serde.unread) {
            return Err(Error::new(
                span,
                "a key is read back from what was written: serde must write and read this field",
            ));
        }
    }
    if let Some(declared) = declared {
        return Ok(declared.stored());
    }
    let stored_like =
        |ty: &Type| quote_spanned! { ty.span() => <#ty as ::bsm_dynamodb::KeyAttribute>::Stored };
    Ok(match (container.into, written) {
        // serde writes this type in place of the other one.
        (Some((into, _)), _) => stored_like(&into),
        (None, Written::Field(field)) => stored_like(&field.ty),
        // serde writes a unit variant as its name.
        (None, Written::VariantName) => quote! { ::std::string::String },
    })
}

#[derive(Clone, Copy)]
enum Written<'a> {
    Field(&'a Field),
    VariantName,
}

fn newtype_field(fields: &Fields) -> Option<&Field> {
    match fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => fields.unnamed.first(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn stored(input: &DeriveInput) -> String {
        stored_type(input).unwrap().to_string().replace(' ', "")
    }

    fn refused(input: &DeriveInput) -> String {
        stored_type(input).unwrap_err().to_string()
    }

    #[test]
    fn a_type_is_stored_as_what_serde_writes() {
        let stored_like = |ty: &str| format!("<{ty}as::bsm_dynamodb::KeyAttribute>::Stored");
        let newtype = parse_quote! { struct UserId(String); };
        assert_eq!(stored(&newtype), stored_like("String"));
        let into = parse_quote! { #[serde(into = "String", from = "String")] struct Code(u64); };
        assert_eq!(stored(&into), stored_like("String"));
        let variants = parse_quote! { enum Kind { Order, Invoice } };
        assert_eq!(stored(&variants), "::std::string::String");
        let declared = parse_quote! { #[model(key_type = Binary)] struct Digest([u8; 32]); };
        assert_eq!(stored(&declared), "::bsm_dynamodb::Binary");
    }

    #[test]
    fn anything_but_a_newtype_or_unit_variants_is_refused() {
        for input in [
            parse_quote! { struct Pair(String, String); },
            parse_quote! { struct Named { id: String } },
            parse_quote! { enum Id { A(u8) } },
            parse_quote! { enum Nothing {} },
        ] {
            assert!(refused(&input).contains("a tuple struct with one field"));
        }
    }

    #[test]
    fn a_newtype_that_serde_does_not_read_is_refused() {
        for attribute in ["skip", "skip_deserializing", "skip_serializing"] {
            let attribute: syn::Path = syn::parse_str(attribute).unwrap();
            let message = refused(&parse_quote! { struct Id(#[serde(#attribute)] u64); });
            assert!(message.contains("write and read"), "{message}");
        }
    }
}
