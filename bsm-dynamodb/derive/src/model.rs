//! The implementation of `Model`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{DeriveInput, Error, Result};

use crate::errors::Errors;
use crate::field::{KeyRole, ModelField, set_once};
use crate::index::{Index, TableHash, TableOptions, expand_key};
use crate::options::StructOptions;
use crate::serde_attributes::SerdeContainer;
use crate::template::{Template, TemplateKey};
use crate::template_index::TemplateIndex;

/// The attributes that have a meaning to the table.
struct Attributes<'a> {
    key: TableKey<'a>,
    ttl: Option<&'a ModelField<'a>>,
    version: Option<&'a ModelField<'a>>,
    rest: Option<&'a ModelField<'a>>,
}

/// The key of the table: fields, or templates of fields.
enum TableKey<'a> {
    Fields {
        hash: &'a ModelField<'a>,
        range: Option<&'a ModelField<'a>>,
    },
    Templates {
        key: TemplateKey<'a>,
        fields: Vec<&'a ModelField<'a>>,
    },
}

impl<'a> TableKey<'a> {
    fn of_templates(
        key: TemplateKey<'a>,
        fields: &'a [ModelField<'a>],
        errors: &mut Errors,
    ) -> Option<Self> {
        let all = errors.ok(key.fields(fields))?;
        errors.ok(key.demand_present(&all));
        Some(Self::Templates { key, fields: all })
    }

    /// Writes the type and the schema of the key.
    fn expand(&self, model: &TokenStream) -> (TokenStream, TokenStream) {
        match self {
            Self::Fields { hash, range } => expand_key(model, hash, *range),
            Self::Templates { key, fields } => (
                key.key_type(model, model, fields),
                quote! { ::bsm_dynamodb::KeySchema::composite() },
            ),
        }
    }

    fn fields(&self) -> Vec<&'a ModelField<'a>> {
        match self {
            Self::Fields { hash, range } => std::iter::once(*hash).chain(*range).collect(),
            Self::Templates { fields, .. } => fields.clone(),
        }
    }

    /// The hash key, for local indexes.
    fn hash(&self, model: &TokenStream, fields: &'a [ModelField<'a>]) -> TableHash<'a> {
        match self {
            Self::Fields { hash, .. } => TableHash::Field(hash),
            Self::Templates { key, .. } => TableHash::Template {
                name: key.hash.1.clone(),
                key: key.hash_type(model, fields),
            },
        }
    }

    /// Writes the values of a model's key, as they are given to `get`.
    fn of_self(&self) -> TokenStream {
        let fields = self.fields();
        let values = fields.iter().map(|field| field.ident);
        match fields.len() {
            // One value is given as itself, and several as a tuple.
            1 => quote! { #(&self.#values)* },
            _ => quote! { (#(&self.#values),*) },
        }
    }
}

impl<'a> Attributes<'a> {
    fn find(
        input: &DeriveInput,
        options: &'a StructOptions,
        fields: &'a [ModelField<'a>],
        errors: &mut Errors,
    ) -> Option<Self> {
        let (mut hash, mut range) = (None, None);
        let (mut ttl, mut version, mut rest) = (None, None, None);
        for field in fields {
            let options = &field.options;
            if let Some((role, at)) = options.key {
                let (name, slot) = match role {
                    KeyRole::Hash => ("hash_key", &mut hash),
                    KeyRole::Range => ("range_key", &mut range),
                };
                errors.ok(set_once(name, slot, field, at));
                errors.ok(check_key(field));
            }
            // Keys have passed the same check in `check_key`.
            if options.ttl.or(options.version).is_some() {
                errors.ok(field.demand_stored("this is an attribute of the table"));
            }
            if let Some(at) = options.ttl {
                errors.ok(set_once("ttl", &mut ttl, field, at));
            }
            if let Some(at) = options.rest {
                errors.ok(set_once("rest", &mut rest, field, at));
                errors.ok(check_rest(field, fields, at));
            }
            if let Some(at) = options.version {
                errors.ok(set_once("version", &mut version, field, at));
                if let Some(with) = &field.serde.serialize_with {
                    let message = "a version is stored as a number: remove the `with`";
                    errors.push(Error::new(with.span(), message));
                }
            }
        }
        // After the loop, so that the errors of fields are reported even if there is no key.
        let key = match (options.key(), hash) {
            (Some(key), None) if range.is_none() => TableKey::of_templates(key, fields, errors),
            (Some(key), _) => {
                let message = "the key of the table has a template: remove `hash_key` and \
                               `range_key` from the fields";
                errors.push(Error::new(key.hash.0.span(), message));
                None
            }
            (None, Some(hash)) => Some(TableKey::Fields { hash, range }),
            // There is an error about the template already.
            (None, None) if options.has_hash => None,
            (None, None) => {
                errors.push_missing(Error::new(
                    input.ident.span(),
                    "a model needs a hash key: add `#[model(hash_key)]` to a field",
                ));
                None
            }
        };
        // Not `options.hash`: a template of the hash key that has an error was given all the same.
        if let (Some(range), false) = (&options.range, options.has_hash) {
            let message = "a range key that has a template needs a hash key that has one: add \
                           `hash_key = \"…\"`";
            errors.push(Error::new(range.span(), message));
        }
        Some(Self {
            key: key?,
            ttl,
            version,
            rest,
        })
    }
}

/// Refuses a rest that serde would write as an attribute, or that has a rival.
fn check_rest(field: &ModelField<'_>, fields: &[ModelField<'_>], at: Span) -> Result<()> {
    // `flatten` counts as unwritten, but it would let serde write the rest.
    if field.serde.unwritten.is_none() || field.serde.flatten.is_some() {
        return Err(Error::new(
            at,
            "serde must not write the rest, which bsm-dynamodb reads and writes itself: add \
             `#[serde(skip)]`",
        ));
    }
    match fields.iter().find_map(|field| field.serde.flatten) {
        None => Ok(()),
        Some(span) => Err(Error::new(
            span,
            "a model has either a rest or a flattened field, because each takes all other \
             attributes: remove one",
        )),
    }
}

