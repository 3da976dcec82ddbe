//! The functions that give the paths of a model's attributes.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::{DeriveInput, Error, Field, Ident, Result};

use crate::model::named_fields;
use crate::serde_names::{RenameAll, SerdeField};

/// The functions of the trait `Model` that can be called as `User::name()`.
const TAKEN: [&str; 16] = [
    "batch_write",
    "create_table",
    "delete",
    "delete_key",
    "delete_table",
    "describe_table",
    "exists",
    "get",
    "get_many",
    "query",
    "refresh",
    "save",
    "scan",
    "table_name",
    "update",
    "update_ttl",
];

/// Writes a function for each field: on the model, or on a type of its own, `paths`.
pub(crate) fn expand(input: &DeriveInput, paths: Option<&Ident>) -> Result<TokenStream> {
    let rename_all = RenameAll::of_struct(&input.attrs)?;
    let functions = named_fields(input)?
        .map(|field| function(field, rename_all, input, paths))
        .collect::<Result<Vec<_>>>()?;
    let (model, visibility) = (&input.ident, &input.vis);
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    Ok(match paths {
        None => quote! {
            #[automatically_derived]
            #[allow(dead_code, clippy::all, clippy::pedantic, reason = "fields have any names")]
            impl #impl_generics #model #ty_generics #where_clause {
                #(#functions)*
            }
        },
        Some(name) if !input.generics.params.is_empty() => {
            return Err(Error::new(
                name.span(),
                "the paths of a model that has parameters cannot be on a type of their own",
            ));
        }
        Some(name) => {
            let doc = format!("The paths of the attributes of [`{model}`].");
            quote! {
                #[doc = #doc]
                #[allow(dead_code, reason = "not every path is used")]
                #visibility enum #name {}

                #[automatically_derived]
                #[allow(dead_code, clippy::all, clippy::pedantic, reason = "fields have any names")]
                impl #name {
                    #(#functions)*
                }
            }
        }
    })
}

fn function(
    field: &Field,
    rename_all: RenameAll,
    input: &DeriveInput,
    paths: Option<&Ident>,
) -> Result<Option<TokenStream>> {
    let Some(ident) = &field.ident else {
        return Ok(None);
    };
    let serde = SerdeField::new(field, rename_all)?;
    if !serde.stored {
        return Ok(None);
    }
    if paths.is_none() && TAKEN.contains(&ident.unraw().to_string().as_str()) {
        let message = format!(
            "`{}::{ident}` is a function of every model, and cannot give the path of this field as \
             well: name a type for the paths, as in `#[model(paths = {}Paths)]`",
            input.ident, input.ident,
        );
        return Err(Error::new(ident.span(), message));
    }
    let (visibility, ty, name) = (&field.vis, &field.ty, &serde.name);
    let (name_of_model, parameters) = (&input.ident, input.generics.split_for_impl().1);
    let model = quote! { #name_of_model #parameters };
    let doc = format!("The path of the attribute `{name}`.");
    let encoding = match &serde.serialize_with {
        None => None,
        // An item inside of a function cannot name the type's parameters.
        Some(_) if !input.generics.params.is_empty() => return Ok(None),
        Some(with) => Some(quote! {
            enum Written {}

            impl ::bsm_dynamodb::Encode<#ty> for Written {
                fn encode(
                    value: &#ty,
                ) -> ::core::result::Result<
                    ::bsm_dynamodb::__private::AttributeValue,
                    ::bsm_dynamodb::CodecError,
                > {
                    struct Value<'a>(&'a #ty);

                    impl ::bsm_dynamodb::__private::serde::Serialize for Value<'_> {
                        fn serialize<S: ::bsm_dynamodb::__private::serde::Serializer>(
                            &self,
                            serializer: S,
                        ) -> ::core::result::Result<S::Ok, S::Error> {
                            #with(self.0, serializer)
                        }
                    }

                    <::bsm_dynamodb::Serde as ::bsm_dynamodb::Encode<Value<'_>>>::encode(
                        &Value(value),
                    )
                }
            }
        }),
    };
    // The error about a method of the same name points at the field.
    let path = match encoding {
        None => quote_spanned! { ident.span() => ::bsm_dynamodb::Path<#model, #ty> },
        Some(_) => quote_spanned! { ident.span() =>
            ::bsm_dynamodb::Path<#model, #ty, impl ::bsm_dynamodb::Encode<#ty>>
        },
    };
    let make = match encoding {
        None => quote! { ::bsm_dynamodb::Path::new(#name) },
        Some(_) => quote! { ::bsm_dynamodb::Path::<#model, #ty, Written>::new(#name) },
    };
    Ok(Some(quote_spanned! { ident.span() =>
        #[doc = #doc]
        #visibility fn #ident() -> #path {
            #encoding
            #make
        }
    }))
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn expanded(input: &DeriveInput, paths: Option<&Ident>) -> String {
        expand(input, paths).unwrap().to_string()
    }

    #[test]
    fn a_field_has_a_function_that_is_as_visible_as_the_field() {
        let input = parse_quote! {
            #[serde(rename_all = "camelCase")]
            struct User { pub user_id: String, r#type: u8 }
        };
        let text = expanded(&input, None);
        let wanted = "pub fn user_id () -> :: bsm_dynamodb :: Path < User , String >";
        assert!(text.contains(wanted), "{text}");
        assert!(text.contains(r#"Path :: new ("userId")"#), "{text}");
        assert!(text.contains("fn r#type ()"), "{text}");
    }

    #[test]
    fn what_serde_does_not_write_as_an_attribute_has_no_path() {
        let input = parse_quote! {
            struct User {
                #[serde(skip)] a: u8,
                #[serde(flatten)] b: Rest,
                #[serde(skip_serializing_if = "Option::is_none")] c: Option<u8>,
            }
        };
        let text = expanded(&input, None);
        assert!(
            !text.contains("fn a ()") && !text.contains("fn b ()"),
            "{text}"
        );
        assert!(text.contains("fn c ()"), "{text}");
    }

    #[test]
    fn a_value_is_written_as_the_field_is() {
        let input = parse_quote! {
            struct User {
                #[serde(with = "serde_dynamo::string_set")] tags: BTreeSet<String>,
                #[serde(serialize_with = "hex")] hash: u64,
            }
        };
        let text = expanded(&input, None);
        assert!(
            text.contains("serde_dynamo :: string_set :: serialize (self . 0"),
            "{text}"
        );
        assert!(text.contains("hex (self . 0"), "{text}");
    }

    #[test]
    fn every_function_of_a_model_is_known() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/model.rs");
        let source = std::fs::read_to_string(path).unwrap();
        let functions = source
            .lines()
            .filter_map(|line| line.strip_prefix("    fn "));
        let mut names = functions.filter_map(|rest| rest.split(['(', '<']).next());
        assert_eq!(names.find(|name| !TAKEN.contains(name)), None);
    }

    #[test]
    fn a_field_named_like_a_function_of_every_model_needs_a_type_for_the_paths() {
        let input = parse_quote! { struct Call { id: String, query: String } };
        let message = expand(&input, None).unwrap_err().to_string();
        assert!(message.contains("#[model(paths = CallPaths)]"), "{message}");
        let paths = parse_quote! { CallPaths };
        let text = expanded(&input, Some(&paths));
        assert!(text.contains("enum CallPaths"), "{text}");
        assert!(text.contains("fn query ()"), "{text}");
    }
}
