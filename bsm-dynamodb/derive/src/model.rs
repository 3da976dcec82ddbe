//! `#[derive(Model)]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, Ident, Lit, LitStr, Path,
    Result, Type,
};

use crate::paths;
use crate::serde_names::{RenameAll, SerdeField};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let options = StructOptions::parse(input)?;
    let keys = Keys::find(input)?;
    let model = expand(input, &options, &keys);
    let paths = paths::expand(input, options.paths.as_ref())?;
    Ok(quote! { #model #paths })
}

/// What `#[model(…)]` says on the struct.
struct StructOptions {
    table: Expr,
    region: Option<LitStr>,
    codec: Option<Path>,
    paths: Option<Ident>,
}

impl StructOptions {
    fn parse(input: &DeriveInput) -> Result<Self> {
        let mut table = None;
        let mut region = None;
        let mut codec = None;
        let mut paths = None;
        for attribute in model_attributes(&input.attrs) {
            attribute.parse_nested_meta(|meta| {
                let at = meta.path.span();
                if meta.path.is_ident("table") {
                    let name = meta.value()?.parse()?;
                    check_table_name(&name)?;
                    set_once("table", &mut table, name, at)
                } else if meta.path.is_ident("region") {
                    set_once("region", &mut region, meta.value()?.parse()?, at)
                } else if meta.path.is_ident("codec") {
                    set_once("codec", &mut codec, meta.value()?.parse()?, at)
                } else if meta.path.is_ident("paths") {
                    set_once("paths", &mut paths, meta.value()?.parse()?, at)
                } else if meta.path.is_ident("hash_key") || meta.path.is_ident("range_key") {
                    Err(meta.error("this goes on a field"))
                } else {
                    Err(meta.error("expected `table`, `region`, `codec` or `paths`"))
                }
            })?;
        }
        let table = table.ok_or_else(|| {
            Error::new(
                input.ident.span(),
                "a model needs the name of its table: add `#[model(table = \"…\")]`",
            )
        })?;
        Ok(Self {
            table,
            region,
            codec,
            paths,
        })
    }
}

/// Refuses a literal that DynamoDB would refuse as the name of a table.
///
/// Source: "Naming rules" in the Amazon DynamoDB Developer Guide.
fn check_table_name(name: &Expr) -> Result<()> {
    let Expr::Lit(ExprLit {
        lit: Lit::Str(literal),
        ..
    }) = name
    else {
        return Ok(());
    };
    let name = literal.value();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if (3..=255).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Error::new(
        literal.span(),
        "a table's name has 3 to 255 characters, out of a-z, A-Z, 0-9, '_', '-' and '.'",
    ))
}

/// The key attributes of the table.
struct Keys<'a> {
    hash: KeyField<'a>,
    range: Option<KeyField<'a>>,
}

impl<'a> Keys<'a> {
    fn find(input: &'a DeriveInput) -> Result<Self> {
        let rename_all = RenameAll::of_struct(&input.attrs)?;
        let mut hash = None;
        let mut range = None;
        for field in named_fields(input)? {
            match FieldRole::parse(field)? {
                Some(FieldRole::HashKey(at)) => {
                    set_once("hash_key", &mut hash, KeyField::new(field, rename_all)?, at)?;
                }
                Some(FieldRole::RangeKey(at)) => {
                    set_once(
                        "range_key",
                        &mut range,
                        KeyField::new(field, rename_all)?,
                        at,
                    )?;
                }
                None => {}
            }
        }
        let hash = hash.ok_or_else(|| {
            Error::new(
                input.ident.span(),
                "a model needs a hash key: add `#[model(hash_key)]` to a field",
            )
        })?;
        Ok(Self { hash, range })
    }
}

pub(crate) fn named_fields(input: &DeriveInput) -> Result<impl Iterator<Item = &Field>> {
    match &input.data {
        Data::Struct(data) if matches!(data.fields, Fields::Named(_)) => Ok(data.fields.iter()),
        _ => Err(Error::new(
            input.ident.span(),
            "Model is derived for a struct with named fields; for other types implement it by hand",
        )),
    }
}

/// What `#[model(…)]` says on a field.
enum FieldRole {
    HashKey(Span),
    RangeKey(Span),
}

impl FieldRole {
    fn parse(field: &Field) -> Result<Option<Self>> {
        let mut role = None;
        for attribute in model_attributes(&field.attrs) {
            attribute.parse_nested_meta(|meta| {
                let found = if meta.path.is_ident("hash_key") {
                    Self::HashKey(meta.path.span())
                } else if meta.path.is_ident("range_key") {
                    Self::RangeKey(meta.path.span())
                } else {
                    return Err(meta.error("expected `hash_key` or `range_key`"));
                };
                if role.replace(found).is_some() {
                    return Err(meta.error("a field is one of `hash_key` and `range_key`"));
                }
                Ok(())
            })?;
        }
        Ok(role)
    }
}

struct KeyField<'a> {
    name: String,
    ty: &'a Type,
}

impl<'a> KeyField<'a> {
    fn new(field: &'a Field, rename_all: RenameAll) -> Result<Self> {
        let SerdeField { name, absent, .. } = SerdeField::new(field, rename_all)?;
        if let Some(span) = absent {
            return Err(Error::new(
                span,
                "a key attribute is part of every item: serde must always write this field",
            ));
        }
        let ty = &field.ty;
        Ok(Self { name, ty })
    }

