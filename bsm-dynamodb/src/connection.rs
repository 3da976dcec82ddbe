//! The connection of a model: which manager it follows, its client, and its requests.

mod attempts;
pub(crate) mod call;
pub(crate) mod client;
mod conflicts;
mod fixed;
pub(crate) mod slot;
mod switch;

pub use self::fixed::{fix_model, unfix_model};
pub use self::slot::{ConnectionSlot, Slot, slot};
pub use self::switch::{
    BotoSession, Models, reset_connection, use_boto_session, with_boto_session,
};
