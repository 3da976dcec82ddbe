//! The indexes of a model, put together from what its fields say.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, Ident, Result};

use crate::errors::Errors;
use crate::field::{
    IndexOptions, KeyRole, ModelField, ProjectionOption, inside_of_option, set_once_in_index,
};

/// The most local indexes of a table.
///
/// Source: "Service quotas" in the Amazon DynamoDB Developer Guide.
const MAX_LOCAL: usize = 5;

/// The most hash keys, and the most range keys, of a global index.
///
/// Source: [Multi-attribute keys pattern](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html)
/// in the Developer Guide.
const MAX_KEYS: usize = 4;

/// The most attributes that DynamoDB includes in one index besides the keys.
///
/// Source: [Projection](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Projection.html) in the API
/// Reference.
const MAX_INCLUDED: usize = 20;

/// What the options of a struct say about its table.
#[derive(Clone, Copy)]
pub(crate) struct TableOptions {
    pub(crate) has_own_codec: bool,
    pub(crate) has_hash_template: bool,
    pub(crate) has_range_template: bool,
}

/// An index of a model.
pub(crate) struct Index<'a> {
    marker: &'a Ident,
    is_local: bool,
    name: Option<String>,
    /// In the order of the fields; a local index has none.
    hash: Vec<&'a ModelField<'a>>,
    range: Vec<&'a ModelField<'a>>,
    projection: Option<&'a ProjectionOption>,
}

