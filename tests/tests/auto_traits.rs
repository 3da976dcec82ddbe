//! Auto traits of the public types.

/// Evaluates to `true` if a type implements a trait: an inherent constant whose bound holds takes
/// precedence over the constant of a trait.
macro_rules! has {
    ($type:ty: $bound:path) => {{
        use crate::No;
        struct Type<T>(::std::marker::PhantomData<T>);
        impl<T> No for Type<T> {}
        impl<T: $bound> Type<T> {
            const HAS: bool = true;
        }
        // Uses both constants, so that no lint reports one as dead code.
        assert!(Type::<()>::HAS && !<Type<()> as No>::HAS);
        Type::<$type>::HAS
    }};
}

trait No {
    const HAS: bool = false;
}

const fn is_static<T: 'static>() {}

macro_rules! table {
    ($($type:ty: $send:literal $sync:literal $unpin:literal,)*) => {
        $(const _: () = {
            assert!(has!($type: Send) == $send);
            assert!(has!($type: Sync) == $sync);
            assert!(has!($type: Unpin) == $unpin);
            crate::is_static::<$type>();
        };)*
    };
}

mod core {
    use std::marker::PhantomPinned;

    use bsm_core::adapter::Binding;
    use bsm_core::fleet::{
        Account, Call, Finished, Fleet, OrganizationAccounts, Outcome, Report, ReportEntry,
        RoleSessions, Run, Status,
    };
    use bsm_core::sign_in::{
        Browser, SignIn, SignInRequest, SsoLogin, SsoRole, SsoRoles, Terminal,
    };
    use bsm_core::{
        AssumeRole, AwsEnvGuard, BotoSesManager, Builder, CallerIdentity, CliCache, EnvVars, Error,
        ErrorKind, FailureStep, ProcessStdio, ProfileInfo, ProfileKind, RefreshEvent, Scoped,
        SdkFailure, SecretText, SessionCommand, SessionToken, Shell, Snapshot, TempSnapshot,
        WhoAmI,
    };

    type Pinned = PhantomPinned;
    type Local = *const u8;

    table! {
        //                Send  Sync  Unpin
        AssumeRole:       true  true  true,
        AwsEnvGuard:      false false true,
        Binding:          true  true  true,
        BotoSesManager:   true  true  true,
        Builder:          true  true  true,
        CallerIdentity:   true  true  true,
        CliCache:         true  true  true,
        EnvVars:          true  true  true,
        Error:            true  true  true,
        ErrorKind:        true  true  true,
        FailureStep:      true  true  true,
        ProcessStdio:     true  true  true,
        ProfileInfo:      true  true  true,
        ProfileKind:      true  true  true,
        RefreshEvent:     true  true  true,
        SdkFailure:       true  true  true,
        SecretText:       true  true  true,
        SessionCommand:   true  true  true,
        SessionToken:     true  true  true,
        Shell:            true  true  true,
        Snapshot:         true  true  true,
        TempSnapshot:     true  true  true,
        WhoAmI:           true  true  true,
        Account:          true  true  true,
        Call:             true  true  true,
        Fleet:            true  true  true,
        Report:           true  true  true,
        ReportEntry:      true  true  true,
        RoleSessions:     true  true  true,
        Status:           true  true  true,
        OrganizationAccounts: true true true,
        Browser:          true  true  true,
        SignIn:           true  true  true,
        SignInRequest:    true  true  true,
        SsoLogin:         true  true  true,
        SsoRole:          true  true  true,
        SsoRoles:         true  true  true,
        Terminal:         true  true  true,
        // A call's outcome has the auto traits of its value and its error.
        Finished<(), ()>: true  true  true,
        Outcome<(), ()>:  true  true  true,
        Run<(), ()>:      true  true  true,
        Outcome<Local, ()>: false false true,
        // A scope has the auto traits of its future or stream.
        Scoped<()>:       true  true  true,
        Scoped<Local>:    false false true,
        Scoped<Pinned>:   true  true  false,
    }

