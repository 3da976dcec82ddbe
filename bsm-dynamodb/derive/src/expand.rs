//! `#[derive(Model)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Result};

use crate::errors::Errors;
use crate::field::ModelField;
use crate::options::StructOptions;
use crate::serde_attributes::SerdeContainer;
use crate::{model, paths, stub};

/// Expands the derive.
///
/// After an error it still implements the trait, with a stub, so that the program's uses of the model
/// are no errors as well.
pub(crate) fn model(input: &DeriveInput) -> TokenStream {
    let Expansion {
        model,
        paths,
        stub,
        errors,
    } = Expansion::new(input);
    match errors.finish() {
        Ok(()) => quote! { #model #paths },
        Err(error) => {
            let error = error.into_compile_error();
            // The paths into a model that borrows would be errors of their own.
            let paths = input.generics.lifetimes().next().is_none().then_some(paths);
            quote! { #error #stub #paths }
        }
    }
}

struct Expansion {
    model: TokenStream,
    paths: TokenStream,
    /// What stands in for the model if there are errors.
    stub: TokenStream,
    errors: Errors,
}

impl Expansion {
    fn new(input: &DeriveInput) -> Self {
        let mut errors = Errors::default();
        errors.ok(check_shape(input));
        let options = StructOptions::parse(input, &mut errors);
        let container = SerdeContainer::parse(&input.attrs);
        // With the defaults after an error, so that one compilation also reports the errors that follow.
        let container = errors.ok(container).unwrap_or_default();
        let mut fields = ModelField::parse_all(input, container.rename_all, &mut errors);
        // A template on the struct makes a key of a field that has no attribute itself.
        options.mark_components(&mut fields);
        Self {
            // Both are expanded even after an error, because each of them reports its own.
            model: model::expand(input, &options, &container, &fields, &mut errors),
            paths: paths::expand(input, &fields, options.paths.as_ref(), &mut errors),
            stub: stub::expand(input, &fields, &options),
            errors,
        }
    }
}

fn check_shape(input: &DeriveInput) -> Result<()> {
    match &input.data {
        Data::Struct(data) if matches!(data.fields, Fields::Named(_)) => Ok(()),
        _ => Err(Error::new(
            input.ident.span(),
            "Model is derived for a struct with named fields; for other types implement it by hand",
        )),
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn expanded(input: &DeriveInput) -> String {
        let expansion = Expansion::new(input);
        expansion.errors.finish().unwrap();
        let (model, paths) = (expansion.model, expansion.paths);
        quote! { #model #paths }.to_string()
    }

    fn paths_of(input: &DeriveInput) -> String {
        Expansion::new(input).paths.to_string()
    }

    fn refused(input: &DeriveInput) -> String {
        Expansion::new(input)
            .errors
            .finish()
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_smallest_model() {
        let text = expanded(&parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key)] id: String }
        });
        assert!(text.contains("type Key = String ;"));
        assert!(text.contains("type Codec = :: bsm_dynamodb :: Serde ;"));
        assert!(text.contains(r#"KeySchema :: hash ("id")"#));
        assert!(text.contains(r#"Into :: into ("users")"#));
        assert!(!text.contains("REGION"));
    }

    #[test]
    fn a_range_key_a_region_and_a_codec() {
        let text = expanded(&parse_quote! {
            #[model(table = table_name(), region = "eu-west-1", codec = Mine)]
            #[serde(rename_all = "camelCase")]
            struct Order {
                #[model(hash_key)] customer_id: CustomerId,
                #[model(range_key)] #[serde(rename = "n")] number: u64,
            }
        });
        assert!(text.contains("type Key = (CustomerId , u64) ;"));
        assert!(text.contains("type Codec = Mine ;"));
        assert!(text.contains(r#"hash_and_range ("customerId" , "n")"#));
        assert!(text.contains(r#"Some ("eu-west-1")"#));
        assert!(text.contains("Into :: into (table_name ())"));
    }

    #[test]
    fn what_is_missing_or_double_is_named() {
        let message = refused(&parse_quote! { struct User { #[model(hash_key)] id: String } });
        assert!(message.contains("#[model(table"), "{message}");

        let message =
            refused(&parse_quote! { #[model(table = "users")] struct User { id: String } });
        assert!(message.contains("#[model(hash_key)]"), "{message}");

        let message = refused(&parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key)] a: String, #[model(hash_key)] b: String }
        });
        assert_eq!(
            message,
            "a model has only one `hash_key`: remove the others"
        );

        let message = refused(&parse_quote! {
            #[model(table = "users", table = "people")]
            struct User { #[model(hash_key)] a: String }
        });
        assert_eq!(message, "a model has only one `table`: remove the others");

        let message = refused(&parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key, range_key)] a: String }
        });
        assert!(message.contains("is either"), "{message}");
    }

    #[test]
    fn an_index_is_a_type_with_the_names_of_serde() {
        let text = expanded(&parse_quote! {
            #[model(table = "orders")]
            #[serde(rename_all = "camelCase")]
            pub(crate) struct Order {
                #[model(hash_key)] customer_id: String,
                #[model(range_key)] number: u64,
                #[model(index(ByCourier, name = "by-courier", projection = include(total_price)))]
                #[serde(skip_serializing_if = "Option::is_none")]
                courier_id: Option<CourierId>,
                #[model(index(ByCourier, range_key), local_index(ByDate, projection = keys_only))]
                date: String,
                total_price: u64,
            }
        });
        for wanted in [
            "pub (crate) enum ByCourier { }",
            "type Key = (CourierId , String) ;",
            r#"NAME : & 'static str = "by-courier""#,
            r#"hash_and_range ("courierId" , "date")"#,
            "GlobalIndex",
            r#"Include (& ["totalPrice"])"#,
            "pub (crate) enum ByDate { }",
            r#"hash_and_range ("customerId" , "date")"#,
            "LocalIndex",
            "Projection :: KeysOnly",
            "IndexDefinition :: of :: < ByCourier > ()",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in {text}");
        }
    }

    #[test]
    fn an_index_that_dynamodb_would_refuse_does_not_compile() {
        let refused = |field: TokenStream, wanted: &str| {
            let message = refused(&parse_quote! {
                #[model(table = "users")]
                struct User { #[model(hash_key)] id: String, #field }
            });
            assert!(message.contains(wanted), "{message}");
        };
        refused(
            quote! { #[model(index(ByName, range_key))] name: String },
            "a global index has a hash key",
        );
        refused(
            quote! { #[model(local_index(ByName))] name: String },
            "a table with local indexes has a range key",
        );
        refused(
            quote! { #[model(index(ByName))] name: Option<String> },
            "skip_serializing_if",
        );
        refused(
            quote! { #[model(index(ByName, name = "no spaces"))] name: String },
            "3 to 255 characters",
        );
        refused(
            quote! { #[model(index(ByName, projection = include(nothing)))] name: String },
            "no such field",
        );
        refused(
            quote! { #[model(index(ByName))] name: String, #[model(index(ByName))] other: String },
            "the index has a hash key already",
        );
        refused(
            quote! { #[model(index(hash_key))] name: String },
            "needs the name of a type",
        );
        refused(
            quote! { #[model(index(ByName, projection = include(id, id)))] name: String },
            "includes an attribute once",
        );
        refused(
            quote! { #[model(index(ByName, projection = include()))] name: String },
            "keys_only",
        );
    }

    #[test]
    fn an_index_includes_as_many_attributes_as_dynamodb_takes() {
        let model = |count: usize, entity: Option<TokenStream>| -> DeriveInput {
            let names: Vec<_> = (0..count).map(|n| quote::format_ident!("f{n}")).collect();
            parse_quote! {
                #[model(table = "users" #entity)]
                struct User {
                    #[model(hash_key)] id: String,
                    #[model(index(ByName, projection = include(#(#names),*)))] name: String,
                    #(#names: u8,)*
                }
            }
        };
        let entity = || Some(quote! { , entity = "user" });
        expanded(&model(20, None));
        expanded(&model(19, entity()));
        let message = refused(&model(21, None));
        assert!(message.ends_with("besides the keys"), "{message}");
        let message = refused(&model(20, entity()));
        assert!(message.contains("of which `entity` is one"), "{message}");
        // The attribute of the entity is included once, also where it is named.
        let text = expanded(&parse_quote! {
            #[model(table = "users", entity = "user")]
            struct User {
                #[model(hash_key)] id: String,
                #[model(index(ByName, projection = include(age, entity)))] name: String,
                age: u8,
            }
        });
        assert!(text.contains(r#"Include (& ["age" , "entity"])"#), "{text}");
    }

    #[test]
    fn a_local_index_has_the_template_of_the_tables_hash_key() {
        let text = expanded(&parse_quote! {
            #[model(table = "users", hash_key = "U#{id}", range_key = "PROFILE")]
            struct User { id: String, #[model(local_index(ByName))] name: String }
        });
        let key = "type Key = (:: bsm_dynamodb :: CompositePart < (String ,) , \
                   :: bsm_dynamodb :: OfHash < User >> , String) ;";
        assert!(text.contains(key), "{text}");
        assert!(text.contains(r#"hash_and_range ("pk" , "name")"#), "{text}");
        let message = refused(&parse_quote! {
            #[model(table = "users", hash_key = "U#{id}")]
            struct User { id: String, #[model(local_index(ByName))] name: String }
        });
        assert!(message.contains("`range_key = \"…\"`"), "{message}");
    }

    #[test]
    fn billing_time_to_live_and_version() {
        let text = expanded(&parse_quote! {
            #[model(table = "users", billing = Billing::Provisioned { read: 5, write: 2 })]
            struct User {
                #[model(hash_key)] id: String,
                #[model(ttl)] #[serde(rename = "exp")] expires: u64,
                #[model(version)] version: Version,
            }
        });
        assert!(text.contains("Billing = Billing :: Provisioned { read : 5 , write : 2 } ;"));
        assert!(text.contains(r#"expires :: < u64 > ("exp")"#));
        assert!(
            text.contains(r#"new ("version" , | model : & Self | & model . version)"#),
            "{text}"
        );

        let message = refused(&parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key)] id: String, #[model(ttl)] #[serde(skip)] ttl: u64 }
        });
        assert!(message.contains("must write and read"), "{message}");
        let message = refused(&parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key, version)] id: Version }
        });
        assert!(message.contains("a key cannot change"), "{message}");
    }

    #[test]
    fn a_table_name_that_aws_refuses_does_not_compile() {
        for name in ["", "us", "user table", "b\u{fc}cher"] {
            let message = refused(&parse_quote! {
                #[model(table = #name)]
                struct User { #[model(hash_key)] a: String }
            });
            assert!(message.contains("3 to 255 characters"), "{name}: {message}");
        }
    }

    #[test]
    fn a_key_that_serde_may_leave_out_does_not_compile() {
        let message = refused(&parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key)] #[serde(skip)] id: String }
        });
        assert!(message.contains("part of every item"), "{message}");
    }

    #[test]
    fn an_enum_is_refused() {
        let message = refused(&parse_quote! { #[model(table = "users")] enum User { A } });
        assert!(message.contains("named fields"), "{message}");
    }

    #[test]
    fn a_field_has_a_function_that_is_as_visible_as_the_field() {
        let input = parse_quote! {
            #[serde(rename_all = "camelCase")]
            struct User { pub user_id: String, r#type: u8 }
        };
        let text = paths_of(&input);
        let wanted = "pub fn user_id () -> :: bsm_dynamodb :: Path < User , String >";
        assert!(text.contains(wanted), "{text}");
        assert!(text.contains(r#"Path :: __field ("userId" ,"#), "{text}");
        assert!(text.contains("fn r#type ()"), "{text}");
    }

    #[test]
    fn what_serde_does_not_write_as_an_attribute_has_no_path() {
        let input = parse_quote! {
            struct User {
                #[serde(skip)] a: u8,
                #[serde(flatten)] b: Rest,
                #[serde(skip_serializing_if = "Option::is_none")] c: Option<u8>,
            }
        };
        let text = paths_of(&input);
        assert!(
            !text.contains("fn a ()") && !text.contains("fn b ()"),
            "{text}"
        );
        assert!(text.contains("fn c ()"), "{text}");
    }

    #[test]
    fn a_value_is_written_as_the_field_is() {
        let text = expanded(&parse_quote! {
            #[model(table = "users")]
            struct User {
                #[model(hash_key)] id: String,
                #[serde(with = "serde_dynamo::string_set")] tags: BTreeSet<String>,
                #[serde(serialize_with = "hex")] hash: u64,
            }
        });
        assert!(
            text.contains("serde_dynamo :: string_set :: serialize (value"),
            "{text}"
        );
        assert!(text.contains("hex (value"), "{text}");
        assert!(
            text.contains("Path < User , u64 , :: bsm_dynamodb :: FieldOf < User , 2usize > >")
        );
    }

    #[test]
    fn a_key_is_written_as_the_field_is() {
        let text = expanded(&parse_quote! {
            #[model(table = "users")]
            struct User {
                #[model(hash_key)] #[serde(with = "upper")] id: String,
                #[model(range_key, key_type = Number)] at: SystemTime,
                #[model(index(ByEmail))]
                #[serde(with = "upper", skip_serializing_if = "Option::is_none")]
                email: Option<String>,
            }
        });
        for wanted in [
            "type Key = (:: bsm_dynamodb :: Encoded < String , :: bsm_dynamodb :: FieldOf < Self , 0usize > > , \
             :: bsm_dynamodb :: Encoded < SystemTime , :: bsm_dynamodb :: FieldOf < Self , 1usize > >) ;",
            "KeyField < 1usize , SystemTime > for User { type Stored = :: bsm_dynamodb :: Number ; }",
            "Encoded < String , :: bsm_dynamodb :: FieldOf < User , 2usize > > ;",
            "SerializeField < 2usize , String > for User",
        ] {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
    }

    #[test]
    fn what_serde_says_on_a_model_and_cannot_work_is_refused_once() {
        let refused_alone = |input: DeriveInput, wanted: &str| {
            let errors = Expansion::new(&input).errors.finish().unwrap_err();
            let messages: Vec<_> = errors.into_iter().map(|error| error.to_string()).collect();
            assert_eq!(messages.len(), 1, "{messages:?}");
            assert!(messages[0].contains(wanted), "{messages:?}");
        };
        for (attribute, wanted) in [
            (quote!(into = "Wire"), "another type than this one"),
            (quote!(transparent), "in place of the struct"),
        ] {
            let input = parse_quote! {
                #[model(table = "users")]
                #[serde(#attribute)]
                struct User { #[model(hash_key)] id: String }
            };
            refused_alone(input, wanted);
        }
        for attribute in [quote!(skip), quote!(skip_deserializing), quote!(flatten)] {
            let key = parse_quote! {
                #[model(table = "users")]
                struct User { #[model(hash_key)] #[serde(#attribute)] id: String }
            };
            refused_alone(key, "must write and read this field");
            let index_key = parse_quote! {
                #[model(table = "users")]
                struct User {
                    #[model(hash_key)] id: String,
                    #[model(index(ByEmail))] #[serde(#attribute)] email: String,
                }
            };
            refused_alone(index_key, "must write and read this field");
        }
        let two = parse_quote! {
            #[model(table = "users")]
            struct User { #[model(hash_key)] id: String, #[serde(rename = "id")] other: String }
        };
        refused_alone(two, "another field already has the attribute name `id`");
        let version = parse_quote! {
            #[model(table = "users")]
            struct User {
                #[model(hash_key)] id: String,
                #[model(version)] #[serde(with = "text")] version: Version,
            }
        };
        refused_alone(version, "stored as a number");
        let borrowed = parse_quote! {
            #[model(table = "users")]
            struct User<'a> { #[model(hash_key)] id: String, name: &'a str }
        };
        refused_alone(borrowed, "cannot borrow");
    }

    #[test]
    fn a_rest_is_skipped_by_serde_and_has_no_rival() {
        let refused_rest = |rest: TokenStream, wanted: &str| {
            let message = refused(&parse_quote! {
                #[model(table = "users")]
                struct User { #[model(hash_key)] id: String, #rest }
            });
            assert!(message.contains(wanted), "{message}");
        };
        refused_rest(quote! { #[model(rest)] rest: Rest }, "#[serde(skip)]");
        refused_rest(
            quote! { #[model(rest)] #[serde(flatten)] rest: Rest },
            "#[serde(skip)]",
        );
        refused_rest(
            quote! { #[model(rest)] #[serde(skip)] a: Rest, #[model(rest)] #[serde(skip)] b: Rest },
            "one `rest`",
        );
        refused_rest(
            quote! { #[model(rest)] #[serde(skip)] rest: Rest, #[serde(flatten)] more: More },
            "either a rest or a flattened field",
        );
        for attribute in [quote!(from = "Wire"), quote!(try_from = "Wire")] {
            let message = refused(&parse_quote! {
                #[model(table = "users")]
                #[serde(#attribute)]
                struct User { #[model(hash_key)] id: String, #[model(rest)] #[serde(skip)] rest: Rest }
            });
            assert!(
                message.contains("so that the rest could take them"),
                "{message}"
            );
        }
    }

    #[test]
    fn templates_that_cannot_work_are_refused_at_the_template() {
        let refused_model = |attributes: TokenStream, wanted: &str| {
            let input: DeriveInput = parse_quote! {
                #[model(table = "shop")]
                #attributes
                struct Order {
                    customer: String,
                    number: Option<u64>,
                    #[serde(skip)] cached: u64,
                    pk: String,
                }
            };
            let errors = Expansion::new(&input).errors.finish().unwrap_err();
            let messages: Vec<_> = errors.into_iter().map(|error| error.to_string()).collect();
            assert_eq!(messages.len(), 1, "{messages:?}");
            assert!(messages[0].contains(wanted), "{messages:?}");
        };
        let other = quote! { hash_name = "PK", range_name = "SK" };
        for (attributes, wanted) in [
            (
                quote! { hash_key = "A#{nobody}", #other },
                "no field `nobody`",
            ),
            (
                quote! { hash_key = "A#{number}", #other },
                "must always have a value",
            ),
            (
                quote! { hash_key = "A#{cached}", #other },
                "must write and read",
            ),
            (
                quote! { hash_key = "{customer}{pk}", #other },
                "no text between",
            ),
            (
                quote! { hash_key = "A#{customer}" },
                "already has the attribute name `pk`",
            ),
            (
                quote! { hash_key = "A", range_key = "B", hash_name = "a", range_name = "a" },
                "another template already",
            ),
        ] {
            refused_model(quote! { #[model(#attributes)] }, wanted);
        }
        let two = quote! {
            #[model(hash_key = "A", #other)]
            #[model(index(One, name = "gsi1", hash_key = "A"))]
            #[model(index(Two, name = "gsi1", hash_key = "B"))]
        };
        refused_model(two, "another template already");
        let no_hash = quote! { #[model(hash_key = "A", #other)] #[model(index(One))] };
        refused_model(no_hash, "a template for its hash key");
    }

    #[test]
    fn after_an_error_there_is_a_stub_with_all_names() {
        let text = model(&parse_quote! {
            #[model(table = "users")]
            struct User {
                #[model(index(ByName), index(ByName))] name: String,
                #[model(version, nonsense)] age: u8,
            }
        });
        let text = text.to_string();
        for wanted in [
            "impl :: bsm_dynamodb :: Model for User",
            "enum ByName",
            "fn name ()",
            "fn age ()",
            "compile_error",
        ] {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
    }

    #[test]
    fn every_function_of_a_model_is_known() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../src/model.rs");
        let source = std::fs::read_to_string(path).unwrap();
        let functions = source
            .lines()
            .filter_map(|line| line.strip_prefix("    fn "));
        let mut names = functions.filter_map(|rest| rest.split(['(', '<']).next());
        assert_eq!(names.find(|name| !paths::TAKEN.contains(name)), None);
    }

    #[test]
    fn a_field_named_like_a_function_of_every_model_needs_a_type_for_the_paths() {
        let input = parse_quote! {
            #[model(table = "calls")]
            struct Call { #[model(hash_key)] id: String, query: String }
        };
        let message = refused(&input);
        assert!(message.contains("#[model(paths = CallPaths)]"), "{message}");
        let text = paths_of(&parse_quote! {
            #[model(table = "calls", paths = CallPaths)]
            struct Call { #[model(hash_key)] id: String, query: String }
        });
        assert!(text.contains("enum CallPaths"), "{text}");
        assert!(text.contains("fn query ()"), "{text}");
    }
}
