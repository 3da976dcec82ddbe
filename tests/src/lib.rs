//! Shared support for tests and benchmarks across the crates.

mod hostile;
pub mod measured;
mod playground;

pub use hostile::{HOSTILE_VARIABLES, hostile};
pub use playground::{Playground, builder};

/// The traits that bsm-dynamodb exports, for checks of all of its types.
pub const TRAITS_OF_DYNAMODB: &[&str] = &[
    "Action",
    "AttributeType",
    "Codec",
    "CodecError",
    "Component",
    "ConnectionSlot",
    "ConsistentRead",
    "Document",
    "Elements",
    "Encode",
    "EncodeKey",
    "Entities",
    "Gets",
    "Index",
    "IndexKind",
    "IntoKey",
    "Key",
    "KeyAttribute",
    "KeyElement",
    "KeyField",
    "KeyPrefix",
    "KeyScalar",
    "KeyTemplates",
    "KeyText",
    "Model",
    "Models",
    "Operand",
    "PartTemplate",
    "RangedKey",
    "RangedTemplates",
    "ReadKind",
    "SerializeField",
    "Source",
    "TtlAttribute",
    "VersionAttribute",
];
