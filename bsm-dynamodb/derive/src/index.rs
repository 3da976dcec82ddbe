//! The indexes of a model: what their fields say, put together.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{DeriveInput, Error, Field, GenericArgument, Ident, PathArguments, Result, Type};

use crate::field::{IndexOptions, KeyRole, ProjectionOption, set_once_in_index};
use crate::serde_names::{RenameAll, SerdeField};

/// An index, put together from what its fields say.
pub(crate) struct Index<'a> {
    pub(crate) marker: Ident,
    is_local: bool,
    name: Option<String>,
    hash: Option<IndexField<'a>>,
    range: Option<IndexField<'a>>,
    projection: Option<ProjectionOption>,
}

struct IndexField<'a> {
    name: String,
    ty: &'a Type,
}

/// Collects the indexes of a model, in the order in which they are first named.
pub(crate) struct Indexes<'a> {
    found: Vec<Index<'a>>,
    rename_all: RenameAll,
    has_own_codec: bool,
}

impl<'a> Indexes<'a> {
    pub(crate) fn new(rename_all: RenameAll, has_own_codec: bool) -> Self {
        Self {
            found: Vec::new(),
            rename_all,
            has_own_codec,
        }
    }

    pub(crate) fn add(&mut self, field: &'a Field, options: IndexOptions) -> Result<()> {
        let at = options.marker.span();
        let key = IndexField::new(field, self.rename_all, self.has_own_codec, at)?;
        let known = self
            .found
            .iter()
            .position(|index| index.marker == options.marker);
        let place = known.unwrap_or_else(|| {
            self.found.push(Index {
                marker: options.marker.clone(),
                is_local: options.is_local,
                name: None,
                hash: None,
                range: None,
                projection: None,
            });
            self.found.len() - 1
        });
        let index = &mut self.found[place];
        if index.is_local != options.is_local {
            let message = "an index is either local or global: `local_index` stands on one field";
            return Err(Error::new(at, message));
        }
        if let Some(name) = options.name {
            set_once_in_index("name", &mut index.name, name.value(), name.span())?;
        }
        if let Some(projection) = options.projection {
            set_once_in_index("projection", &mut index.projection, projection, at)?;
        }
        match options.role {
            KeyRole::Hash => set_once_in_index("hash key", &mut index.hash, key, at),
            KeyRole::Range => set_once_in_index("range key", &mut index.range, key, at),
        }
    }

    /// Checks what can only be checked when every field is known.
    pub(crate) fn finish(
        self,
        input: &DeriveInput,
        table_has_range: bool,
    ) -> Result<Vec<Index<'a>>> {
        let mut local = 0;
        for index in &self.found {
            let at = index.marker.span();
            local += usize::from(index.is_local);
            let problem = if !input.generics.params.is_empty() {
                "a generic model cannot have indexes: implement `Model` and `Index` by hand"
            } else if index.is_local && !table_has_range {
                "a table with local indexes has a range key: add `#[model(range_key)]` to a field"
            } else if local > 5 {
                "a table has at most 5 local indexes"
            } else if !index.is_local && index.hash.is_none() {
                "a global index has a hash key: add `index(…, hash_key)` to a field, or make it a \
                 `local_index`, which has the table's"
            } else {
                continue;
            };
            return Err(Error::new(at, problem));
        }
        Ok(self.found)
    }
}

impl<'a> IndexField<'a> {
    fn new(field: &'a Field, rename_all: RenameAll, has_own_codec: bool, at: Span) -> Result<Self> {
        let SerdeField {
            name,
            skipped,
            conditional,
            ..
        } = SerdeField::new(field, rename_all)?;
        if let Some(span) = skipped {
            return Err(Error::new(
                span,
                "the key of an index is an attribute: serde must write this field",
            ));
        }
        let inner = inside_of_option(&field.ty);
        if inner.is_some() && conditional.is_none() && !has_own_codec {
            return Err(Error::new(
                at,
                "serde writes None as NULL, which DynamoDB refuses for the key of an index: add \
                 `#[serde(skip_serializing_if = \"Option::is_none\")]`, and the index will leave \
                 out the item",
            ));
        }
        let ty = inner.unwrap_or(&field.ty);
        Ok(Self { name, ty })
    }
}

impl Index<'_> {
    /// Writes the type that stands for the index.
    pub(crate) fn expand(
        &self,
        input: &DeriveInput,
        table_hash: (&str, &Type),
        fields: &[(&Ident, String)],
    ) -> Result<TokenStream> {
        let Self { marker, .. } = self;
        let (model, visibility) = (&input.ident, &input.vis);
        let name = self.name.clone().unwrap_or_else(|| marker.to_string());
        let hash = self.hash.as_ref();
        let (hash_name, hash_type) = hash.map_or(table_hash, |hash| (&hash.name, hash.ty));
        let (key, schema) = match &self.range {
            None => (
                quote! { #hash_type },
                quote! { ::bsm_dynamodb::KeySchema::hash(#hash_name) },
            ),
            Some(IndexField { name, ty }) => (
                quote! { (#hash_type, #ty) },
                quote! { ::bsm_dynamodb::KeySchema::hash_and_range(#hash_name, #name) },
            ),
        };
        let kind = match self.is_local {
            true => quote! { LocalIndex },
            false => quote! { GlobalIndex },
        };
        let projection = match &self.projection {
            None | Some(ProjectionOption::All) => quote! { All },
            Some(ProjectionOption::KeysOnly) => quote! { KeysOnly },
            Some(ProjectionOption::Include(included)) => {
                let names = included
                    .iter()
                    .map(|ident| attribute_name(ident, fields))
                    .collect::<Result<Vec<_>>>()?;
                quote! { Include(&[#(#names),*]) }
            }
        };
        let doc = format!("The index `{name}` of [`{model}`].");
        Ok(quote! {
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
                const PROJECTION: ::bsm_dynamodb::Projection =
                    ::bsm_dynamodb::Projection::#projection;
            }
        })
    }
}

fn attribute_name<'n>(field: &Ident, fields: &'n [(&Ident, String)]) -> Result<&'n str> {
    fields
        .iter()
        .find(|(ident, _)| *ident == field)
        .map(|(_, name)| name.as_str())
        .ok_or_else(|| Error::new(field.span(), "the model has no such field"))
}

/// Returns the `T` of an `Option<T>`.
fn inside_of_option(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(inner) if last.ident == "Option" => Some(inner),
        _ => None,
    }
}
