//! Which public type may go where.

use std::marker::{PhantomData, PhantomPinned};

use bsm_core::{
    AssumeRole, AwsEnvGuard, Binding, BotoSesManager, Builder, CallerIdentity, CliCache, EnvVars,
    Error, ErrorKind, OfFuture, OfStream, ProfileInfo, ProfileKind, Scoped, SecretText, Shell,
    Snapshot, TempSnapshot, WhoAmI,
};

/// Tells whether a type has a trait: an inherent constant, where its bound holds, comes before the
/// one of a trait.
macro_rules! has {
    ($type:ty: $bound:path) => {{
        struct Type<T>(PhantomData<T>);
        impl<T> No for Type<T> {}
        impl<T: $bound> Type<T> {
            const HAS: bool = true;
        }
        // Spares a row that is false the lint about dead code.
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
            is_static::<$type>();
        };)*
    };
}

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
    OfFuture:         true  true  true,
    OfStream:         true  true  true,
    ProfileInfo:      true  true  true,
    ProfileKind:      true  true  true,
    SecretText:       true  true  true,
    Shell:            true  true  true,
    Snapshot:         true  true  true,
    TempSnapshot:     true  true  true,
    WhoAmI:           true  true  true,
    // A scope is what its future or stream is.
    Scoped<()>:       true  true  true,
    Scoped<Local>:    false false true,
    Scoped<Pinned>:   true  true  false,
}

#[test]
fn every_public_type_has_a_row() {
    let table = include_str!("auto_traits.rs").split("table! {").nth(1);
    let rows = table.unwrap().lines();
    let rows: Vec<_> = rows
        .filter_map(|row| row.trim().split([':', '<']).next())
        .collect();

    let exports = include_str!("../src/lib.rs").split("pub use ").skip(1);
    let names = exports.flat_map(|export| {
        let (paths, _) = export.split_once(';').unwrap();
        paths.split(|c: char| !c.is_alphanumeric())
    });
    for name in names.filter(|name| name.starts_with(char::is_uppercase)) {
        let is_trait = ["ChildCommand", "InCurrentScope"].contains(&name);
        assert!(
            is_trait || rows.contains(&name),
            "{name} has no row in the table"
        );
    }
}
