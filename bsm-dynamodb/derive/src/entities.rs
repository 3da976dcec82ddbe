//! `#[derive(Entities)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Error, Fields, Ident, Result, Type};

pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let name = &input.ident;
    let (variants, error) = match variants(input) {
        Ok(variants) => (variants, None),
        // Without variants, the implementation still compiles, so that the uses of the enum are no errors as well.
        Err(error) => (Vec::new(), Some(error.into_compile_error())),
    };
    let (impl_generics, ty_generics, where_clause) = input.generics.split_for_impl();
    let models = variants.iter().map(|(_, model)| model);
    // A constant outside the implementation has no access to its parameters.
    let checked = match input.generics.params.is_empty() {
        true => variants.as_slice(),
        false => &[],
    };
    let checks = checked.iter().map(|(_, model)| {
        quote_spanned! { model.span() =>
            // A constant, so that the compiler evaluates it and reports it at the variant.
            const _: () = ::core::assert!(
                <#model as ::bsm_dynamodb::Model>::ENTITY.is_some()
                    || !<#model as ::bsm_dynamodb::Model>::TEMPLATES.is_empty(),
                "nothing tells the items of this model from those of others: add \
                 `#[model(entity = \"…\")]` to it",
            );
        }
    });
    let decoded = variants.iter().map(|(variant, model)| {
        quote! {
            let item = match ::bsm_dynamodb::__private::decode_if::<#model>(item) {
                ::core::result::Result::Ok(model) => return model.map(Self::#variant),
                ::core::result::Result::Err(item) => item,
            };
        }
    });
    quote! {
        #error

        #[automatically_derived]
        impl #impl_generics ::bsm_dynamodb::Entities for #name #ty_generics #where_clause {
            const ENTITIES: &'static [::core::option::Option<::bsm_dynamodb::Entity>] =
                &[#(<#models as ::bsm_dynamodb::Model>::ENTITY),*];

            fn from_item(
                item: ::bsm_dynamodb::Item,
            ) -> ::core::result::Result<Self, ::bsm_dynamodb::CodecError> {
                #(#decoded)*
                // The last `item` would otherwise be an unused variable.
                ::core::mem::drop(item);
                ::core::result::Result::Err(::bsm_dynamodb::__private::of_no_model::<Self>())
            }
        }

        #(#checks)*
    }
}

/// Returns the variants and the models in them.
fn variants(input: &DeriveInput) -> Result<Vec<(&Ident, &Type)>> {
    let Data::Enum(data) = &input.data else {
        let message = "Entities is derived for an enum whose variants contain one model each";
        return Err(Error::new(input.ident.span(), message));
    };
    if data.variants.is_empty() {
        let message = "an enum over models has a variant for each model";
        return Err(Error::new(input.ident.span(), message));
    }
    let mut variants = Vec::new();
    for variant in &data.variants {
        match &variant.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                variants.push((&variant.ident, &fields.unnamed[0].ty));
            }
            _ => {
                let message = "a variant contains one model, as in `Order(Order)`";
                return Err(Error::new(variant.ident.span(), message));
            }
        }
    }
    Ok(variants)
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn a_variant_contains_one_model() {
        let input = parse_quote! { enum Item { Customer(Customer), Order(shop::Order) } };
        let found: Vec<_> = variants(&input).unwrap();
        assert_eq!(found.len(), 2);
        for input in [
            parse_quote! { struct Item(Customer); },
            parse_quote! { enum Item {} },
            parse_quote! { enum Item { Customer } },
            parse_quote! { enum Item { Customer { customer: Customer } } },
            parse_quote! { enum Item { Pair(Customer, Order) } },
        ] {
            assert!(variants(&input).is_err());
            assert!(derive(&input).to_string().contains("impl"));
        }
    }
}
