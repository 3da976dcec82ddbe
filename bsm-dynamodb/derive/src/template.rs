//! Templates of key attributes, such as `CUSTOMER#{customer}#{number:08}`.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser as _;
use syn::{DeriveInput, Error, Ident, LitStr, Result};

use crate::field::{ModelField, inside_of_option};

/// The most fields of one key, for which there are implementations of `IntoKey`.
const MAX_FIELDS: usize = 6;

/// The template of one key attribute.
pub(crate) struct Template {
    parts: Vec<Part>,
    span: Span,
}

#[derive(PartialEq)]
enum Part {
    Text(String),
    Field { name: String, width: usize },
}

impl Template {
    /// Parses `= "CUSTOMER#{customer}"`.
    pub(crate) fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let literal: LitStr = meta.value()?.parse()?;
        let span = literal.span();
        let parts = parse_parts(&literal.value()).map_err(|reason| Error::new(span, reason))?;
        Ok(Self { parts, span })
    }

    /// Returns `true` if both compose the same keys.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.parts == other.parts
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Returns the names of the fields, each once.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for part in &self.parts {
            if let Part::Field { name, .. } = part
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
        }
        names
    }

    /// Returns the fields, each once.
    pub(crate) fn fields<'f>(
        &self,
        fields: &'f [ModelField<'f>],
    ) -> Result<Vec<&'f ModelField<'f>>> {
        let find = |name: &str| {
            let field = fields.iter().find(|field| field.plain_name() == name);
            let field = field.ok_or_else(|| {
                let message = format!("the model has no field `{name}`");
                Error::new(self.span, message)
            })?;
            // Keys are composed of the attributes in the item, so the field must be one of them.
            field.demand_stored("a key is composed of attributes")?;
            Ok(field)
        };
        self.names().into_iter().map(find).collect()
    }

    /// Writes the template as a constant.
    pub(crate) fn expand(
        &self,
        attribute: &str,
        model: &TokenStream,
        fields: &[ModelField<'_>],
    ) -> TokenStream {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => quote! { ::bsm_dynamodb::TemplatePart::Text(#text) },
            Part::Field { name, width } => {
                let field = fields.iter().find(|field| field.plain_name() == *name);
                // `fields` reports a field that doesn't exist; its constant is never compiled.
                let attribute = field.map_or(name, |field| &field.serde.name);
                let element = field.map(|field| field.key_element(model));
                quote! {
                    ::bsm_dynamodb::TemplatePart::Field {
                        attribute: #attribute,
                        // Left to the compiler, because a macro can't resolve how the type is stored.
                        key_type: <<#element as ::bsm_dynamodb::KeyElement>::Stored
                            as ::bsm_dynamodb::KeyScalar>::TYPE,
                        width: #width,
                    }
                }
            }
        });
        quote! { ::bsm_dynamodb::KeyTemplate::new(#attribute, &[#(#parts),*]) }
    }
}

fn parse_parts(template: &str) -> std::result::Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let (text, after) = rest.split_once('{').unwrap_or((rest, ""));
        if text.contains('}') {
            return Err("a `}` in a template must close a field, as in `{name}`".to_owned());
        }
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        // There is no other field: the text was the end.
        if text.len() == rest.len() {
            break;
        }
        let (field, after) = after
            .split_once('}')
            .ok_or("a `{` in a template has no `}`: write a field as `{name}`")?;
        let (name, width) = match field.split_once(':') {
            None => (field, 0),
            Some((name, width)) => (name, parse_width(width)?),
        };
        // This also refuses `{}` and text with spaces or punctuation. A keyword is the name of a raw field.
        let Ok(ident) = Ident::parse_any.parse_str(name) else {
            return Err(format!("`{name}` is not the name of a field"));
        };
        let name = ident.unraw().to_string();
        if matches!(parts.last(), Some(Part::Field { .. })) {
            return Err(format!(
                "there is no text between `{{{name}}}` and the field before it, so that different \
                 items could have the same key: write `#` between them"
            ));
        }
        parts.push(Part::Field { name, width });
        rest = after;
    }
    match parts.is_empty() {
        true => Err("a key cannot be empty: write a text or a field".to_owned()),
        false => Ok(parts),
    }
}

/// Parses the width of a number: `08` is 8 digits.
fn parse_width(width: &str) -> std::result::Result<usize, String> {
    // The zero is required, because `{:8}` in a format of Rust pads with spaces.
    let digits = width.strip_prefix('0');
    let width = digits.and_then(|digits| digits.parse().ok());
    width
        // 38: the most digits of a number in DynamoDB.
        .filter(|width| (1..=38).contains(width))
        .ok_or_else(|| {
            "this is not the width of a number: write `:08` for 8 digits with leading zeros"
                .to_owned()
        })
}

