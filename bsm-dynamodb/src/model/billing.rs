//! The billing mode of a table.

/// The billing mode of a table and of its indexes.
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
#[doc(alias = "BillingMode")]
pub enum Billing {
    /// Each request is billed.
    #[default]
    OnDemand,
    /// A number of requests per second is billed, used or not.
    Provisioned {
        /// Read capacity units: strongly consistent reads of up to 4 KB per second.
        read: u64,
        /// Write capacity units: writes of up to 1 KB per second.
        write: u64,
    },
}
