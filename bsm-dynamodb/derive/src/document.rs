//! `#[derive(Document)]`: typed paths into nested structs.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Data, DeriveInput, Error, Fields};

use crate::errors::Errors;
use crate::field::ModelField;
use crate::serde_attributes::SerdeContainer;

/// The methods of `Path`, which take precedence over those of a trait.
pub(crate) const OF_PATH: [&str; 23] = [
    "attribute_type",
    "begins_with",
    "between",
    "checked_term",
    "clone",
    "contains",
    "eq",
    "exists",
    "field",
    "ge",
    "gt",
    "in_",
    "index",
    "into_document_path",
    "le",
    "lt",
    "ne",
    "not_exists",
    "replacing_term",
    "size",
    "then",
    "typed",
    "value_term",
];

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let expanded = expand(input, &mut errors);
    match errors.finish() {
        Ok(()) => expanded,
        Err(error) => {
            let error = error.into_compile_error();
            // What could be expanded is kept, so that its uses are no errors as well.
            quote! { #error #expanded }
        }
    }
}

fn expand(input: &DeriveInput, errors: &mut Errors) -> TokenStream {
    let is_struct =
        matches!(&input.data, Data::Struct(data) if matches!(data.fields, Fields::Named(_)));
    if !is_struct || !input.generics.params.is_empty() {
        errors.push(Error::new(
            input.ident.span(),
            "Document is derived for a struct with named fields and without parameters",
        ));
        return TokenStream::new();
    }
    let container = errors.ok(SerdeContainer::parse(&input.attrs));
    let rename_all = container.unwrap_or_default().rename_all;
    let fields = ModelField::parse_all(input, rename_all, errors);
    let written: Vec<_> = fields
        .iter()
        .filter(|field| field.serde.unwritten.is_none())
        .map(|field| Method::new(field, input))
        .collect();
    let encodings = fields
        .iter()
        .filter_map(|field| field.expand_encoding(input));
    let (name, visibility) = (&input.ident, &input.vis);
    let paths = format_ident!("{name}Paths");
    let doc = format!("The paths of the entries of a [`{name}`], as methods of its `Path`.");
    let declared = written.iter().map(|method| {
        let Method { doc, signature, .. } = method;
        quote! { #[doc = #doc] #signature; }
    });
    let implemented: Vec<_> = written
        .iter()
        .map(|method| {
            let Method {
                signature,
                name,
                left_out_if,
                ..
            } = method;
            // `field` returns an untyped path, and the signature has the type and the encoding.
            quote! { #signature { self.field(#name).__encoded()#left_out_if } }
        })
        .collect();
    quote! {
        #[doc = #doc]
        #[allow(dead_code, clippy::all, clippy::pedantic, reason = "fields have any names")]
        #visibility trait #paths<M>: ::core::marker::Sized {
            #(#declared)*
        }

        #[automatically_derived]
        impl<M> #paths<M> for ::bsm_dynamodb::Path<M, #name> {
            #(#implemented)*
        }

        #[automatically_derived]
        impl<M> #paths<M> for ::bsm_dynamodb::Path<M, ::core::option::Option<#name>> {
            #(#implemented)*
        }

        #(#encodings)*
    }
}

/// A method that goes to an entry.
struct Method {
    doc: String,
    signature: TokenStream,
    /// The name of the entry.
    name: String,
    left_out_if: Option<TokenStream>,
}

impl Method {
    fn new(field: &ModelField<'_>, input: &DeriveInput) -> Self {
        let (ty, name) = (field.ty(), field.serde.name.clone());
        let mut method = field.ident.clone();
        // The method of `Path` would be called in its place.
        if OF_PATH.contains(&field.plain_name().as_str()) {
            method = format_ident!("{method}_");
        }
        let model = &input.ident;
        let encoding = field.encoding(&quote! { #model });
        let encoding = encoding.map(|encoding| quote! { , #encoding });
        Self {
            doc: format!("Goes to the entry `{name}`."),
            signature: quote_spanned! { field.ident.span() =>
                fn #method(self) -> ::bsm_dynamodb::Path<M, #ty #encoding>
            },
            name,
            left_out_if: field.left_out_if(),
        }
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn an_entry_has_the_name_of_serde_and_the_type_of_the_field() {
        let text = derive(&parse_quote! {
            #[serde(rename_all = "camelCase")]
            pub struct Address {
                zip_code: u32,
                #[serde(rename = "c")] city: Option<String>,
                size: u8,
                #[serde(with = "hex")] code: u64,
                #[serde(skip)] cached: u8,
            }
        })
        .to_string();
        for wanted in [
            "pub trait AddressPaths < M >",
            r#"fn zip_code (self) -> :: bsm_dynamodb :: Path < M , u32 > { self . field ("zipCode")"#,
            r#"self . field ("c")"#,
            "fn size_ (self)",
            "Path < M , u64 , :: bsm_dynamodb :: FieldOf < Address , 3usize > >",
            "for :: bsm_dynamodb :: Path < M , :: core :: option :: Option < Address >>",
        ] {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
        assert!(
            !text.contains("cached") && !text.contains("compile_error"),
            "{text}"
        );
    }

    #[test]
    fn anything_but_a_struct_with_named_fields_is_refused() {
        for input in [
            parse_quote! { enum Address { A } },
            parse_quote! { struct Address(String); },
            parse_quote! { struct Address<T> { city: T } },
        ] {
            assert!(derive(&input).to_string().contains("compile_error"));
        }
    }

    #[test]
    fn every_method_of_a_path_is_known() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/expression/path.rs");
        let source = std::fs::read_to_string(path).unwrap();
        let methods = source.lines().filter_map(|line| {
            let line = line.trim_start();
            let line = line
                .strip_prefix("pub ")
                .or_else(|| line.strip_prefix("pub(crate) "))?;
            line.strip_prefix("fn ")?.split(['(', '<']).next()
        });
        let mut taken = methods
            .filter(|name| !matches!(*name, "new" | "__field" | "__encoded" | "__left_out_if"));
        assert_eq!(taken.find(|name| !OF_PATH.contains(name)), None);
    }
}