impl<'a> Index<'a> {
    /// Finds the indexes, in the order in which the fields first name them.
    pub(crate) fn find_all(
        input: &DeriveInput,
        fields: &'a [ModelField<'a>],
        table: TableOptions,
        errors: &mut Errors,
    ) -> Vec<Self> {
        let mut indexes = Vec::new();
        for field in fields {
            for options in &field.options.indexes {
                errors.ok(check_field(field, options, table.has_own_codec));
                errors.ok(add(&mut indexes, field, options));
            }
        }
        // After the loop, because the hash key of an index may be on a field that follows.
        let has_range =
            |field: &ModelField<'_>| matches!(field.options.key, Some((KeyRole::Range, _)));
        let table_has_range = fields.iter().any(has_range) || table.has_range_template;
        let mut local = 0;
        for index in &indexes {
            // Counted along, so that the first five local indexes get no error.
            local += usize::from(index.is_local);
            errors.ok(index.check(input, table.has_hash_template, table_has_range, local));
        }
        indexes
    }

    /// Checks what can only be checked when every field is known.
    fn check(
        &self,
        input: &DeriveInput,
        has_template: bool,
        table_has_range: bool,
        local: usize,
    ) -> Result<()> {
        let problem = if !input.generics.params.is_empty() {
            "a generic model cannot have indexes: implement `Model` and `Index` by hand"
        } else if self.is_local && !table_has_range && has_template {
            "a table with local indexes has a range key: add `range_key = \"…\"` to the template of the \
             hash key"
        } else if self.is_local && !table_has_range {
            "a table with local indexes has a range key: add `#[model(range_key)]` to a field"
        } else if local > MAX_LOCAL {
            "a table has at most 5 local indexes: make this one a global `index`, with a hash key"
        } else if !self.is_local && self.hash.is_empty() {
            "a global index has a hash key: add `index(…, hash_key)` to a field, or make it a \
             `local_index`, which has the table's"
        } else if self.hash.len().max(self.range.len()) > MAX_KEYS {
            "a global index has at most 4 hash keys and 4 range keys"
        } else {
            return Ok(());
        };
        Err(Error::new(self.marker.span(), problem))
    }

    pub(crate) fn marker(&self) -> &'a Ident {
        self.marker
    }

    /// The fields that are keys of the index.
    pub(crate) fn key_fields(&self) -> impl Iterator<Item = &'a ModelField<'a>> {
        self.hash.iter().chain(&self.range).copied()
    }

    /// Writes the type that stands for the index.
    pub(crate) fn expand(
        &self,
        input: &DeriveInput,
        table_hash: &TableHash<'_>,
        fields: &[ModelField<'_>],
        entity: Option<&str>,
        errors: &mut Errors,
    ) -> TokenStream {
        let Self { marker, .. } = self;
        let model = &input.ident;
        let name = self.name.clone().unwrap_or_else(|| marker.to_string());
        let model = quote! { #model };
        let (range, more_ranges) = first(&self.range);
        let (hash, more_hashes) = first(&self.hash);
        let (key, schema) = match (hash, table_hash, range) {
            (Some(hash), _, range) => expand_key(&model, hash, range),
            (None, TableHash::Field(hash), range) => expand_key(&model, hash, range),
            (None, TableHash::Template { name, key }, Some(range)) => {
                let (range_name, range) = (&range.serde.name, range.key_element(&model));
                (
                    quote! { (#key, #range) },
                    quote! { ::bsm_dynamodb::KeySchema::hash_and_range(#name, #range_name) },
                )
            }
            // There is an error about it.
            (None, TableHash::Template { .. }, None) => return TokenStream::new(),
        };
        let kind = match self.is_local {
            true => quote! { LocalIndex },
            false => quote! { GlobalIndex },
        };
        let part = |role: TokenStream, field: &ModelField<'_>| {
            let (name, ty) = (&field.serde.name, field.key_element(&model));
            quote! { ::bsm_dynamodb::KeyPart::#role::<#ty>(#name) }
        };
        let more_hashes = more_hashes.iter().map(|field| part(quote! { hash }, field));
        let more_ranges = more_ranges
            .iter()
            .map(|field| part(quote! { range }, field));
        let more_keys = more_hashes.chain(more_ranges).collect();
        let projection = expand_projection(self.projection, fields, entity, errors);
        let parts = IndexParts {
            key,
            schema,
            more_keys,
            kind,
            projection,
        };
        parts.expand(input, marker, &name)
    }
}

/// The hash key of the table, which its local indexes share.
pub(crate) enum TableHash<'a> {
    Field(&'a ModelField<'a>),
    /// The name of the attribute that has the template, and its type in keys.
    Template {
        name: String,
        key: TokenStream,
    },
}

/// What an index of fields and an index of templates have in common.
pub(crate) struct IndexParts {
    pub(crate) key: TokenStream,
    pub(crate) schema: TokenStream,
    /// The attributes of the key that the schema does not have.
    pub(crate) more_keys: Vec<TokenStream>,
    pub(crate) kind: TokenStream,
    pub(crate) projection: TokenStream,
}

impl IndexParts {
    /// Writes the type that stands for the index.
    pub(crate) fn expand(self, input: &DeriveInput, marker: &Ident, name: &str) -> TokenStream {
        let (model, visibility) = (&input.ident, &input.vis);
        let Self {
            key,
            schema,
            more_keys,
            kind,
            projection,
        } = self;
        let more_keys = (!more_keys.is_empty()).then(|| {
            quote! { const MORE_KEYS: &'static [::bsm_dynamodb::KeyPart] = &[#(#more_keys),*]; }
        });
        let doc = format!("The index `{name}` of [`{model}`].");
        quote! {
            // Without variants, because it stands for the index as a type and never has a value.
            #[doc = #doc]
            #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
            #visibility enum #marker {}

            #[automatically_derived]
            impl ::bsm_dynamodb::Index for #marker {
                type Model = #model;
                type Key = #key;
                type Kind = ::bsm_dynamodb::#kind;

                const NAME: &'static str = #name;
                const KEY: ::bsm_dynamodb::KeySchema<Self::Key> = #schema;
                #more_keys
                const PROJECTION: ::bsm_dynamodb::Projection =
                    ::bsm_dynamodb::Projection::#projection;
            }
        }
    }
}

/// Writes the projection of an index, which includes the attribute that tells entities apart.
pub(crate) fn expand_projection(
    projection: Option<&ProjectionOption>,
    fields: &[ModelField<'_>],
    entity: Option<&str>,
    errors: &mut Errors,
) -> TokenStream {
    match projection {
        None | Some(ProjectionOption::All) => quote! { All },
        Some(ProjectionOption::KeysOnly) => quote! { KeysOnly },
        Some(ProjectionOption::Include(included)) => {
            let mut names: Vec<&str> = Vec::new();
            for ident in included {
                // The attribute of the entity is no field, and included in any case.
                if entity.is_some_and(|entity| ident == entity) {
                    continue;
                }
                let Some(name) = errors.ok(attribute_name(ident, fields)) else {
                    continue;
                };
                if names.contains(&name) {
                    let message = "an index includes an attribute once: remove it here";
                    errors.push(Error::new(ident.span(), message));
                }
                names.push(name);
            }
            // Without the attribute of the entity, reads of the index could not leave other models out.
            names.extend(entity);
            if names.len() > MAX_INCLUDED
                && let Some(last) = included.last()
            {
                let and_entity = entity.map(|entity| format!(", of which `{entity}` is one"));
                let message = format!(
                    "an index includes at most {MAX_INCLUDED} attributes besides the keys{}",
                    and_entity.unwrap_or_default()
                );
                errors.push(Error::new(last.span(), message));
            }
            quote! { Include(&[#(#names),*]) }
        }
    }
}

/// Adds what one field says of an index.
fn add<'a>(
    indexes: &mut Vec<Index<'a>>,
    field: &'a ModelField<'a>,
    options: &'a IndexOptions,
) -> Result<()> {
    let at = options.marker.span();
    let known = indexes
        .iter()
        .position(|index| *index.marker == options.marker);
    let position = known.unwrap_or_else(|| {
        indexes.push(Index {
            marker: &options.marker,
            is_local: options.is_local,
            name: None,
            hash: Vec::new(),
            range: Vec::new(),
            projection: None,
        });
        indexes.len() - 1
    });
    // The options of an index may be spread over its fields, in any order.
    let index = &mut indexes[position];
    if index.is_local != options.is_local {
        let message = "an index is either local or global: `local_index` stands on one field";
        return Err(Error::new(at, message));
    }
    if let Some(name) = &options.name {
        set_once_in_index("name", &mut index.name, name.value(), name.span())?;
    }
    if let Some(projection) = &options.projection {
        set_once_in_index("projection", &mut index.projection, projection, at)?;
    }
    if index.key_fields().any(|key| std::ptr::eq(key, field)) {
        let message = "the field is a key of this index already: remove this";
        return Err(Error::new(at, message));
    }
    let keys = match options.role {
        KeyRole::Hash => &mut index.hash,
        KeyRole::Range => &mut index.range,
    };
    if index.is_local && !keys.is_empty() {
        let message = "a local index has only one range key: remove the others";
        return Err(Error::new(at, message));
    }
    // Most likely the same name was given to two indexes.
    if !options.is_role_given && !keys.is_empty() {
        let message = format!(
            "the index has a hash key already: write `index({}, hash_key)` if it has several, or else \
             remove the others",
            options.marker
        );
        return Err(Error::new(at, message));
    }
    keys.push(field);
    Ok(())
}

/// Splits off the first key.
fn first<'k, 'a>(
    keys: &'k [&'a ModelField<'a>],
) -> (Option<&'a ModelField<'a>>, &'k [&'a ModelField<'a>]) {
    match keys {
        [] => (None, &[]),
        [first, others @ ..] => (Some(first), others),
    }
}

fn check_field(field: &ModelField<'_>, options: &IndexOptions, has_own_codec: bool) -> Result<()> {
    field.demand_stored("the key of an index is an attribute")?;
    let is_optional = inside_of_option(field.ty()).is_some();
    // Another codec, such as `Sparse`, may leave the attribute out by itself.
    if is_optional && field.serde.skip_if.is_none() && !has_own_codec {
        return Err(Error::new(
            options.marker.span(),
            "serde writes None as NULL, which DynamoDB refuses for the key of an index: add \
             `#[serde(skip_serializing_if = \"Option::is_none\")]`, and the index will leave out \
             the item",
        ));
    }
    Ok(())
}

/// Writes the type and the schema of a key.
pub(crate) fn expand_key(
    model: &TokenStream,
    hash: &ModelField<'_>,
    range: Option<&ModelField<'_>>,
) -> (TokenStream, TokenStream) {
    let (hash_name, hash_type) = (&hash.serde.name, hash.key_element(model));
    match range {
        None => (
            hash_type,
            quote! { ::bsm_dynamodb::KeySchema::hash(#hash_name) },
        ),
        Some(range) => {
            let (name, ty) = (&range.serde.name, range.key_element(model));
            (
                quote! { (#hash_type, #ty) },
                quote! { ::bsm_dynamodb::KeySchema::hash_and_range(#hash_name, #name) },
            )
        }
    }
}

fn attribute_name<'n>(ident: &Ident, fields: &'n [ModelField<'_>]) -> Result<&'n str> {
    fields
        .iter()
        .find(|field| field.ident == ident && field.serde.unwritten.is_none())
        .map(|field| field.serde.name.as_str())
        .ok_or_else(|| Error::new(ident.span(), "the model has no such field"))
}