/// The templates of the key of the table or of an index, and the names of its attributes.
pub(crate) struct TemplateKey<'a> {
    pub(crate) hash: (&'a Template, String),
    pub(crate) range: Option<(&'a Template, String)>,
}

impl TemplateKey<'_> {
    /// Returns the fields of the whole key, each once, those of the hash key first.
    pub(crate) fn fields<'f>(
        &self,
        fields: &'f [ModelField<'f>],
    ) -> Result<Vec<&'f ModelField<'f>>> {
        let (hash, _) = &self.hash;
        let mut all = hash.fields(fields)?;
        if let Some((range, _)) = &self.range {
            for field in range.fields(fields)? {
                // A caller gives each field once, even if both key attributes are composed of it.
                if all.iter().all(|known| known.ident != field.ident) {
                    all.push(field);
                }
            }
        }
        if all.len() > MAX_FIELDS {
            let message = format!("a key is composed of at most {MAX_FIELDS} fields");
            return Err(Error::new(hash.span, message));
        }
        Ok(all)
    }

    /// Refuses fields that an item may lack.
    pub(crate) fn demand_present(&self, fields: &[&ModelField<'_>]) -> Result<()> {
        let (hash, _) = &self.hash;
        for field in fields {
            // An index may leave out an item without its key, and the table may not.
            let is_optional = inside_of_option(field.ty()).is_some();
            if is_optional || field.serde.skip_if.is_some() {
                let message = format!(
                    "every item has a key, so `{}` must always have a value",
                    field.ident
                );
                return Err(Error::new(hash.span, message));
            }
        }
        Ok(())
    }

    /// Returns the names of the key attributes with their templates.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&str, &Template)> {
        let all = std::iter::once(&self.hash).chain(&self.range);
        all.map(|(template, name)| (name.as_str(), *template))
    }

    /// Writes the type of the key, for the templates that `owner` has.
    pub(crate) fn key_type(
        &self,
        model: &TokenStream,
        owner: &TokenStream,
        fields: &[&ModelField<'_>],
    ) -> TokenStream {
        let elements = tuple(model, fields);
        quote! { ::bsm_dynamodb::Composite<#elements, #owner> }
    }

    /// Writes the type of the hash key alone, whose templates the model has.
    pub(crate) fn hash_type(&self, model: &TokenStream, fields: &[ModelField<'_>]) -> TokenStream {
        // A field that does not exist has an error already.
        let fields = self.hash.0.fields(fields).unwrap_or_default();
        let elements = tuple(model, &fields);
        quote! { ::bsm_dynamodb::CompositePart<#elements, ::bsm_dynamodb::OfHash<#model>> }
    }

    /// Writes the implementation of `KeyTemplates` for `owner`.
    pub(crate) fn expand(
        &self,
        input: &DeriveInput,
        owner: &TokenStream,
        fields: &[ModelField<'_>],
    ) -> Result<TokenStream> {
        let name = &input.ident;
        let model = quote! { #name };
        let all = self.fields(fields)?;
        let names = all.iter().map(|field| &field.serde.name);
        let (hash, hash_name) = &self.hash;
        let hash_fields = tuple(&model, &hash.fields(fields)?);
        let hash = hash.expand(hash_name, &model, fields);
        let (range, ranged) = match &self.range {
            None => (None, None),
            Some((range, range_name)) => {
                let range_fields = tuple(&model, &range.fields(fields)?);
                let range = range.expand(range_name, &model, fields);
                (
                    Some(quote! {
                        const RANGE: ::core::option::Option<::bsm_dynamodb::KeyTemplate> =
                            ::core::option::Option::Some(#range);
                    }),
                    Some(quote! {
                        #[automatically_derived]
                        impl ::bsm_dynamodb::RangedTemplates for #owner {
                            type Range = #range_fields;
                        }
                    }),
                )
            }
        };
        Ok(quote! {
            #[automatically_derived]
            impl ::bsm_dynamodb::KeyTemplates for #owner {
                type Hash = #hash_fields;

                const FIELDS: &'static [&'static str] = &[#(#names),*];
                const HASH: ::bsm_dynamodb::KeyTemplate = #hash;
                #range

                fn stored(
                    attribute: &str,
                    value: ::bsm_dynamodb::__private::AttributeValue,
                ) -> ::core::result::Result<
                    ::core::option::Option<::bsm_dynamodb::__private::AttributeValue>,
                    ::bsm_dynamodb::CodecError,
                > {
                    <<#name as ::bsm_dynamodb::Model>::Codec
                        as ::bsm_dynamodb::Codec<#name>>::stored(attribute, value)
                }
            }

            #ranged
        })
    }
}

fn tuple(model: &TokenStream, fields: &[&ModelField<'_>]) -> TokenStream {
    let elements = fields.iter().map(|field| field.key_element(model));
    // The comma after each element makes a tuple of a single one.
    quote! { (#(#elements,)*) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(template: &str, wanted: &str) {
        let error = parse_parts(template).err().unwrap();
        assert!(error.contains(wanted), "{template}: {error}");
    }

    #[test]
    fn a_template_has_text_fields_and_widths() {
        let parts = parse_parts("A#{a}#{b:08}").unwrap();
        let texts: Vec<_> = parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Field { name, width } => format!("{name} {width}"),
            })
            .collect();
        assert_eq!(texts, ["A#", "a 0", "#", "b 8"]);
        assert_eq!(parse_parts("PROFILE").unwrap().len(), 1);
    }

    #[test]
    fn a_keyword_is_the_name_of_a_raw_field() {
        let name = |template| match parse_parts(template).unwrap().remove(0) {
            Part::Field { name, .. } => name,
            Part::Text(text) => panic!("{text}"),
        };
        assert_eq!(name("{type}"), "type");
        assert_eq!(name("{r#type}"), "type");
    }

    #[test]
    fn what_is_no_template_or_ambiguous_is_refused() {
        refused("", "cannot be empty");
        refused("{a}{b}", "no text between");
        refused("A#{a", "has no `}`");
        refused("A#a}", "must close a field");
        refused("A#{}", "not the name of a field");
        refused("A#{a b}", "not the name of a field");
        refused("A#{a:8}", "8 digits");
        refused("A#{a:00}", "8 digits");
        refused("A#{a:0x}", "8 digits");
    }
}
