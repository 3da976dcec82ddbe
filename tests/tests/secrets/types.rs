//! The `Debug` forms of the public types, and a check that the list is complete.

use bsm_core::CliCache;
use bsm_dynamodb::{
    Binary, IntoKey, KeyValue, Model, copy_table, slot, transact_get, transact_write,
    use_boto_session,
};
use bsm_local_aws::Fault;
use bsm_tests::{Playground, TRAITS_OF_DYNAMODB};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};

use crate::seen::Seen;

const KEY: &str = "MARKER-of-the-key";
const VALUE: &str = "MARKER-of-a-value";

#[derive(Clone, Debug, Serialize, Deserialize, Model)]
#[model(table = "marked")]
struct Marked {
    #[model(hash_key)]
    id: String,
    #[model(range_key)]
    at: u64,
    name: String,
}

impl Marked {
    fn new() -> Self {
        Self {
            id: KEY.to_owned(),
            at: 1,
            name: VALUE.to_owned(),
        }
    }
}

/// Exports of bsm-core that hold no secret: plain enums, what is printed for people, and traits.
const WITHOUT_SECRETS: [&str; 19] = [
    // Aliases, traits, and a type that only this crate can make.
    "BoxFuture",
    "ChildCommand",
    "ErrorKind",
    "FailureStep",
    "InCurrentScope",
    "Internal",
    "ProcessStdio",
    "ProfileInfo",
    "ProfileKind",
    // The feature `tower`: a function, and what it wraps.
    "ScopeLayer",
    "ScopeService",
    "ScopedResponse",
    "Shell",
    "SignInPrompt",
    // The tests of signing in look at these.
    "SignInRequest",
    "SsoLogin",
    "SsoRole",
    "SsoRoles",
    "WhoAmI",
];

/// Types of bsm-dynamodb that hold no value of an item: names, settings, counters, and schemas.
const WITHOUT_VALUES: &[&str] = &[
    "AbortedMigration",
    "Billing",
    "BotoSession",
    // Schemas of keys and of models.
    "Composite",
    "CompositePart",
    "CopyPhase",
    "CopyPlan",
    "CopyPolicy",
    "CopyProgress",
    "CopySummary",
    "CopyTable",
    "CopyTables",
    "CopyTablesSummary",
    "CreateIndex",
    "CreateTable",
    "DeleteIndex",
    "DeleteTable",
    "DescribeTable",
    "Encoded",
    "Entity",
    "ErrorKind",
    "Exists",
    "FieldOf",
    "GlobalIndex",
    "IndexDefinition",
    "KeyPart",
    "KeySchema",
    "KeyTemplate",
    "KeyType",
    "LoadMethod",
    "LocalIndex",
    "MigrateTable",
    "MigrationPhase",
    "MigrationPlan",
    "MigrationProgress",
    "MigrationSummary",
    // Markers in types of keys.
    "OfHash",
    "OfRange",
    "ParseNumberError",
    // A future, and names for a `PagedRead`.
    "Pending",
    "Query",
    "Scan",
    "Path",
    "PlannedSetting",
    "Projection",
    // Made of `KeyValues`, and only by a verification.
    "ReportedKeys",
    "Serde",
    "SettingOutcome",
    "Slot",
    "Sparse",
    "Table",
    "TableLocation",
    "TableSetting",
    "TemplatePart",
    "UpdateTtl",
    "Verification",
];

/// Types that are a value: their `Debug` form is for the program that has it.
const VALUES: &[&str] = &["Item", "Number", "Rest", "Set", "Untyped", "Version"];

#[tokio::test]
async fn no_debug_form_of_bsm_dynamodb_shows_a_value() {
    crate::seen::subscribe();
    let seen = Seen::default();
    let playground = Playground::start().await;
    let manager = playground.profile("staging");
    let _session = use_boto_session::<Marked>(&manager);
    Marked::create_table().wait().await.expect("a table");
    let key = || (KEY, 1_u64);
    for _ in 0..2 {
        Marked::new().save().await.expect("saved");
    }

    let named = || Marked::name().eq(VALUE);
    seen.debug(&named());
    seen.debug(&Marked::name().size());
    seen.debug(&Marked::name());
    seen.debug(&Marked::get(key()));
    seen.debug(&Marked::get_many([key()]));
    seen.debug(&Marked::new().save().condition(named()));
    seen.debug(&Marked::new().save().return_old());
    seen.debug(&Marked::new().delete().condition(named()));
    seen.debug(&Marked::get(key()).optional());
    seen.debug(&Marked::update(key()).set(Marked::name(), VALUE));
    seen.debug(
        &Marked::update(key())
            .set(Marked::name(), VALUE)
            .return_nothing(),
    );
    seen.debug(&Marked::query(KEY).filter(named()));
    seen.debug(&Marked::scan().filter(named()).segments(2));
    seen.debug(&Marked::query(KEY).collect());
    seen.debug(&Marked::query(KEY).count());
    seen.debug(&Marked::batch_write().save_all([Marked::new()]));
    seen.debug(&transact_write().write(Marked::new().save()));
    seen.debug(&transact_get(Marked::get(key())));
    seen.debug(&Binary::from(KEY.as_bytes().to_vec()));
    seen.debug(&KeyValue::S(KEY.to_owned()));
    seen.debug(&Marked::get(key()).raw());
    let stuck = Fault::unprocessed_items(25).operation("BatchWriteItem");
    playground.aws.faults().add(stuck);
    let batch = Marked::batch_write()
        .max_attempts(1)
        .save_all([Marked::new()]);
    let error = batch.await.expect_err("nothing was written");
    seen.error(&error);
    seen.debug(&error);
    seen.debug(error.unprocessed().expect("a write"));
    let values = IntoKey::<<Marked as Model>::Key>::into_key(key());
    seen.debug(&values.expect("a key"));
    seen.debug(&slot::<Marked>());
    seen.debug(&copy_table(&manager, &manager, "marked"));

    let mut pages = Marked::query(KEY).page_size(1).pages();
    seen.debug(&pages);
    let page = pages.next().await.expect("a page").expect("a page");
    seen.debug(&page);
    seen.debug(&pages.cursor().await.expect("a cursor"));
    seen.debug(&Marked::query(KEY).stream());
    let failed = Marked::new().save().condition(Marked::name().not_exists());
    let error = failed.await.expect_err("it exists");
    assert!(error.existing_item().is_some());
    seen.error(&error);
    let cancelled =
        transact_write().write(Marked::new().save().condition(Marked::name().ne(VALUE)));
    let error = cancelled.await.expect_err("it exists");
    for reason in error.cancellation_reasons() {
        seen.debug(reason);
    }
    seen.error(&error);
    seen.assert_without(&[KEY, VALUE]);
    let library = include_str!("../../../bsm-dynamodb/src/lib.rs");
    seen.assert_shown(library, &[WITHOUT_VALUES, VALUES, TRAITS_OF_DYNAMODB]);
}

/// Checks that the types of bsm-core were printed.
pub(crate) fn assert_all_of_core(seen: &Seen) {
    seen.debug(&CliCache::new().directory("/nowhere"));
    for library in [
        include_str!("../../../bsm-core/src/lib.rs"),
        include_str!("../../../bsm-core/src/credentials/mfa.rs"),
        include_str!("../../../bsm-core/src/fleet.rs"),
        include_str!("../../../bsm-core/src/sign_in.rs"),
    ] {
        seen.assert_shown(library, &[&WITHOUT_SECRETS]);
    }
}
