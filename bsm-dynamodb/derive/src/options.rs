//! What `#[model(…)]` says on the struct.

use syn::spanned::Spanned as _;
use syn::{DeriveInput, Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Result, Token};

use crate::errors::Errors;
use crate::field::{ModelField, is_resource_name, model_attributes, set_once};
use crate::template::{Template, TemplateKey};
use crate::template_index::TemplateIndex;

// Options that belong on a field. On the struct they have an error of their own, which says so.
const OF_FIELDS: [&str; 7] = [
    "hash_key",
    "range_key",
    "key_type",
    "ttl",
    "version",
    "local_index",
    "rest",
];

/// The names of the key attributes that have templates, unless others are given.
///
/// They are those of the examples in AWS's documentation of single-table design.
const KEY_NAMES: (&str, &str) = ("pk", "sk");

/// The attribute that tells the models of a table apart, unless another one is given.
const ENTITY_ATTRIBUTE: &str = "entity";

/// What `#[model(…)]` says on the struct.
#[derive(Default)]
pub(crate) struct StructOptions {
    pub(crate) table: Option<Expr>,
    pub(crate) region: Option<LitStr>,
    pub(crate) billing: Option<Expr>,
    pub(crate) codec: Option<Path>,
    pub(crate) paths: Option<Ident>,
    pub(crate) hash: Option<Template>,
    /// Whether there is a template of the hash key, be it valid or not.
    pub(crate) has_hash: bool,
    pub(crate) range: Option<Template>,
    /// Whether there is a template of the range key, be it valid or not.
    pub(crate) has_range: bool,
    hash_name: Option<LitStr>,
    range_name: Option<LitStr>,
    pub(crate) indexes: Vec<TemplateIndex>,
    entity: Option<LitStr>,
    entity_attribute: Option<LitStr>,
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
                } else if meta.path.is_ident("hash_key") && meta.input.peek(Token![=]) {
                    // Before the template is parsed, which may fail.
                    options.has_hash = true;
                    set_once("hash_key", &mut options.hash, Template::parse(&meta)?, at)
                } else if meta.path.is_ident("range_key") && meta.input.peek(Token![=]) {
                    options.has_range = true;
                    set_once("range_key", &mut options.range, Template::parse(&meta)?, at)
                } else if meta.path.is_ident("hash_name") {
                    set_once(
                        "hash_name",
                        &mut options.hash_name,
                        meta.value()?.parse()?,
                        at,
                    )
                } else if meta.path.is_ident("range_name") {
                    set_once(
                        "range_name",
                        &mut options.range_name,
                        meta.value()?.parse()?,
                        at,
                    )
                } else if meta.path.is_ident("index") {
                    options.indexes.push(TemplateIndex::parse(&meta)?);
                    Ok(())
                } else if meta.path.is_ident("entity") {
                    set_once("entity", &mut options.entity, meta.value()?.parse()?, at)
                } else if meta.path.is_ident("entity_attribute") {
                    let name = meta.value()?.parse()?;
                    set_once("entity_attribute", &mut options.entity_attribute, name, at)
                } else if OF_FIELDS.iter().any(|name| meta.path.is_ident(name)) {
                    Err(meta.error(
                        "this belongs on a field; on the struct, a key has a template, as in \
                         `hash_key = \"USER#{id}\"`",
                    ))
                } else {
                    Err(meta.error(
                        "expected `table`, `region`, `billing`, `codec`, `paths`, `entity`, \
                         `hash_key = \"…\"`, `range_key = \"…\"` or `index(…)`",
                    ))
                }
            }));
        }
        options
    }

    /// Marks the fields that are parts of keys.
    pub(crate) fn mark_components(&self, fields: &mut [ModelField<'_>]) {
        let of_indexes = self.indexes.iter().flat_map(TemplateIndex::templates);
        let of_table = self.hash.iter().chain(&self.range);
        let names: Vec<_> = of_indexes
            .chain(of_table)
            .flat_map(Template::names)
            .collect();
        for field in fields {
            field.is_component = names.contains(&field.plain_name().as_str());
        }
    }

    /// The templates of the table's key, if it has them.
    pub(crate) fn key(&self) -> Option<TemplateKey<'_>> {
        let name = |given: &Option<LitStr>, default: &str| {
            let given = given.as_ref().map(LitStr::value);
            given.unwrap_or_else(|| default.to_owned())
        };
        let range = self.range.as_ref();
        Some(TemplateKey {
            hash: (self.hash.as_ref()?, name(&self.hash_name, KEY_NAMES.0)),
            range: range.map(|range| (range, name(&self.range_name, KEY_NAMES.1))),
        })
    }

    /// The attribute and the value of the entity, if the model has one.
    pub(crate) fn entity(&self) -> Option<(String, &LitStr)> {
        let given = self.entity_attribute.as_ref().map(LitStr::value);
        let attribute = given.unwrap_or_else(|| ENTITY_ATTRIBUTE.to_owned());
        Some((attribute, self.entity.as_ref()?))
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
        // Any other expression has its value only when the program runs.
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
