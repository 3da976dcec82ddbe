//! The implementation of `Model`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Result};

use crate::errors::Errors;
use crate::field::{KeyRole, ModelField, is_resource_name, model_attributes, set_once};
use crate::index::{Index, expand_key};
use crate::serde_attributes::SerdeContainer;

const OF_FIELDS: [&str; 7] = [
    "hash_key",
    "range_key",
    "key_type",
    "ttl",
    "version",
    "index",
    "local_index",
];

/// What `#[model(…)]` says on the struct.
#[derive(Default)]
pub(crate) struct StructOptions {
    table: Option<Expr>,
    region: Option<LitStr>,
    billing: Option<Expr>,
    codec: Option<Path>,
    pub(crate) paths: Option<Ident>,
}

impl StructOptions {
    /// Parses the options; what stands before an error is kept.
    pub(crate) fn parse(input: &DeriveInput, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        for attribute in model_attributes(&input.attrs) {
            errors.ok(attribute.parse_nested_meta(|meta| {
                let at = meta.path.span();
                if meta.path.is_ident("table") {
                    let name = meta.value()?.parse()?;
                    check_table_name(&name)?;
                    set_once("table", &mut options.table, name, at)
                } else if meta.path.is_ident("region") {
                    set_once("region", &mut options.region, meta.value()?.parse()?, at)
                } else if meta.path.is_ident("billing") {
                    set_once("billing", &mut options.billing, meta.value()?.parse()?, at)
                } else if meta.path.is_ident("codec") {
                    set_once("codec", &mut options.codec, meta.value()?.parse()?, at)
                } else if meta.path.is_ident("paths") {
                    set_once("paths", &mut options.paths, meta.value()?.parse()?, at)
                } else if OF_FIELDS.iter().any(|name| meta.path.is_ident(name)) {
                    Err(meta.error("this belongs on a field"))
                } else {
                    Err(meta.error("expected `table`, `region`, `billing`, `codec` or `paths`"))
                }
            }));
        }
        options
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
    hash: &'a ModelField<'a>,
    range: Option<&'a ModelField<'a>>,
    ttl: Option<&'a ModelField<'a>>,
    version: Option<&'a ModelField<'a>>,
}

impl<'a> Attributes<'a> {
    fn find(
        input: &DeriveInput,
        fields: &'a [ModelField<'a>],
        errors: &mut Errors,
    ) -> Option<Self> {
        let (mut hash, mut range) = (None, None);
        let (mut ttl, mut version) = (None, None);
        for field in fields {
            let options = &field.options;
            if let Some((role, at)) = options.key {
                let (name, place) = match role {
                    KeyRole::Hash => ("hash_key", &mut hash),
                    KeyRole::Range => ("range_key", &mut range),
                };
                errors.ok(set_once(name, place, field, at));
                errors.ok(check_key(field));
            }
            if options.ttl.or(options.version).is_some() {
                errors.ok(field.demand_stored("this is an attribute of the table"));
            }
            if let Some(at) = options.ttl {
                errors.ok(set_once("ttl", &mut ttl, field, at));
            }
            if let Some(at) = options.version {
                errors.ok(set_once("version", &mut version, field, at));
                if let Some(with) = &field.serde.serialize_with {
                    let message = "a version is stored as a number: remove the `with`";
                    errors.push(Error::new(with.span(), message));
                }
            }
        }
        if hash.is_none() {
            errors.push(Error::new(
                input.ident.span(),
                "a model needs a hash key: add `#[model(hash_key)]` to a field",
            ));
        }
        Some(Self {
            hash: hash?,
            range,
            ttl,
            version,
        })
    }
}

fn check_key(field: &ModelField<'_>) -> Result<()> {
    field.demand_stored("a key attribute is part of every item")?;
    match field.serde.conditional {
        None => Ok(()),
        Some(span) => Err(Error::new(
            span,
            "a key attribute is part of every item: serde must always write this field",
        )),
    }
}

/// Refuses what serde says on the struct if the fields are not what it writes then.
fn check_container(container: &SerdeContainer, errors: &mut Errors) {
    if let Some((_, span)) = &container.into {
        errors.push(Error::new(
            *span,
            "serde writes another type than this one, with attributes that are not known here: \
             derive `Model` for that type, or implement it by hand",
        ));
    }
    if let Some(span) = container.transparent {
        errors.push(Error::new(
            span,
            "serde writes the only field in place of the struct, and an item has attributes: \
             remove `transparent`",
        ));
    }
}