fn check_key(field: &ModelField<'_>) -> Result<()> {
    field.demand_stored("a key attribute is part of every item")?;
    match &field.serde.skip_if {
        None => Ok(()),
        Some(function) => Err(Error::new(
            function.span(),
            "a key attribute is part of every item: serde must always write this field",
        )),
    }
}

/// Refuses what serde says on the struct if the fields are not what it writes then, or reads.
fn check_container(container: &SerdeContainer, fields: &[ModelField<'_>], errors: &mut Errors) {
    if let Some((_, span)) = &container.into {
        errors.push(Error::new(
            *span,
            "serde writes another type than this one, with attributes that are not known here: \
             derive `Model` for that type, or implement it by hand",
        ));
    }
    if let Some(span) = container.from
        && fields.iter().any(|field| field.options.rest.is_some())
    {
        errors.push(Error::new(
            span,
            "serde reads another type than this one, with attributes that are not known here, so that \
             the rest could take them: put the rest and `Model` on that type, or remove the rest",
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
            let message = format!(
                "another field already has the attribute name `{name}`: rename one of them"
            );
            errors.push(Error::new(field.ident.span(), message));
        }
    }
}

/// Refuses attributes that the derive adds under the name of a field, or of another one.
fn check_added(options: &StructOptions, fields: &[ModelField<'_>], errors: &mut Errors) {
    let keys: Vec<_> = options
        .key()
        .into_iter()
        .chain(options.indexes.iter().map(TemplateIndex::key))
        .collect();
    let of_keys = keys.iter().flat_map(TemplateKey::attributes);
    let of_keys = of_keys.map(|(name, template)| (name, template.span(), Some(template)));
    let entity = options.entity();
    let entity = entity.as_ref();
    let entity = entity.map(|(attribute, value)| (attribute.as_str(), value.span(), None));
    let mut known: Vec<(&str, Option<&Template>)> = Vec::new();
    for (name, span, template) in of_keys.chain(entity) {
        let is_field = fields
            .iter()
            .any(|field| field.serde.unwritten.is_none() && field.serde.name == name);
        // An index may have an attribute of the table's key as its own, with the same template.
        let is_other = known.iter().any(|(other_name, other)| {
            let is_same = other
                .zip(template)
                .is_some_and(|(one, two)| one.is_same(two));
            *other_name == name && !is_same
        });
        if is_field {
            let message =
                format!("a field already has the attribute name `{name}`: rename one of them");
            errors.push(Error::new(span, message));
        } else if is_other {
            let message = format!(
                "the attribute `{name}` has another template already: give this one another name, with \
                 `hash_name` or `range_name`"
            );
            errors.push(Error::new(span, message));
        }
        known.push((name, template));
    }
}

/// Refuses templates on a generic model, whose indexes and keys would need parameters.
fn check_no_parameters(input: &DeriveInput, options: &StructOptions, errors: &mut Errors) {
    let templates = options.hash.iter().map(Template::span);
    let indexes = options.indexes.iter().map(|index| index.marker.span());
    if !input.generics.params.is_empty()
        // One error is enough: removing the parameters fixes all of them.
        && let Some(span) = templates.chain(indexes).next()
    {
        let message = "the keys of a generic model cannot have templates";
        errors.push(Error::new(span, message));
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
    check_container(container, fields, errors);
    check_names(fields, errors);
    check_added(options, fields, errors);
    check_no_parameters(input, options, errors);
    for field in fields {
        errors.ok(field.check_key_type());
    }
    if let Some(lifetime) = input.generics.lifetimes().next() {
        errors.push(Error::new(
            lifetime.span(),
            "a model owns its values, because it outlives the request: it cannot borrow",
        ));
    }
    if options.table.is_none() {
        errors.push_missing(Error::new(
            input.ident.span(),
            "a model needs the name of its table: add `#[model(table = \"…\")]`",
        ));
    }
    // Before the key is looked for, so that the errors of indexes are reported without one.
    let table = TableOptions {
        has_own_codec: options.codec.is_some(),
        has_hash_template: options.has_hash,
        has_range_template: options.has_range,
    };
    let indexes = Index::find_all(input, fields, table, errors);
    match Attributes::find(input, options, fields, errors) {
        Some(attributes) => expand_model(input, options, fields, &attributes, &indexes, errors),
        // The reason is among the errors, and the stub takes the place of the model.
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
    let key_fields = attributes.key.fields();
    let codec = match &options.codec {
        Some(codec) => quote! { #codec },
        None => quote! { ::bsm_dynamodb::Serde },
    };

    let index_keys = indexes.iter().flat_map(Index::key_fields);
    let components = fields.iter().filter(|field| field.is_component);
    let key_bounds = key_fields
        .iter()
        .copied()
        .chain(index_keys)
        .chain(components);
    // As bounds, because the compiler reports a bound at the type of the field and not at the derive.
    let key_bounds = key_bounds.filter_map(ModelField::key_bound);
    let ttl_bound = attributes.ttl.and_then(|field| {
        let ty = field.ty();
        // Without parameters, `expires` checks the type. With them, it needs the bound.
        let is_checked = field.serde.serialize_with.is_none();
        (is_checked && !input.generics.params.is_empty())
            .then(|| quote_spanned! { ty.span() => #ty: ::bsm_dynamodb::TtlAttribute, })
    });
    // What the trait demands holds for some parameters only.
    let generic_bounds = (!input.generics.params.is_empty()).then(|| {
        quote! {
            Self: ::core::marker::Sized + ::core::marker::Send + 'static,
            #codec: ::bsm_dynamodb::Codec<Self>,
        }
    });

    // `Self` includes the parameters of a generic model.
    let (key, schema) = attributes.key.expand(&quote! { Self });
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
        let (name, ty) = (&field.serde.name, field.ty());
        // A function of the user's own writes what it likes.
        let name = match field.serde.serialize_with {
            Some(_) => quote! { #name },
            None => {
                quote_spanned! { ty.span() => ::bsm_dynamodb::__private::expires::<#ty>(#name) }
            }
        };
        quote! {
            const TTL: ::core::option::Option<&'static str> = ::core::option::Option::Some(#name);
        }
    });
    let version = attributes.version.map(expand_version);
    let flattened = expand_flattened(fields);
    let rest = attributes.rest.map(|field| expand_rest(field, fields));
    let entity = options.entity();
    let entity_attribute = entity.as_ref().map(|(attribute, _)| attribute.as_str());
    let of_struct = options.indexes.iter().map(|index| &index.marker);
    let markers: Vec<_> = indexes.iter().map(Index::marker).chain(of_struct).collect();
    let definitions = (!markers.is_empty()).then(|| {
        quote! {
            const INDEXES: &'static [::bsm_dynamodb::IndexDefinition] =
                &[#(::bsm_dynamodb::IndexDefinition::of::<#markers>()),*];
        }
    });
    let table_hash = attributes.key.hash(&quote! { #name }, fields);
    let mut index_types: Vec<_> = indexes
        .iter()
        .map(|index| index.expand(input, &table_hash, fields, entity_attribute, errors))
        .collect();
    let of_struct = options.indexes.iter();
    index_types
        .extend(of_struct.map(|index| index.expand(input, fields, entity_attribute, errors)));
    let templates = expand_templates(input, options, fields);
    let key_templates = match &attributes.key {
        TableKey::Fields { .. } => None,
        // By name and not as `Self`, because this is an implementation of its own.
        TableKey::Templates { key, .. } => errors.ok(key.expand(input, &quote! { #name }, fields)),
    };
    let entity_constant = entity.as_ref().map(|(attribute, value)| {
        quote! {
            const ENTITY: ::core::option::Option<::bsm_dynamodb::Entity> =
                ::core::option::Option::Some(::bsm_dynamodb::Entity::new(#attribute, #value));
        }
    });
    let encodings = fields
        .iter()
        .filter_map(|field| field.expand_encoding(input));
    // `__key` passes the fields to `IntoKey`, as `get` does, so that both encode them alike.
    let key_of_self = attributes.key.of_self();
    let table = &options.table;

    quote! {
        // Absolute paths, because the program may have items of the same names.
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
            #entity_constant
            #templates

            fn table_name() -> ::std::borrow::Cow<'static, str> {
                // `into`, so that a literal, a `String` and a `Cow` are all accepted.
                ::core::convert::Into::into(#table)
            }

            fn __key(&self) -> ::bsm_dynamodb::__private::OwnKey {
                ::core::option::Option::Some(
                    ::bsm_dynamodb::IntoKey::<Self::Key>::into_key(#key_of_self)
                )
            }

            #flattened

            #rest
        }

        #(#encodings)*
        #(#index_types)*
        #key_templates
    }
}

/// Writes the templates of all keys as a constant.
fn expand_templates(
    input: &DeriveInput,
    options: &StructOptions,
    fields: &[ModelField<'_>],
) -> Option<TokenStream> {
    let name = &input.ident;
    let model = quote! { #name };
    let of_table = options.key();
    let of_indexes = options.indexes.iter().map(TemplateIndex::key);
    let keys = of_table.into_iter().chain(of_indexes);
    let mut known: Vec<String> = Vec::new();
    let mut constants = Vec::new();
    for key in keys {
        for (attribute, template) in key.attributes() {
            // Indexes may share an attribute, and an update must not set it twice. `check_added` has refused
            // other templates of the same name.
            if known.iter().all(|name| name != attribute) {
                constants.push(template.expand(attribute, &model, fields));
                known.push(attribute.to_owned());
            }
        }
    }
    (!constants.is_empty()).then(|| {
        quote! {
            const TEMPLATES: &'static [::bsm_dynamodb::KeyTemplate] = &[#(#constants),*];
        }
    })
}

/// Returns the names under which serde writes and reads the fields.
fn declared_names<'f>(fields: &'f [ModelField<'_>]) -> impl Iterator<Item = &'f String> {
    fields
        .iter()
        // A field that serde neither writes nor reads has no attribute. The rest itself is such a field.
        .filter(|field| field.serde.unwritten.is_none() || field.serde.unread.is_none())
        .flat_map(|field| std::iter::once(&field.serde.name).chain(&field.serde.aliases))
}

/// Writes the check of the entries of flattened fields, if there are any.
fn expand_flattened(fields: &[ModelField<'_>]) -> Option<TokenStream> {
    let flattened = fields.iter().filter(|field| {
        // Functions of the user's own may write other entries than the type of the field does.
        field.serde.flatten.is_some() && field.serde.serialize_with.is_none()
    });
    let flattened: Vec<_> = flattened.map(|field| field.ident).collect();
    let names = declared_names(fields);
    (!flattened.is_empty()).then(|| {
        quote! {
            fn __check_flattened(&self) -> ::core::result::Result<(), ::bsm_dynamodb::CodecError> {
                // The traits are in scope for this function only.
                use ::bsm_dynamodb::__private::{Entries as _, UnknownEntries as _};
                ::bsm_dynamodb::__private::check_entries::<Self>(
                    &[#(#names),*],
                    &[#((
                        ::core::stringify!(#flattened),
                        (&::bsm_dynamodb::__private::Flattened(&self.#flattened)).entries(),
                    )),*],
                )
            }
        }
    })
}

/// Writes the access to the rest. That the field is a `Rest` is an error at its type if not.
fn expand_rest(field: &ModelField<'_>, fields: &[ModelField<'_>]) -> TokenStream {
    let (ident, ty) = (field.ident, field.ty());
    let names = declared_names(fields);
    let (rest, rest_mut) = (
        quote_spanned! { ty.span() => &self.#ident },
        quote_spanned! { ty.span() => &mut self.#ident },
    );
    quote! {
        const DECLARED: ::core::option::Option<&'static [&'static str]> =
            ::core::option::Option::Some(&[#(#names),*]);

        fn __rest(&self) -> ::core::option::Option<&::bsm_dynamodb::Rest> {
            ::core::option::Option::Some(#rest)
        }

        fn __rest_mut(&mut self) -> ::core::option::Option<&mut ::bsm_dynamodb::Rest> {
            ::core::option::Option::Some(#rest_mut)
        }
    }
}

/// Writes the version attribute. That the field is a `Version` is an error at its type if not.
fn expand_version(field: &ModelField<'_>) -> TokenStream {
    let (name, ident, ty) = (&field.serde.name, field.ident, field.ty());
    // A closure without captures, because `VersionAttribute` takes a function pointer.
    let of = quote_spanned! { ty.span() => |model: &Self| &model.#ident };
    quote! {
        const VERSION: ::core::option::Option<::bsm_dynamodb::VersionAttribute<Self>> =
            ::core::option::Option::Some(::bsm_dynamodb::VersionAttribute::new(#name, #of));
    }
}
