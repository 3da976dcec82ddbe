//! The fields of a model, and what `#[model(…)]` and serde say on them.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, GenericArgument, Ident, LitStr,
    PathArguments, Result, Token, Type, parenthesized,
};

use crate::errors::Errors;
use crate::serde_attributes::{RenameAll, SerdeField};

/// A field of a model.
pub(crate) struct ModelField<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) field: &'a Field,
    /// Where the field stands in the struct, which is how its encoding is named.
    position: usize,
    pub(crate) options: FieldOptions,
    pub(crate) serde: SerdeField,
    /// Whether the template of a key has the field.
    pub(crate) is_component: bool,
}

impl<'a> ModelField<'a> {
    /// Parses all fields. What has an error is left out.
    pub(crate) fn parse_all(
        input: &'a DeriveInput,
        rename_all: RenameAll,
        errors: &mut Errors,
    ) -> Vec<Self> {
        let Data::Struct(data) = &input.data else {
            return Vec::new();
        };
        // The derives have reported this by themselves.
        let Fields::Named(fields) = &data.fields else {
            return Vec::new();
        };
        let fields = fields.named.iter().enumerate();
        fields
            .filter_map(|(position, field)| {
                Some(Self {
                    ident: field.ident.as_ref()?,
                    field,
                    position,
                    options: FieldOptions::parse(field, errors),
                    serde: errors.ok(SerdeField::parse(field, rename_all))?,
                    is_component: false,
                })
            })
            .collect()
    }

