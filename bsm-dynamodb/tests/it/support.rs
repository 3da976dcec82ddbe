//! A local AWS with its profile files, and managers that use nothing else.

use bsm_local_aws::standard;

pub(crate) use bsm_tests::Playground;
pub(crate) use standard::{
    DEFAULT_ACCOUNT as DEFAULT, PRODUCTION_ACCOUNT as PRODUCTION, STAGING_ACCOUNT as STAGING,
};

/// Defines a model of its own for a test: pins are per type and process.
macro_rules! user_model {
    ($name:ident) => {
        #[derive(
            Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, bsm_dynamodb::Model,
        )]
        #[model(table = "users")]
        struct $name {
            #[model(hash_key)]
            id: String,
        }

        impl $name {
            fn new(id: impl Into<String>) -> Self {
                Self { id: id.into() }
            }
        }

        // Not every test makes items.
        const _: fn(String) -> $name = $name::new;
    };
}

pub(crate) use user_model;
