//! What `#[model(…)]` says on a field.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, Field, Ident, LitStr, Result, Token, parenthesized};

/// What `#[model(…)]` says on a field.
#[derive(Default)]
pub(crate) struct FieldOptions {
    pub(crate) key: Option<(KeyRole, Span)>,
    pub(crate) ttl: Option<Span>,
    pub(crate) version: Option<Span>,
    pub(crate) indexes: Vec<IndexOptions>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum KeyRole {
    Hash,
    Range,
}

/// What `index(…)` or `local_index(…)` says.
pub(crate) struct IndexOptions {
    pub(crate) marker: Ident,
    pub(crate) is_local: bool,
    pub(crate) role: KeyRole,
    pub(crate) name: Option<LitStr>,
    pub(crate) projection: Option<ProjectionOption>,
}

pub(crate) enum ProjectionOption {
    All,
    KeysOnly,
    /// The names of fields.
    Include(Vec<Ident>),
}

impl FieldOptions {
    pub(crate) fn parse(field: &Field) -> Result<Self> {
        let mut options = Self::default();
        for attribute in model_attributes(&field.attrs) {
            attribute.parse_nested_meta(|meta| options.add(&meta))?;
        }
        if let (Some((_, _)), Some(at)) = (options.key, options.version) {
            return Err(Error::new(at, "a key cannot change, and a version does"));
        }
        Ok(options)
    }

    fn add(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let at = meta.path.span();
        if let Some(role) = KeyRole::parse(meta) {
            return match self.key.replace((role, at)) {
                None => Ok(()),
                Some(_) => Err(meta.error("a field is one of `hash_key` and `range_key`")),
            };
        }
        if meta.path.is_ident("ttl") {
            set_once("ttl", &mut self.ttl, at, at)
        } else if meta.path.is_ident("version") {
            set_once("version", &mut self.version, at, at)
        } else if meta.path.is_ident("index") {
            self.indexes.push(IndexOptions::parse(meta, false)?);
            Ok(())
        } else if meta.path.is_ident("local_index") {
            self.indexes.push(IndexOptions::parse(meta, true)?);
            Ok(())
        } else {
            Err(meta.error(
                "expected `hash_key`, `range_key`, `ttl`, `version`, `index` or `local_index`",
            ))
        }
    }
}

impl KeyRole {
    fn parse(meta: &ParseNestedMeta<'_>) -> Option<Self> {
        if meta.path.is_ident("hash_key") {
            Some(Self::Hash)
        } else if meta.path.is_ident("range_key") {
            Some(Self::Range)
        } else {
            None
        }
    }
}

impl IndexOptions {
    fn parse(meta: &ParseNestedMeta<'_>, is_local: bool) -> Result<Self> {
        let mut marker = None;
        let mut role = None;
        let mut name = None;
        let mut projection = None;
        meta.parse_nested_meta(|meta| {
            let at = meta.path.span();
            if let Some(found) = KeyRole::parse(&meta) {
                if is_local {
                    return Err(meta.error(
                        "a local index has the table's hash key, and this field as its range key",
                    ));
                }
                return set_once_in_index("key role", &mut role, found, at);
            }
            if meta.path.is_ident("name") {
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
                    "expected the type of the index, `hash_key`, `range_key`, `name` or `projection`",
                ))
            }
        })?;
        let marker: Ident = marker.ok_or_else(|| {
            meta.error("an index needs the name of a type for it, as in `index(ByEmail)`")
        })?;
        if name.is_none() {
            check_index_name(&marker.to_string(), marker.span())?;
        }
        let default = match is_local {
            true => KeyRole::Range,
            false => KeyRole::Hash,
        };
        Ok(Self {
            marker,
            is_local,
            role: role.unwrap_or(default),
            name,
            projection,
        })
    }
}

impl ProjectionOption {
    fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let input = meta.value()?;
        let word: Ident = input.parse()?;
        if word == "all" {
            return Ok(Self::All);
        }
        if word == "keys_only" {
            return Ok(Self::KeysOnly);
        }
        if word != "include" {
            let message = "expected `all`, `keys_only` or `include(field, …)`";
            return Err(Error::new(word.span(), message));
        }
        let fields;
        parenthesized!(fields in input);
        let fields = Punctuated::<Ident, Token![,]>::parse_terminated(&fields)?;
        if !(1..=20).contains(&fields.len()) {
            let message = "an index includes 1 to 20 attributes besides the keys";
            return Err(Error::new(word.span(), message));
        }
        Ok(Self::Include(fields.into_iter().collect()))
    }
}

/// Refuses a name that DynamoDB would refuse for an index.
///
/// Source: "Naming rules" in the Amazon DynamoDB Developer Guide.
fn check_index_name(name: &str, at: Span) -> Result<()> {
    if is_resource_name(name) {
        return Ok(());
    }
    Err(Error::new(
        at,
        "an index's name has 3 to 255 characters, out of a-z, A-Z, 0-9, '_', '-' and '.'",
    ))
}

/// Says whether DynamoDB takes this for the name of a table or an index.
pub(crate) fn is_resource_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (3..=255).contains(&name.len()) && name.chars().all(allowed)
}

pub(crate) fn model_attributes(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("model"))
}

pub(crate) fn set_once<T>(name: &str, place: &mut Option<T>, value: T, at: Span) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(at, format!("a model has one `{name}`"))),
    }
}

pub(crate) fn set_once_in_index<T>(
    name: &str,
    place: &mut Option<T>,
    value: T,
    at: Span,
) -> Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(at, format!("an index has one {name}"))),
    }
}