    pub(crate) fn ty(&self) -> &'a Type {
        &self.field.ty
    }

    /// The name of the field without `r#`.
    pub(crate) fn plain_name(&self) -> String {
        self.ident.unraw().to_string()
    }

    /// Returns an error if serde does not write or read the field, which `because` it has to.
    pub(crate) fn demand_stored(&self, because: &str) -> Result<()> {
        match self.serde.unwritten.or(self.serde.unread) {
            None => Ok(()),
            Some(span) => Err(Error::new(
                span,
                format!("{because}: serde must write and read this field"),
            )),
        }
    }

    /// The type that encodes the field, if that is not left to the `Serialize` of its type.
    pub(crate) fn encoding(&self, model: &TokenStream) -> Option<TokenStream> {
        self.has_encoding().then(|| {
            let position = self.position;
            quote! { ::bsm_dynamodb::FieldOf<#model, #position> }
        })
    }

    /// The call that tells a path of the field when serde leaves the field out.
    pub(crate) fn left_out_if(&self) -> Option<TokenStream> {
        let (function, ty) = (self.serde.skip_if.as_ref()?, self.ty());
        // A closure, because serde calls the function, and a call also takes what dereferences to its argument.
        Some(quote! { .__left_out_if(|value: &#ty| #function(value)) })
    }

    fn has_encoding(&self) -> bool {
        // A declared key type needs an encoding of its own, which carries it to the types of keys.
        self.serde.serialize_with.is_some() || self.key_type().is_some()
    }

    /// The type of the key attribute, where it is declared or known.
    fn key_type(&self) -> Option<KeyType> {
        // Only for keys: any other field of such a type needs no encoding of its own.
        let known = || self.is_key().then(|| self.known_key_type()).flatten();
        self.options.key_type.or_else(known)
    }

    /// The type as which a type of another crate, or a module of ours, stores a key.
    fn known_key_type(&self) -> Option<KeyType> {
        if let Some(with) = &self.serde.serialize_with {
            // By the path as it is written. A module that is imported under another path needs `key_type`.
            let names: Vec<_> = with
                .segments
                .iter()
                .map(|it| it.ident.to_string())
                .collect();
            // Patterns of string literals match `&str` only.
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            return match *names.as_slice() {
                ["bsm_dynamodb", "rfc3339", "serialize"] => Some(KeyType::String),
                ["bsm_dynamodb", "epoch_seconds", "serialize"] => Some(KeyType::Number),
                _ => None,
            };
        }
        // The crate `uuid` writes text. It is no dependency, so there is no implementation for it.
        match bare(self.key_value_type()) {
            Type::Path(path) if path.path.segments.last()?.ident == "Uuid" => Some(KeyType::String),
            _ => None,
        }
    }

    /// The type of the key attribute that the field is: its own, without an `Option`.
    fn key_value_type(&self) -> &'a Type {
        // An index has no items whose key is `None`, so keys are given without the `Option`.
        inside_of_option(self.ty()).unwrap_or(self.ty())
    }

    /// The type that stands for the field in the key of the table or of an index.
    pub(crate) fn key_element(&self, model: &TokenStream) -> TokenStream {
        let ty = self.key_value_type();
        match self.encoding(model) {
            None => quote! { #ty },
            Some(encoding) => quote! { ::bsm_dynamodb::Encoded<#ty, #encoding> },
        }
    }

    /// The bound that the field's type can be a key, in an error that points at the type.
    pub(crate) fn key_bound(&self) -> Option<TokenStream> {
        let ty = self.key_value_type();
        // With a key type, the type of the field need not be a `KeyAttribute`.
        let bound = quote_spanned! { ty.span() => #ty: ::bsm_dynamodb::KeyAttribute, };
        self.key_type().is_none().then_some(bound)
    }

    pub(crate) fn is_key(&self) -> bool {
        self.options.key.is_some() || !self.options.indexes.is_empty() || self.is_component
    }

    /// Returns an error if the type of a key is declared for a field that is none.
    pub(crate) fn check_key_type(&self) -> Result<()> {
        if self.options.key_type.is_none() || self.is_key() {
            return Ok(());
        }
        let message = "`key_type` is for a field that is a key of the table or of an index";
        Err(Error::new(self.field.ty.span(), message))
    }

    /// The implementations that encode the field, for `model`.
    pub(crate) fn expand_encoding(&self, input: &DeriveInput) -> Option<TokenStream> {
        if !self.has_encoding() {
            return None;
        }
        let model = &input.ident;
        let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
        let (ty, position) = (self.ty(), self.position);
        let serialize_field = |ty: &Type, body: TokenStream| {
            quote! {
                #[automatically_derived]
                impl #impl_generics ::bsm_dynamodb::SerializeField<#position, #ty>
                    for #model #ty_generics
                #where_clause
                {
                    fn serialize<S: ::bsm_dynamodb::__private::serde::Serializer>(
                        value: &#ty,
                        serializer: S,
                    ) -> ::core::result::Result<S::Ok, S::Error> {
                        #body
                    }
                }
            }
        };
        let function = match &self.serde.serialize_with {
            Some(with) => quote! { #with },
            // Only a key type makes it an encoding, so the value is written as the type itself writes it.
            None => quote! { ::bsm_dynamodb::__private::serde::Serialize::serialize },
        };
        let whole = serialize_field(ty, quote! { #function(value, serializer) });
        // The function takes the `Option`, and a key is what is inside.
        let inner = self
            .is_key()
            .then(|| inside_of_option(ty))
            .flatten()
            .map(|inner| {
                // By its trait, so that the compiler reports a missing `Clone` at the type.
                let clone =
                    quote_spanned! { inner.span() => <#inner as ::core::clone::Clone>::clone };
                let body = quote! {
                    let value = ::core::option::Option::Some(#clone(value));
                    #function(&value, serializer)
                };
                serialize_field(inner, body)
            });
        let key = self.is_key().then(|| {
            let ty = self.key_value_type();
            let stored = match self.key_type() {
                Some(declared) => declared.stored(),
                None => {
                    // The function is opaque, so the type decides here. Operations check the stored key.
                    quote_spanned! { ty.span() => <#ty as ::bsm_dynamodb::KeyAttribute>::Stored }
                }
            };
            quote! {
                #[automatically_derived]
                impl #impl_generics ::bsm_dynamodb::KeyField<#position, #ty> for #model #ty_generics
                #where_clause
                {
                    type Stored = #stored;
                }
            }
        });
        Some(quote! { #whole #inner #key })
    }
}

/// Returns a type without the invisible group that it has if a macro by example gave it.
fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        ty => ty,
    }
}

/// Returns the `T` of an `Option<T>`.
pub(crate) fn inside_of_option(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = bare(ty) else {
        return None;
    };
    // By its name, because a macro sees names and not types.
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(inner) if last.ident == "Option" => Some(inner),
        _ => None,
    }
}

/// What `#[model(…)]` says on a field.
#[derive(Default)]
pub(crate) struct FieldOptions {
    pub(crate) key: Option<(KeyRole, Span)>,
    pub(crate) key_type: Option<KeyType>,
    pub(crate) ttl: Option<Span>,
    pub(crate) version: Option<Span>,
    pub(crate) rest: Option<Span>,
    pub(crate) indexes: Vec<IndexOptions>,
}

/// The type of a key attribute, where it is declared.
#[derive(Clone, Copy)]
pub(crate) enum KeyType {
    String,
    Number,
    Binary,
}

impl KeyType {
    fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let word: Ident = meta.value()?.parse()?;
        match word.to_string().as_str() {
            "String" => Ok(Self::String),
            "Number" => Ok(Self::Number),
            "Binary" => Ok(Self::Binary),
            _ => Err(Error::new(
                word.span(),
                "expected `String`, `Number` or `Binary`",
            )),
        }
    }

    /// The type that stands for this one in the types of keys.
    pub(crate) fn stored(self) -> TokenStream {
        match self {
            Self::String => quote! { ::std::string::String },
            Self::Number => quote! { ::bsm_dynamodb::Number },
            Self::Binary => quote! { ::bsm_dynamodb::Binary },
        }
    }
}

/// Reads `#[model(key_type = …)]`, the only option that a type of keys has.
pub(crate) fn key_type_option(attributes: &[Attribute]) -> Result<Option<KeyType>> {
    let mut key_type = None;
    for attribute in model_attributes(attributes) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("key_type") {
                let at = meta.path.span();
                return set_once("key_type", &mut key_type, KeyType::parse(&meta)?, at);
            }
            Err(meta.error("expected `key_type`"))
        })?;
    }
    Ok(key_type)
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
    /// Whether the role is written down.
    pub(crate) is_role_given: bool,
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
    fn parse(field: &Field, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        for attribute in model_attributes(&field.attrs) {
            // Each attribute by itself, so that an error in one keeps the options of the others.
            errors.ok(attribute.parse_nested_meta(|meta| options.add(&meta)));
        }
        if let (Some((_, _)), Some(at)) = (options.key, options.version) {
            errors.push(Error::new(at, "a key cannot change, and a version does"));
        }
        options
    }

    fn add(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let at = meta.path.span();
        if let Some(role) = KeyRole::parse(meta) {
            return match self.key.replace((role, at)) {
                None => Ok(()),
                Some(_) => {
                    Err(meta.error("a field is either `hash_key` or `range_key`: remove one"))
                }
            };
        }
        if meta.path.is_ident("key_type") {
            set_once("key_type", &mut self.key_type, KeyType::parse(meta)?, at)
        } else if meta.path.is_ident("ttl") {
            set_once("ttl", &mut self.ttl, at, at)
        } else if meta.path.is_ident("version") {
            set_once("version", &mut self.version, at, at)
        } else if meta.path.is_ident("rest") {
            set_once("rest", &mut self.rest, at, at)
        } else if meta.path.is_ident("index") {
            self.indexes.push(IndexOptions::parse(meta, false)?);
            Ok(())
        } else if meta.path.is_ident("local_index") {
            self.indexes.push(IndexOptions::parse(meta, true)?);
            Ok(())
        } else {
            Err(meta.error(
                "expected `hash_key`, `range_key`, `key_type`, `ttl`, `version`, `rest`, `index` \
                 or `local_index`",
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
        // The name of the type is then also that of the index, and may be too short for one.
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
            is_role_given: role.is_some(),
            role: role.unwrap_or(default),
            name,
            projection,
        })
    }
}

impl ProjectionOption {
    pub(crate) fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
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
        if fields.is_empty() {
            let message = "expected a field to include; an index without any has `keys_only`";
            return Err(Error::new(word.span(), message));
        }
        Ok(Self::Include(fields.into_iter().collect()))
    }
}

/// Refuses a name that DynamoDB would refuse for an index.
///
/// Source: "Naming rules" in the Amazon DynamoDB Developer Guide.
pub(crate) fn check_index_name(name: &str, at: Span) -> Result<()> {
    if is_resource_name(name) {
        return Ok(());
    }
    Err(Error::new(
        at,
        "an index's name has 3 to 255 characters, out of a-z, A-Z, 0-9, '_', '-' and '.'",
    ))
}

/// Returns `true` if DynamoDB accepts this as the name of a table or an index.
pub(crate) fn is_resource_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    // Bytes are characters here, because all allowed characters are ASCII.
    (3..=255).contains(&name.len()) && name.chars().all(allowed)
}

pub(crate) fn model_attributes(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("model"))
}

pub(crate) fn set_once<T>(name: &str, option: &mut Option<T>, value: T, at: Span) -> Result<()> {
    match option.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(
            at,
            format!("a model has only one `{name}`: remove the others"),
        )),
    }
}

pub(crate) fn set_once_in_index<T>(
    name: &str,
    option: &mut Option<T>,
    value: T,
    at: Span,
) -> Result<()> {
    match option.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(
            at,
            format!("an index has only one {name}: remove the others"),
        )),
    }
}