    #[test]
    fn every_public_type_has_a_row() {
        super::every_type_has_a_row(
            1,
            include_str!("../../bsm-core/src/lib.rs"),
            &[
                "ChildCommand",
                "InCurrentScope",
                // Of the feature `tower`.
                "ScopeLayer",
                "ScopeService",
                "ScopedResponse",
            ],
        );
    }
}

mod dynamodb {
    use bsm_dynamodb::{
        AbortedMigration, BatchWrite, Billing, Binary, BotoSession, CancellationReason, Collect,
        Composite, CompositePart, Condition, CopyPhase, CopyPlan, CopyPolicy, CopyProgress,
        CopySummary, CopyTable, CopyTables, CopyTablesSummary, Count, CreateIndex, CreateTable,
        Cursor, Delete, DeleteIndex, DeleteTable, DescribeTable, Encoded, Entity, Error, ErrorKind,
        Exists, FieldOf, Get, GetMany, GlobalIndex, IndexDefinition, Item, Items, KeyCondition,
        KeyPart, KeySchema, KeyTemplate, KeyType, KeyValue, KeyValues, LoadMethod, LocalIndex,
        MigrateTable, MigrationPhase, MigrationPlan, MigrationProgress, MigrationSummary, Model,
        Number, OfHash, OfRange, Optional, Page, PagedRead, Pages, ParseNumberError, Path, Pending,
        PlannedSetting, Projection, Query, Raw, ReportedKeys, Rest, ReturnNothing, ReturnOld, Save,
        Scan, ScanSegments, Serde, Set, SettingOutcome, Size, Slot, Sparse, Table, TableLocation,
        TableSetting, TemplatePart, TransactGet, TransactWrite, Unprocessed, Untyped, Update,
        UpdateTtl, Verification, Version,
    };
    use serde::{Deserialize, Serialize};

    /// The operations of a model are `Send` even if the model is not `Sync`.
    #[derive(Serialize, Deserialize, Model)]
    #[model(table = "users")]
    struct User {
        #[model(hash_key)]
        id: String,
        #[model(index(ByEmail))]
        email: String,
        visits: std::cell::Cell<u32>,
    }

    table! {
        //                       Send  Sync  Unpin
        BatchWrite<User>:        true  true  true,
        Billing:                 true  true  true,
        Binary:                  true  true  true,
        BotoSession<User>:       false false true,
        CancellationReason:      true  true  true,
        Collect<User>:           true  true  true,
        Condition<User>:         true  true  true,
        CopyPhase:               true  true  true,
        CopyPlan:                true  true  true,
        CopyPolicy:              true  true  true,
        CopyProgress:            true  true  true,
        CopySummary:             true  true  true,
        CopyTablesSummary:       true  true  true,
        AbortedMigration:        true  true  true,
        LoadMethod:              true  true  true,
        MigrationPhase:          true  true  true,
        MigrationPlan:           true  true  true,
        MigrationProgress:       true  true  true,
        MigrationSummary:        true  true  true,
        Count<User>:             true  true  true,
        CreateIndex<ByEmail>:    true  true  true,
        CreateTable<User>:       true  true  true,
        Cursor:                  true  true  true,
        Composite<(String,), User>: true true true,
        CompositePart<(String,), OfHash<User>>: true true true,
        Delete<User>:            true  true  true,
        DeleteIndex<ByEmail>:    true  true  true,
        DeleteTable<User>:       true  true  true,
        DescribeTable<User>:     true  true  true,
        Encoded<String, Serde>:  true  true  true,
        Entity:                  true  true  true,
        Error:                   true  true  true,
        ErrorKind:               true  true  true,
        Exists<User>:            true  true  true,
        FieldOf<User, 0>:        true  true  true,
        Get<User>:               true  true  true,
        GetMany<User>:           true  true  true,
        GlobalIndex:             true  true  true,
        IndexDefinition:         true  true  true,
        Item:                    true  true  true,
        KeyCondition:            true  true  true,
        KeyPart:                 true  true  true,
        KeySchema<String>:       true  true  true,
        KeyTemplate:             true  true  true,
        KeyType:                 true  true  true,
        KeyValue:                true  true  true,
        KeyValues:               true  true  true,
        LocalIndex:              true  true  true,
        Number:                  true  true  true,
        OfHash<User>:            true  true  true,
        OfRange<User>:           true  true  true,
        Optional<Get<User>>:     true  true  true,
        PagedRead<ScanSegments, User>: true true true,
        ParseNumberError:        true  true  true,
        Path<User, u32>:         true  true  true,
        PlannedSetting:          true  true  true,
        Projection:              true  true  true,
        Query<User>:             true  true  true,
        Raw<User, ()>:           true  true  true,
        ReportedKeys:            true  true  true,
        Rest:                    true  true  true,
        ReturnNothing<Update<User>>: true  true  true,
        ReturnOld<Save<User>>:   true  true  true,
        Save<User>:              true  true  true,
        Scan<User>:              true  true  true,
        ScanSegments:            true  true  true,
        Serde:                   true  true  true,
        Set<String>:             true  true  true,
        SettingOutcome:          true  true  true,
        Size<User>:              true  true  true,
        Slot<User>:              true  true  true,
        Sparse:                  true  true  true,
        Table:                   true  true  true,
        TableLocation:              true  true  true,
        TableSetting:            true  true  true,
        TemplatePart:            true  true  true,
        TransactGet<Get<User>>:  true  true  true,
        TransactWrite:           true  true  true,
        Unprocessed:             true  true  true,
        Untyped:                 true  true  true,
        Update<User>:            true  true  true,
        UpdateTtl<User>:         true  true  true,
        Verification:            true  true  true,
        Version:                 true  true  true,
        // It contains user closures, which need not be `Sync`.
        CopyTable:               true  false true,
        CopyTables:              true  false true,
        MigrateTable:             true  false true,
        // Operations in progress are polled in one place at a time.
        Items<User>:             true  false true,
        Pages<User>:             true  false true,
        Pending<User>:           true  false true,
        // A page has the auto traits of its items.
        Page<User>:              true  false true,
    }

