//! How the capacity of a table is paid for.

/// How the capacity of a table and of its indexes is paid for.
///
/// Source: [Read/write capacity modes](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/capacity-mode.html)
/// in the Developer Guide.
///
/// # Examples
///
/// ```
/// use bsm_dynamodb::{Billing, Model};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Model)]
/// #[model(table = "users", billing = Billing::Provisioned { read: 5, write: 2 })]
/// struct User {
///     #[model(hash_key)]
///     id: String,
/// }
///
/// assert_eq!(User::BILLING, Billing::Provisioned { read: 5, write: 2 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Billing {
    /// Each request is paid for.
    #[default]
    OnDemand,
    /// A number of requests per second is paid for, used or not.
    Provisioned {
        /// Read capacity units: consistent reads of up to 4 KB per second.
        read: u64,
        /// Write capacity units: writes of up to 1 KB per second.
        write: u64,
    },
}
