//! The indexes whose keys have templates: `#[model(index(ByStatus, hash_key = "STATUS#{status}"))]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::{DeriveInput, Ident, LitStr, Result, Token};

use crate::errors::Errors;
use crate::field::{ModelField, ProjectionOption, check_index_name, set_once_in_index};
use crate::index::{IndexParts, expand_projection};
use crate::template::{Template, TemplateKey};

/// What `index(…)` says on the struct.
pub(crate) struct TemplateIndex {
    pub(crate) marker: Ident,
    name: String,
    hash: Template,
    range: Option<Template>,
    hash_name: Option<LitStr>,
    range_name: Option<LitStr>,
    projection: Option<ProjectionOption>,
}

impl TemplateIndex {
    pub(crate) fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let mut marker: Option<Ident> = None;
        let (mut name, mut hash_name, mut range_name) = (None::<LitStr>, None, None);
        let (mut hash, mut range, mut projection) = (None, None, None);
        meta.parse_nested_meta(|meta| {
            let at = meta
                .path
                .get_ident()
                .map_or_else(|| meta.input.span(), Ident::span);
            if meta.path.is_ident("hash_key") {
                set_once_in_index("hash key", &mut hash, Template::parse(&meta)?, at)
            } else if meta.path.is_ident("range_key") {
                set_once_in_index("range key", &mut range, Template::parse(&meta)?, at)
            } else if meta.path.is_ident("hash_name") {
                set_once_in_index("hash name", &mut hash_name, meta.value()?.parse()?, at)
            } else if meta.path.is_ident("range_name") {
                set_once_in_index("range name", &mut range_name, meta.value()?.parse()?, at)
            } else if meta.path.is_ident("name") {
                let literal: LitStr = meta.value()?.parse()?;
                check_index_name(&literal.value(), literal.span())?;
                set_once_in_index("name", &mut name, literal, at)
            } else if meta.path.is_ident("projection") {
                let found = ProjectionOption::parse(&meta)?;
                set_once_in_index("projection", &mut projection, found, at)
            } else if meta.input.is_empty() || meta.input.peek(Token![,]) {
                let found = meta.path.require_ident()?.clone();
                set_once_in_index("type", &mut marker, found, at)
            } else {
                Err(meta.error(
                    "expected the type of the index, `hash_key`, `range_key`, `hash_name`, \
                     `range_name`, `name` or `projection`",
                ))
            }
        })?;
        let marker = marker.ok_or_else(|| {
            meta.error("an index needs the name of a type for it, as in `index(ByEmail, …)`")
        })?;
        let hash = hash.ok_or_else(|| {
            meta.error(
                "an index that stands on the struct has a template for its hash key: add \
                 `hash_key = \"…\"`, or move it to a field",
            )
        })?;
        let name = match name {
            Some(name) => name.value(),
            None => {
                // The name of the type is then also that of the index, and may be too short for one.
                check_index_name(&marker.to_string(), marker.span())?;
                marker.to_string()
            }
        };
        Ok(Self {
            marker,
            name,
            hash,
            range,
            hash_name,
            range_name,
            projection,
        })
    }

    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        std::iter::once(&self.hash).chain(&self.range)
    }

    /// The templates and the names of the attributes: `gsi1pk` and `gsi1sk` for an index `gsi1`.
    pub(crate) fn key(&self) -> TemplateKey<'_> {
        let name = |given: &Option<LitStr>, suffix: &str| {
            let given = given.as_ref().map(LitStr::value);
            given.unwrap_or_else(|| format!("{}{suffix}", self.name))
        };
        let range = self.range.as_ref();
        TemplateKey {
            hash: (&self.hash, name(&self.hash_name, "pk")),
            range: range.map(|range| (range, name(&self.range_name, "sk"))),
        }
    }

    /// Writes the type that stands for the index.
    pub(crate) fn expand(
        &self,
        input: &DeriveInput,
        fields: &[ModelField<'_>],
        entity: Option<&str>,
        errors: &mut Errors,
    ) -> TokenStream {
        let (name, marker) = (&input.ident, &self.marker);
        let (model, owner) = (quote! { #name }, quote! { #marker });
        let key = self.key();
        // After this error, the rest of the expansion would only repeat it.
        let Some(all) = errors.ok(key.fields(fields)) else {
            return TokenStream::new();
        };
        let templates = errors.ok(key.expand(input, &owner, fields));
        let key_type = key.key_type(&model, &owner, &all);
        let parts = IndexParts {
            // The schema takes the names from the templates, which the index itself implements.
            schema: quote! { ::bsm_dynamodb::KeySchema::composite() },
            // A local index has the hash key of the table, so a template on the struct is for a global one.
            kind: quote! { GlobalIndex },
            more_keys: Vec::new(),
            projection: expand_projection(self.projection.as_ref(), fields, entity, errors),
            key: key_type,
        };
        let index = parts.expand(input, marker, &self.name);
        quote! { #index #templates }
    }
}
