//! The functions that return the paths of a model's attributes.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{DeriveInput, Error, Ident, Result};

use crate::errors::Errors;
use crate::field::ModelField;

/// The functions of the trait `Model` that can be called as `User::name()`.
pub(crate) const TAKEN: [&str; 20] = [
    "__check_flattened",
    "__key",
    "__rest",
    "__rest_mut",
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
pub(crate) fn expand(
    input: &DeriveInput,
    fields: &[ModelField<'_>],
    paths: Option<&Ident>,
    errors: &mut Errors,
) -> TokenStream {
    let functions: Vec<_> = fields
        .iter()
        .filter(|field| field.serde.unwritten.is_none())
        .filter_map(|field| errors.ok(function(field, input, paths)))
        .collect();
    let (model, visibility) = (&input.ident, &input.vis);
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    match paths {
        None => quote! {
            #[automatically_derived]
            #[allow(dead_code, clippy::all, clippy::pedantic, reason = "fields have any names")]
            impl #impl_generics #model #ty_generics #where_clause {
                #(#functions)*
            }
        },
        Some(name) if !input.generics.params.is_empty() => {
            // The paths name the parameters of the model, which the type doesn't have.
            errors.push(Error::new(
                name.span(),
                "a generic model cannot have a type for its paths: remove `paths`",
            ));
            TokenStream::new()
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
    }
}

fn function(
    field: &ModelField<'_>,
    input: &DeriveInput,
    paths: Option<&Ident>,
) -> Result<TokenStream> {
    let ident = field.ident;
    if paths.is_none() && TAKEN.contains(&field.plain_name().as_str()) {
        let message = format!(
            "`{}::{ident}` is a function of every model, and cannot return the path of this field \
             as well: name a type for the paths, as in `#[model(paths = {}Paths)]`",
            input.ident, input.ident,
        );
        return Err(Error::new(ident.span(), message));
    }
    let (visibility, ty, name) = (&field.field.vis, field.ty(), &field.serde.name);
    let (name_of_model, parameters) = (&input.ident, input.generics.split_for_impl().1);
    let model = quote! { #name_of_model #parameters };
    let doc = format!("The path of the attribute `{name}`.");
    let encoding = field
        .encoding(&model)
        .map(|encoding| quote! { , #encoding });
    let is_plain = field.serde.serialize_with.is_none() && !field.serde.is_read_otherwise;
    let check = match is_plain {
        true => quote! {{
            // Inside a block, so that the traits are in scope for this expression only.
            use ::bsm_dynamodb::__private::{Checked as _, NotReadBack as _};
            (&::bsm_dynamodb::__private::ReadBack::<#ty>::NEW).check()
        }},
        // Functions of the user's own read and write it.
        false => quote! { ::core::option::Option::None },
    };
    let left_out_if = field.left_out_if();
    // An error about another method of this name points at the field.
    Ok(quote_spanned! { ident.span() =>
        #[doc = #doc]
        #visibility fn #ident() -> ::bsm_dynamodb::Path<#model, #ty #encoding> {
            ::bsm_dynamodb::Path::__field(#name, #check)#left_out_if
        }
    })
}
