//! What the `#[serde(…)]` attributes of a struct say: how its fields are named and encoded.

use proc_macro2::{Span, TokenTree};
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned as _;
use syn::{Attribute, Error, ExprPath, Field, LitStr, Path, Result, Token, Type, parse_quote};

/// What serde's attributes say on a struct or an enum.
#[derive(Default)]
pub(crate) struct SerdeContainer {
    pub(crate) rename_all: RenameAll,
    /// The type that serde writes in place of this one, and where that is said.
    pub(crate) into: Option<(Type, Span)>,
    /// Where it is said that serde reads another type in place of this one, if it is.
    pub(crate) from: Option<Span>,
    /// Where it is said that serde writes the only field in place of the struct, if it is.
    pub(crate) transparent: Option<Span>,
}

impl SerdeContainer {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut container = Self::default();
        each_serde_meta(attributes, |meta| {
            let at = meta.path.span();
            if meta.path.is_ident("rename_all") {
                container.rename_all = RenameAll::parse(&one_name(&meta)?)?;
                // `one_name` has read the value, so there is nothing to skip.
                return Ok(());
            }
            if meta.path.is_ident("into") {
                let name: LitStr = meta.value()?.parse()?;
                container.into = Some((name.parse()?, at));
                return Ok(());
            }
            if meta.path.is_ident("transparent") {
                container.transparent = Some(at);
            } else if ["from", "try_from"]
                .iter()
                .any(|name| meta.path.is_ident(name))
            {
                container.from.get_or_insert(at);
            }
            skip(&meta)
        })?;
        Ok(container)
    }
}

/// The rule of `#[serde(rename_all = "…")]`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum RenameAll {
    #[default]
    Unchanged,
    Upper,
    Pascal,
    Camel,
    Kebab,
    ScreamingKebab,
}

impl RenameAll {
    fn parse(name: &LitStr) -> Result<Self> {
        match name.value().as_str() {
            // serde takes the names of fields to be in snake case, so both rules leave them as they are.
            "lowercase" | "snake_case" => Ok(Self::Unchanged),
            "UPPERCASE" | "SCREAMING_SNAKE_CASE" => Ok(Self::Upper),
            "PascalCase" => Ok(Self::Pascal),
            "camelCase" => Ok(Self::Camel),
            "kebab-case" => Ok(Self::Kebab),
            "SCREAMING-KEBAB-CASE" => Ok(Self::ScreamingKebab),
            _ => Err(Error::new(name.span(), "unknown rename rule")),
        }
    }

    /// Applies the rule to a field's name as serde does, which takes it to be in snake case.
    fn apply(self, field: &str) -> String {
        match self {
            Self::Unchanged => field.to_owned(),
            Self::Upper => field.to_ascii_uppercase(),
            Self::Pascal => pascal_case(field),
            Self::Camel => {
                // As serde does it: the Pascal form with its first letter in lower case.
                let pascal = pascal_case(field);
                let mut letters = pascal.chars();
                letters
                    .next()
                    .map(|first| first.to_ascii_lowercase())
                    .into_iter()
                    .chain(letters)
                    .collect()
            }
            Self::Kebab => field.replace('_', "-"),
            Self::ScreamingKebab => field.to_ascii_uppercase().replace('_', "-"),
        }
    }
}

fn pascal_case(field: &str) -> String {
    field
        .split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
        })
        .collect()
}

/// What serde's attributes say on one field.
pub(crate) struct SerdeField {
    /// The name that it is written under.
    pub(crate) name: String,
    /// The other names that it is read under.
    pub(crate) aliases: Vec<String>,
    /// Where it is said that serde does not write the field, or not under a name, if it is.
    pub(crate) unwritten: Option<Span>,
    /// Where it is said that serde does not read the field, or not under a name, if it is.
    pub(crate) unread: Option<Span>,
    /// Where it is said that the field has no name of its own, if it is.
    pub(crate) flatten: Option<Span>,
    /// The function with which serde decides whether it leaves the field out.
    pub(crate) skip_if: Option<ExprPath>,
    /// The function that writes it, if it is not the `Serialize` of its type.
    pub(crate) serialize_with: Option<Path>,
    /// Whether serde reads it by a function of its own, or not at all.
    pub(crate) is_read_otherwise: bool,
}

impl SerdeField {
    pub(crate) fn parse(field: &Field, rename_all: RenameAll) -> Result<Self> {
        let mut renamed = None;
        let mut aliases = Vec::new();
        let mut unwritten = None;
        let mut unread = None;
        let mut flatten = None;
        let mut skip_if = None;
        let mut serialize_with = None;
        let mut is_read_otherwise = false;
        each_serde_meta(&field.attrs, |meta| {
            if meta.path.is_ident("rename") {
                renamed = Some(one_name(&meta)?.value());
                return Ok(());
            }
            if meta.path.is_ident("alias") {
                aliases.push(meta.value()?.parse::<LitStr>()?.value());
                return Ok(());
            }
            if meta.path.is_ident("with") {
                let mut module: Path = meta.value()?.parse::<LitStr>()?.parse()?;
                // `with` names a module, whose function `serialize` writes the field.
                module.segments.push(parse_quote!(serialize));
                serialize_with = Some(module);
                is_read_otherwise = true;
                return Ok(());
            }
            if meta.path.is_ident("serialize_with") {
                serialize_with = Some(meta.value()?.parse::<LitStr>()?.parse()?);
                return Ok(());
            }
            if meta.path.is_ident("skip_serializing_if") {
                skip_if = Some(meta.value()?.parse::<LitStr>()?.parse()?);
                return Ok(());
            }
            let at = meta.path.span();
            let is_any = |names: &[&str]| names.iter().any(|name| meta.path.is_ident(name));
            if is_any(&["flatten"]) {
                flatten.get_or_insert(at);
            }
            // `flatten` reads and writes the entries of the field, but no attribute of its name.
            if is_any(&["skip", "flatten"]) {
                unwritten.get_or_insert(at);
                unread.get_or_insert(at);
            } else if is_any(&["skip_serializing"]) {
                unwritten.get_or_insert(at);
            } else if is_any(&["skip_deserializing"]) {
                unread.get_or_insert(at);
                is_read_otherwise = true;
            } else if is_any(&["deserialize_with"]) {
                is_read_otherwise = true;
            }
            skip(&meta)
        })?;
        let name = renamed.unwrap_or_else(|| {
            let ident = field.ident.as_ref().map(|ident| ident.unraw().to_string());
            // The field of a newtype has no name, and needs none.
            rename_all.apply(&ident.unwrap_or_default())
        });
        Ok(Self {
            name,
            aliases,
            unwritten,
            unread,
            flatten,
            skip_if,
            serialize_with,
            is_read_otherwise,
        })
    }
}

