//! Authentication and authorization: who signed a request, and what that principal may do.

pub(crate) mod authorize;
mod identity_store;
mod signature;

pub(crate) use self::identity_store::{
    AccessKey, Identity, IdentityStore, RoleEntry, SessionCredentials,
};
pub(crate) use self::signature::{AuthError, Authorization};