    #[test]
    fn every_public_type_has_a_row() {
        super::every_type_has_a_row(
            2,
            include_str!("../../bsm-dynamodb/src/lib.rs"),
            bsm_tests::TRAITS_OF_DYNAMODB,
        );
    }
}

/// Checks that every exported name has a row in the table, except traits.
fn every_type_has_a_row(number: usize, library: &str, traits: &[&str]) {
    let tables = include_str!("auto_traits.rs");
    let table = tables
        .split("    table! {")
        .nth(number)
        .expect("there is a table");
    let rows: Vec<_> = table
        .lines()
        .filter_map(|row| row.trim().split([':', '<']).next())
        .collect();
    let exports = library.split("\npub use ").skip(1);
    let names = exports.flat_map(|export| {
        let (paths, _) = export.split_once(';').expect("an export ends");
        paths.split(|c: char| !c.is_alphanumeric())
    });
    for name in names.filter(|name| name.starts_with(char::is_uppercase)) {
        assert!(
            traits.contains(&name) || rows.contains(&name),
            "{name} has no row in the table"
        );
    }
}

/// Imports paths, and returns them as text.
macro_rules! paths {
    ($($($name:ident)::+),*) => {{
        $(#[expect(unused_imports, reason = "an import shows that the path exists")] use $($name)::+ as _;)*
        [$([$(stringify!($name)),+].join("::")),*]
    }};
}

/// Clippy ignores the path of a type that does not exist.
#[test]
fn the_lines_for_clippy_name_the_guards_by_the_paths_that_they_have() {
    let guide = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/src/temporary-default.md"
    );
    let guide = std::fs::read_to_string(guide).expect("the page");
    let (_, lines) = guide
        .split_once("await-holding-invalid-types = [")
        .expect("the lines for clippy.toml");
    let (lines, _) = lines.split_once("\n]").expect("the list ends");
    let named: Vec<_> = lines.split("path = \"").skip(1).collect();
    let named = named.iter().filter_map(|line| line.split('"').next());
    let named: Vec<_> = named.collect();
    assert_eq!(
        named,
        paths![bsm_core::AwsEnvGuard, bsm_dynamodb::BotoSession]
    );
}