    /// Demands that the field's type can be a key, in an error that points at the type.
    fn bound(&self) -> TokenStream {
        let ty = self.ty;
        quote_spanned! { ty.span() => #ty: ::bsm_dynamodb::KeyAttribute, }
    }
}

fn expand(input: &DeriveInput, options: &StructOptions, keys: &Keys<'_>) -> TokenStream {
    let name = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    let bounds = where_clause.map(|clause| &clause.predicates);
    let bounds = bounds.into_iter().flatten();
    let key_bounds = [Some(&keys.hash), keys.range.as_ref()];
    let key_bounds = key_bounds.into_iter().flatten().map(KeyField::bound);

    let (hash_name, hash_type) = (&keys.hash.name, &keys.hash.ty);
    let (key, schema) = match &keys.range {
        None => (
            quote! { #hash_type },
            quote! { ::bsm_dynamodb::KeySchema::hash(#hash_name) },
        ),
        Some(KeyField { name, ty }) => (
            quote! { (#hash_type, #ty) },
            quote! { ::bsm_dynamodb::KeySchema::hash_and_range(#hash_name, #name) },
        ),
    };
    let codec = match &options.codec {
        Some(codec) => quote! { #codec },
        None => quote! { ::bsm_dynamodb::Serde },
    };
    let region = options.region.as_ref().map(|region| {
        quote! {
            const REGION: ::core::option::Option<&'static str> =
                ::core::option::Option::Some(#region);
        }
    });
    let table = &options.table;

    quote! {
        #[automatically_derived]
        impl #impl_generics ::bsm_dynamodb::Model for #name #ty_generics
        where
            #(#bounds,)*
            #(#key_bounds)*
        {
            type Key = #key;
            type Codec = #codec;

            const KEY: ::bsm_dynamodb::KeySchema<Self::Key> = #schema;
            #region

            fn table_name() -> ::std::borrow::Cow<'static, str> {
                ::core::convert::Into::into(#table)
            }
        }
    }
}

fn model_attributes(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("model"))
}

fn set_once<T>(name: &str, place: &mut Option<T>, value: T, at: Span) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(at, format!("a model has one `{name}`"))),
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn expanded(input: &DeriveInput) -> String {
        derive(input).unwrap().to_string()
    }

    fn refused(input: &DeriveInput) -> String {
        derive(input).unwrap_err().to_string()
    }

    #[test]
    fn the_smallest_model() {
        let text = expanded(&parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key)] id: String }
        });
        assert!(text.contains("type Key = String ;"));
        assert!(text.contains("type Codec = :: bsm_dynamodb :: Serde ;"));
        assert!(text.contains(r#"KeySchema :: hash ("id")"#));
        assert!(text.contains(r#"Into :: into ("users")"#));
        assert!(!text.contains("REGION"));
    }

    #[test]
    fn a_range_key_a_region_and_a_codec() {
        let text = expanded(&parse_quote! {
            #[model(table = table_name(), region = "eu-west-1", codec = Mine)]
            #[serde(rename_all = "camelCase")]
            struct Order {
                #[model(hash_key)] customer_id: CustomerId,
                #[model(range_key)] #[serde(rename = "n")] number: u64,
            }
        });
        assert!(text.contains("type Key = (CustomerId , u64) ;"));
        assert!(text.contains("type Codec = Mine ;"));
        assert!(text.contains(r#"hash_and_range ("customerId" , "n")"#));
        assert!(text.contains(r#"Some ("eu-west-1")"#));
        assert!(text.contains("Into :: into (table_name ())"));
    }

    #[test]
    fn what_is_missing_or_double_is_named() {
        let message = refused(&parse_quote! { struct User { #[model(hash_key)] id: String } });
        assert!(message.contains("#[model(table"), "{message}");

        let message =
            refused(&parse_quote! { #[model(table = "users")] struct User { id: String } });
        assert!(message.contains("#[model(hash_key)]"), "{message}");

        let message = refused(&parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key)] a: String, #[model(hash_key)] b: String }
        });
        assert_eq!(message, "a model has one `hash_key`");

        let message = refused(&parse_quote! {
            #[model(table = "users", table = "people")]
            struct User { #[model(hash_key)] a: String }
        });
        assert_eq!(message, "a model has one `table`");

        let message = refused(&parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key, range_key)] a: String }
        });
        assert!(message.contains("one of"), "{message}");
    }

    #[test]
    fn a_table_name_that_aws_refuses_does_not_compile() {
        for name in ["", "us", "user table", "b\u{fc}cher"] {
            let message = refused(&parse_quote! {
                #[model(table = #name)]
                struct User { #[model(hash_key)] a: String }
            });
            assert!(message.contains("3 to 255 characters"), "{name}: {message}");
        }
    }

    #[test]
    fn a_key_that_serde_may_leave_out_does_not_compile() {
        let message = refused(&parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key)] #[serde(skip)] id: String }
        });
        assert!(message.contains("part of every item"), "{message}");
    }

    #[test]
    fn an_enum_is_refused() {
        let message = refused(&parse_quote! { #[model(table = "users")] enum User { A } });
        assert!(message.contains("named fields"), "{message}");
    }
}
