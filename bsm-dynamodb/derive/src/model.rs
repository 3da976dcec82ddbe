//! `#[derive(Model)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{
    Data, DeriveInput, Error, Expr, ExprLit, Field, Fields, Ident, Lit, LitStr, Path, Result, Type,
};

use crate::field::{FieldOptions, KeyRole, is_resource_name, model_attributes, set_once};
use crate::index::{Index, Indexes};
use crate::paths;
use crate::serde_names::{RenameAll, SerdeField};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let options = StructOptions::parse(input)?;
    let attributes = Attributes::find(input, &options)?;
    let model = expand(input, &options, &attributes)?;
    let paths = paths::expand(input, options.paths.as_ref())?;
    Ok(quote! { #model #paths })
}

const OF_FIELDS: [&str; 6] = [
    "hash_key",
    "range_key",
    "ttl",
    "version",
    "index",
    "local_index",
];

/// What `#[model(…)]` says on the struct.
struct StructOptions {
    table: Expr,
    region: Option<LitStr>,
    billing: Option<Expr>,
    codec: Option<Path>,
    paths: Option<Ident>,
}

impl StructOptions {
    fn parse(input: &DeriveInput) -> Result<Self> {
        let mut table = None;
        let mut region = None;
        let mut billing = None;
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
                } else if meta.path.is_ident("billing") {
                    set_once("billing", &mut billing, meta.value()?.parse()?, at)
                } else if meta.path.is_ident("codec") {
                    set_once("codec", &mut codec, meta.value()?.parse()?, at)
                } else if meta.path.is_ident("paths") {
                    set_once("paths", &mut paths, meta.value()?.parse()?, at)
                } else if OF_FIELDS.iter().any(|name| meta.path.is_ident(name)) {
                    Err(meta.error("this goes on a field"))
                } else {
                    Err(meta.error("expected `table`, `region`, `billing`, `codec` or `paths`"))
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
            billing,
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
    if is_resource_name(&literal.value()) {
        return Ok(());
    }
    Err(Error::new(
        literal.span(),
        "a table's name has 3 to 255 characters, out of a-z, A-Z, 0-9, '_', '-' and '.'",
    ))
}

/// The attributes that have a meaning to the table.
struct Attributes<'a> {
    hash: KeyField<'a>,
    range: Option<KeyField<'a>>,
    ttl: Option<String>,
    version: Option<VersionField<'a>>,
    indexes: Vec<Index<'a>>,
    /// Every field that serde writes, and its attribute.
    names: Vec<(&'a Ident, String)>,
}

struct VersionField<'a> {
    name: String,
    ident: &'a Ident,
    ty: &'a Type,
}

impl<'a> Attributes<'a> {
    fn find(input: &'a DeriveInput, options: &StructOptions) -> Result<Self> {
        let rename_all = RenameAll::of_struct(&input.attrs)?;
        let mut indexes = Indexes::new(rename_all, options.codec.is_some());
        let (mut hash, mut range) = (None, None);
        let (mut ttl, mut version) = (None, None);
        let mut names = Vec::new();
        for field in named_fields(input)? {
            let said = FieldOptions::parse(field)?;
            let serde = SerdeField::new(field, rename_all)?;
            if let Some((role, at)) = said.key {
                let (name, place) = match role {
                    KeyRole::Hash => ("hash_key", &mut hash),
                    KeyRole::Range => ("range_key", &mut range),
                };
                set_once(name, place, KeyField::new(field, &serde)?, at)?;
            }
            if let (Some(at), Some(skipped)) = (said.ttl.or(said.version), serde.skipped) {
                let mut error = Error::new(skipped, "serde must write and read this field");
                error.combine(Error::new(at, "as it is an attribute of the table"));
                return Err(error);
            }
            if let Some(at) = said.ttl {
                set_once("ttl", &mut ttl, serde.name.clone(), at)?;
            }
            if let (Some(at), Some(ident)) = (said.version, &field.ident) {
                let (name, ty) = (serde.name.clone(), &field.ty);
                let field = VersionField { name, ident, ty };
                set_once("version", &mut version, field, at)?;
            }
            for index in said.indexes {
                indexes.add(field, index)?;
            }
            if let (Some(ident), None) = (&field.ident, serde.skipped) {
                names.push((ident, serde.name));
            }
        }
        let hash = hash.ok_or_else(|| {
            Error::new(
                input.ident.span(),
                "a model needs a hash key: add `#[model(hash_key)]` to a field",
            )
        })?;
        let indexes = indexes.finish(input, range.is_some())?;
        Ok(Self {
            hash,
            range,
            ttl,
            version,
            indexes,
            names,
        })
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

struct KeyField<'a> {
    name: String,
    ty: &'a Type,
}

impl<'a> KeyField<'a> {
    fn new(field: &'a Field, serde: &SerdeField) -> Result<Self> {
        if let Some(span) = serde.skipped.or(serde.conditional) {
            return Err(Error::new(
                span,
                "a key attribute is part of every item: serde must always write this field",
            ));
        }
        Ok(Self {
            name: serde.name.clone(),
            ty: &field.ty,
        })
    }

    /// Demands that the field's type can be a key, in an error that points at the type.
    fn bound(&self) -> TokenStream {
        let ty = self.ty;
        quote_spanned! { ty.span() => #ty: ::bsm_dynamodb::KeyAttribute, }
    }
}

fn expand(
    input: &DeriveInput,
    options: &StructOptions,
    attributes: &Attributes<'_>,
) -> Result<TokenStream> {
    let name = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    let bounds = where_clause.map(|clause| &clause.predicates);
    let bounds = bounds.into_iter().flatten();
    let key_bounds = [Some(&attributes.hash), attributes.range.as_ref()];
    let key_bounds = key_bounds.into_iter().flatten().map(KeyField::bound);

    let (hash_name, hash_type) = (&attributes.hash.name, attributes.hash.ty);
    let (key, schema) = match &attributes.range {
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
    let billing = options.billing.as_ref().map(|billing| {
        quote! { const BILLING: ::bsm_dynamodb::Billing = #billing; }
    });
    let ttl = attributes.ttl.as_ref().map(|name| {
        quote! {
            const TTL: ::core::option::Option<&'static str> = ::core::option::Option::Some(#name);
        }
    });
    let version = attributes.version.as_ref().map(VersionField::expand);
    let markers = attributes.indexes.iter().map(|index| &index.marker);
    let indexes = (!attributes.indexes.is_empty()).then(|| {
        quote! {
            const INDEXES: &'static [::bsm_dynamodb::IndexDefinition] =
                &[#(::bsm_dynamodb::IndexDefinition::of::<#markers>()),*];
        }
    });
    let index_types = attributes
        .indexes
        .iter()
        .map(|index| index.expand(input, (hash_name, hash_type), &attributes.names))
        .collect::<Result<Vec<_>>>()?;
    let table = &options.table;

    Ok(quote! {
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
            #billing
            #indexes
            #ttl
            #version

            fn table_name() -> ::std::borrow::Cow<'static, str> {
                ::core::convert::Into::into(#table)
            }
        }

        #(#index_types)*
    })
}

impl VersionField<'_> {
    /// Demands that the field is a `Version`, in an error that points at its type.
    fn expand(&self) -> TokenStream {
        let Self { name, ident, ty } = self;
        let field = quote_spanned! { ty.span() => &model.#ident };
        quote! {
            const VERSION: ::core::option::Option<::bsm_dynamodb::VersionAttribute<Self>> =
                ::core::option::Option::Some(
                    ::bsm_dynamodb::VersionAttribute::new(#name, |model: &Self| #field)
                );
        }
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
    fn an_index_is_a_type_with_the_names_of_serde() {
        let text = expanded(&parse_quote! {
            #[model(table = "orders")]
            #[serde(rename_all = "camelCase")]
            pub(crate) struct Order {
                #[model(hash_key)] customer_id: String,
                #[model(range_key)] number: u64,
                #[model(index(ByCourier, name = "by-courier", projection = include(total_price)))]
                #[serde(skip_serializing_if = "Option::is_none")]
                courier_id: Option<CourierId>,
                #[model(index(ByCourier, range_key), local_index(ByDate, projection = keys_only))]
                date: String,
                total_price: u64,
            }
        });
        for wanted in [
            "pub (crate) enum ByCourier { }",
            "type Key = (CourierId , String) ;",
            r#"NAME : & 'static str = "by-courier""#,
            r#"hash_and_range ("courierId" , "date")"#,
            "GlobalIndex",
            r#"Include (& ["totalPrice"])"#,
            "pub (crate) enum ByDate { }",
            r#"hash_and_range ("customerId" , "date")"#,
            "LocalIndex",
            "Projection :: KeysOnly",
            "IndexDefinition :: of :: < ByCourier > ()",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in {text}");
        }
    }

    #[test]
    fn an_index_that_dynamodb_would_refuse_does_not_compile() {
        let refused = |field: TokenStream, wanted: &str| {
            let message = refused(&parse_quote! {
                #[model(table = "users")]
                struct User { #[model(hash_key)] id: String, #field }
            });
            assert!(message.contains(wanted), "{message}");
        };
        refused(
            quote! { #[model(index(ByName, range_key))] name: String },
            "a global index has a hash key",
        );
        refused(
            quote! { #[model(local_index(ByName))] name: String },
            "a table with local indexes has a range key",
        );
        refused(
            quote! { #[model(index(ByName))] name: Option<String> },
            "skip_serializing_if",
        );
        refused(
            quote! { #[model(index(ByName, name = "no spaces"))] name: String },
            "3 to 255 characters",
        );
        refused(
            quote! { #[model(index(ByName, projection = include(nothing)))] name: String },
            "no such field",
        );
        refused(
            quote! { #[model(index(ByName))] name: String, #[model(index(ByName))] other: String },
            "an index has one hash key",
        );
        refused(
            quote! { #[model(index(hash_key))] name: String },
            "needs the name of a type",
        );
    }

    #[test]
    fn billing_time_to_live_and_version() {
        let text = expanded(&parse_quote! {
            #[model(table = "users", billing = Billing::Provisioned { read: 5, write: 2 })]
            struct User {
                #[model(hash_key)] id: String,
                #[model(ttl)] #[serde(rename = "exp")] expires: u64,
                #[model(version)] version: Version,
            }
        });
        assert!(text.contains("Billing = Billing :: Provisioned { read : 5 , write : 2 } ;"));
        assert!(text.contains(r#"Some ("exp")"#));
        assert!(
            text.contains(r#"new ("version" , | model : & Self | & model . version)"#),
            "{text}"
        );

        let message = refused(&parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key)] id: String, #[model(ttl)] #[serde(skip)] ttl: u64 }
        });
        assert!(message.contains("must write and read"), "{message}");
        let message = refused(&parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key, version)] id: Version }
        });
        assert!(message.contains("a key cannot change"), "{message}");
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
