//! The state of a server.

use crate::auth::IdentityStore;
use crate::call_log::CallLog;
use crate::clock::Clock;
use crate::dynamodb::Databases;
use crate::faults::Faults;
use crate::federation::SigninTokens;
use crate::metadata::Machine;
use crate::organizations::Organizations;
use crate::sso::Sso;

/// The state of a server, shared by its connections and the [`LocalAws`](crate::LocalAws) handle.
#[derive(Debug)]
pub(crate) struct ServerState {
    pub(crate) clock: Clock,
    pub(crate) identities: IdentityStore,
    pub(crate) databases: Databases,
    pub(crate) faults: Faults,
    pub(crate) calls: CallLog,
    #[cfg(feature = "s3")]
    pub(crate) s3: std::sync::Arc<crate::s3::S3>,
    pub(crate) signin_tokens: SigninTokens,
    pub(crate) organizations: Organizations,
    pub(crate) sso: Sso,
    pub(crate) machine: Machine,
}