fn each_serde_meta(
    attributes: &[Attribute],
    mut f: impl FnMut(ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
        .try_for_each(|attribute| attribute.parse_nested_meta(&mut f))
}

/// Reads `= "name"`, or `(serialize = "name", deserialize = "name")` with the same name twice.
fn one_name(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    if meta.input.peek(Token![=]) {
        return meta.value()?.parse();
    }
    // Both directions, because the item is read back under the name under which it was written.
    let mut names = [None, None];
    meta.parse_nested_meta(|inner| {
        let side = match () {
            () if inner.path.is_ident("serialize") => 0,
            () if inner.path.is_ident("deserialize") => 1,
            () => return Err(inner.error("expected `serialize` or `deserialize`")),
        };
        names[side] = Some(inner.value()?.parse::<LitStr>()?);
        Ok(())
    })?;
    match names {
        [Some(write), Some(read)] if write.value() == read.value() => Ok(write),
        _ => Err(meta.error(
            "a model is read back from what was written: \
             use the same name for `serialize` and `deserialize`",
        )),
    }
}

/// Passes over the value of an attribute that means nothing here.
fn skip(meta: &ParseNestedMeta<'_>) -> Result<()> {
    // A value may be any tokens: `= "text"`, or a list in parentheses.
    while !meta.input.is_empty() && !meta.input.peek(Token![,]) {
        meta.input.parse::<TokenTree>()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use syn::{DeriveInput, parse_quote};

    use super::*;

    fn names(input: &DeriveInput) -> Vec<String> {
        let rule = SerdeContainer::parse(&input.attrs).unwrap().rename_all;
        let syn::Data::Struct(data) = &input.data else {
            panic!("not a struct")
        };
        data.fields
            .iter()
            .map(|field| SerdeField::parse(field, rule).unwrap().name)
            .collect()
    }

    #[test]
    fn a_field_keeps_its_name_without_the_raw_prefix() {
        let input = parse_quote! { struct S { id: u8, r#type: u8 } };
        assert_eq!(names(&input), ["id", "type"]);
    }

    #[test]
    fn rename_beats_rename_all() {
        let input = parse_quote! {
            #[serde(rename_all = "camelCase", deny_unknown_fields)]
            struct S { user_id: u8, #[serde(default = "a::b", rename = "N")] user_name: u8 }
        };
        assert_eq!(names(&input), ["userId", "N"]);
    }

    #[test]
    fn every_rule_of_serde_is_followed() {
        for (rule, name) in [
            ("lowercase", "user_id"),
            ("UPPERCASE", "USER_ID"),
            ("PascalCase", "UserId"),
            ("camelCase", "userId"),
            ("snake_case", "user_id"),
            ("SCREAMING_SNAKE_CASE", "USER_ID"),
            ("kebab-case", "user-id"),
            ("SCREAMING-KEBAB-CASE", "USER-ID"),
        ] {
            let input = parse_quote! { #[serde(rename_all = #rule)] struct S { user_id: u8 } };
            assert_eq!(names(&input), [name], "{rule}");
        }
    }

    #[test]
    fn names_that_differ_between_reading_and_writing_are_refused() {
        let field: Field =
            parse_quote! { #[serde(rename(serialize = "a", deserialize = "b"))] f: u8 };
        assert!(SerdeField::parse(&field, RenameAll::default()).is_err());
        let field: Field =
            parse_quote! { #[serde(rename(serialize = "a", deserialize = "a"))] f: u8 };
        let named = SerdeField::parse(&field, RenameAll::default()).unwrap();
        assert_eq!(named.name, "a");
    }

    #[test]
    fn a_field_that_serde_may_leave_out_is_noticed() {
        let field: Field = parse_quote! { #[serde(skip_serializing_if = "Option::is_none")] f: u8 };
        let named = SerdeField::parse(&field, RenameAll::default()).unwrap();
        assert!(named.skip_if.is_some() && named.unwritten.is_none());
        let field: Field = parse_quote! { #[serde(skip)] f: u8 };
        let named = SerdeField::parse(&field, RenameAll::default()).unwrap();
        assert!(named.unwritten.is_some() && named.unread.is_some());
    }

    #[test]
    fn every_name_under_which_a_field_is_read_is_known() {
        let field: Field =
            parse_quote! { #[serde(alias = "a", skip_serializing, alias = "b")] f: u8 };
        let named = SerdeField::parse(&field, RenameAll::default()).unwrap();
        assert_eq!(named.aliases, ["a", "b"]);
        assert!(named.unwritten.is_some() && named.unread.is_none());
    }
}
