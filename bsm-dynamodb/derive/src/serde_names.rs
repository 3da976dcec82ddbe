//! The names under which serde writes the fields of a struct.

use proc_macro2::{Span, TokenTree};
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Error, Field, LitStr, Path, Result, Token, parse_quote};

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
    /// Reads the rule from the attributes of a struct.
    pub(crate) fn of_struct(attributes: &[Attribute]) -> Result<Self> {
        let mut rule = Self::default();
        each_serde_meta(attributes, |meta| {
            if meta.path.is_ident("rename_all") {
                let name = one_name(&meta)?;
                rule = Self::parse(&name)?;
                Ok(())
            } else {
                skip(&meta)
            }
        })?;
        Ok(rule)
    }

    fn parse(name: &LitStr) -> Result<Self> {
        match name.value().as_str() {
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

/// How serde treats one field.
pub(crate) struct SerdeField {
    /// The name that it is written under.
    pub(crate) name: String,
    /// Where it is said that the field may be missing from what serde writes, if it is.
    pub(crate) absent: Option<Span>,
    /// Whether it is an attribute of its own, if it is written.
    pub(crate) stored: bool,
    /// The function that writes it, if it is not the `Serialize` of its type.
    pub(crate) serialize_with: Option<Path>,
}

impl SerdeField {
    pub(crate) fn new(field: &Field, rename_all: RenameAll) -> Result<Self> {
        let mut renamed = None;
        let mut absent = None;
        let mut stored = true;
        let mut serialize_with = None;
        each_serde_meta(&field.attrs, |meta| {
            if meta.path.is_ident("rename") {
                renamed = Some(one_name(&meta)?.value());
                return Ok(());
            }
            if meta.path.is_ident("with") {
                let mut module: Path = meta.value()?.parse::<LitStr>()?.parse()?;
                module.segments.push(parse_quote!(serialize));
                serialize_with = Some(module);
                return Ok(());
            }
            if meta.path.is_ident("serialize_with") {
                serialize_with = Some(meta.value()?.parse::<LitStr>()?.parse()?);
                return Ok(());
            }
            let never_written = ["skip", "skip_serializing", "flatten"];
            stored &= !never_written.iter().any(|name| meta.path.is_ident(name));
            let leaves_out = ["skip", "skip_serializing", "skip_serializing_if", "flatten"];
            if leaves_out.iter().any(|name| meta.path.is_ident(name)) {
                absent.get_or_insert(meta.path.segments[0].ident.span());
            }
            skip(&meta)
        })?;
        let name = renamed.unwrap_or_else(|| {
            let ident = field.ident.as_ref().map(|ident| ident.unraw().to_string());
            rename_all.apply(&ident.unwrap_or_default())
        });
        Ok(Self {
            name,
            absent,
            stored,
            serialize_with,
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
        let rule = RenameAll::of_struct(&input.attrs).unwrap();
        let syn::Data::Struct(data) = &input.data else {
            panic!("not a struct")
        };
        data.fields
            .iter()
            .map(|field| SerdeField::new(field, rule).unwrap().name)
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
        assert!(SerdeField::new(&field, RenameAll::default()).is_err());
        let field: Field =
            parse_quote! { #[serde(rename(serialize = "a", deserialize = "a"))] f: u8 };
        let named = SerdeField::new(&field, RenameAll::default()).unwrap();
        assert_eq!(named.name, "a");
    }

    #[test]
    fn a_field_that_serde_may_leave_out_is_noticed() {
        let field: Field = parse_quote! { #[serde(skip_serializing_if = "Option::is_none")] f: u8 };
        let named = SerdeField::new(&field, RenameAll::default()).unwrap();
        assert!(named.absent.is_some());
    }
}