/// Refuses two fields that are written under one name.
fn check_names(fields: &[ModelField<'_>], errors: &mut Errors) {
    for (position, field) in fields.iter().enumerate() {
        let name = &field.serde.name;
        let is_same =
            |other: &ModelField<'_>| other.serde.unwritten.is_none() && other.serde.name == *name;
        if field.serde.unwritten.is_none() && fields[..position].iter().any(is_same) {
            let message = format!("another field is written as the attribute `{name}` already");
            errors.push(Error::new(field.ident.span(), message));
        }
    }
}

/// Writes the implementation and the types of the indexes, or nothing if that cannot be done.
pub(crate) fn expand(
    input: &DeriveInput,
    options: &StructOptions,
    container: &SerdeContainer,
    fields: &[ModelField<'_>],
    errors: &mut Errors,
) -> TokenStream {
    check_container(container, errors);
    check_names(fields, errors);
    if let Some(lifetime) = input.generics.lifetimes().next() {
        errors.push(Error::new(
            lifetime.span(),
            "a model owns its values, because it outlives the request: it cannot borrow",
        ));
    }
    if options.table.is_none() {
        errors.push(Error::new(
            input.ident.span(),
            "a model needs the name of its table: add `#[model(table = \"…\")]`",
        ));
    }
    let indexes = Index::find_all(input, fields, options.codec.is_some(), errors);
    match Attributes::find(input, fields, errors) {
        Some(attributes) => expand_model(input, options, fields, &attributes, &indexes, errors),
        None => TokenStream::new(),
    }
}

fn expand_model(
    input: &DeriveInput,
    options: &StructOptions,
    fields: &[ModelField<'_>],
    attributes: &Attributes<'_>,
    indexes: &[Index<'_>],
    errors: &mut Errors,
) -> TokenStream {
    let name = &input.ident;
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    let bounds = where_clause.map(|clause| &clause.predicates);
    let bounds = bounds.into_iter().flatten();
    let (hash, range) = (attributes.hash, attributes.range);
    let codec = match &options.codec {
        Some(codec) => quote! { #codec },
        None => quote! { ::bsm_dynamodb::Serde },
    };

    let index_keys = indexes.iter().flat_map(Index::key_fields);
    let key_bounds = std::iter::once(hash).chain(range).chain(index_keys);
    let key_bounds = key_bounds.filter_map(ModelField::key_bound);
    let ttl_bound = attributes.ttl.and_then(|field| {
        let ty = field.ty();
        // A function of the user's own writes what it likes.
        let is_plain = field.serde.serialize_with.is_none();
        is_plain.then(|| quote_spanned! { ty.span() => #ty: ::bsm_dynamodb::TtlAttribute, })
    });
    // What the trait demands holds for some parameters only.
    let generic_bounds = (!input.generics.params.is_empty()).then(|| {
        quote! {
            Self: ::core::marker::Sized + ::core::marker::Send + 'static,
            #codec: ::bsm_dynamodb::Codec<Self>,
        }
    });

    let (key, schema) = expand_key(&quote! { Self }, hash, range);
    let region = options.region.as_ref().map(|region| {
        quote! {
            const REGION: ::core::option::Option<&'static str> =
                ::core::option::Option::Some(#region);
        }
    });
    let billing = options.billing.as_ref().map(|billing| {
        quote! { const BILLING: ::bsm_dynamodb::Billing = #billing; }
    });
    let ttl = attributes.ttl.map(|field| {
        let name = &field.serde.name;
        quote! {
            const TTL: ::core::option::Option<&'static str> = ::core::option::Option::Some(#name);
        }
    });
    let version = attributes.version.map(expand_version);
    let markers = indexes.iter().map(Index::marker);
    let definitions = (!indexes.is_empty()).then(|| {
        quote! {
            const INDEXES: &'static [::bsm_dynamodb::IndexDefinition] =
                &[#(::bsm_dynamodb::IndexDefinition::of::<#markers>()),*];
        }
    });
    let index_types: Vec<_> = indexes
        .iter()
        .map(|index| index.expand(input, hash, fields, errors))
        .collect();
    let encodings = fields
        .iter()
        .filter_map(|field| field.expand_encoding(input));
    let hash_ident = hash.ident;
    let key_of_self = match range.map(|range| range.ident) {
        None => quote! { &self.#hash_ident },
        Some(range_ident) => quote! { (&self.#hash_ident, &self.#range_ident) },
    };
    let table = &options.table;

    quote! {
        #[automatically_derived]
        impl #impl_generics ::bsm_dynamodb::Model for #name #ty_generics
        where
            #(#bounds,)*
            #generic_bounds
            #(#key_bounds)*
            #ttl_bound
        {
            type Key = #key;
            type Codec = #codec;

            const KEY: ::bsm_dynamodb::KeySchema<Self::Key> = #schema;
            #region
            #billing
            #definitions
            #ttl
            #version

            fn table_name() -> ::std::borrow::Cow<'static, str> {
                ::core::convert::Into::into(#table)
            }

            fn __key(&self) -> ::bsm_dynamodb::__private::OwnKey {
                ::core::option::Option::Some(
                    ::bsm_dynamodb::IntoKey::<Self::Key>::into_key(#key_of_self)
                )
            }
        }

        #(#encodings)*
        #(#index_types)*
    }
}

/// Writes the version attribute. That the field is a `Version` is an error at its type if not.
fn expand_version(field: &ModelField<'_>) -> TokenStream {
    let (name, ident, ty) = (&field.serde.name, field.ident, field.ty());
    let of = quote_spanned! { ty.span() => |model: &Self| &model.#ident };
    quote! {
        const VERSION: ::core::option::Option<::bsm_dynamodb::VersionAttribute<Self>> =
            ::core::option::Option::Some(::bsm_dynamodb::VersionAttribute::new(#name, #of));
    }
}
