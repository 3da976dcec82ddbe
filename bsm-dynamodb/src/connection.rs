//! The connection of a model: which session it follows, and its client.

pub(crate) mod slot;
mod switch;

pub use self::slot::{ConnectionSlot, Slot, slot};
pub use self::switch::{
    BotoSession, Models, reset_connection, use_boto_session, with_boto_session,
};
