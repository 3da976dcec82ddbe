//! The process default: the current manager if there is no override.

use std::sync::OnceLock;

use crate::error::{Error, ErrorKind};
use crate::manager::BotoSesManager;

static INSTALLED: OnceLock<BotoSesManager> = OnceLock::new();
// A cell of its own: a lookup before `install_default` must not prevent the installation.
static DEFAULT_CHAIN: OnceLock<BotoSesManager> = OnceLock::new();

/// Makes a manager the default of the whole process, once.
///
/// Call it first thing in `main`; libraries leave it to the program. To make a forgotten scope an
/// error instead of a surprise, install [`BotoSesManager::none`].
///
/// # Errors
///
/// [`ErrorKind::DefaultAlreadyInstalled`] if a default was installed before. The first one stays.
pub fn install_default(manager: BotoSesManager) -> Result<(), Error> {
    INSTALLED.set(manager).map_err(|refused| {
        Error::new(
            ErrorKind::DefaultAlreadyInstalled,
            format!(
                "{refused} cannot become the process default, because one is installed already: \
                 install it once, in main, and use awsenv() or scope() for a temporary one"
            ),
        )
    })
}

/// Returns the installed default, or else the manager of the default chain.
#[inline]
pub(crate) fn process_default() -> BotoSesManager {
    // Static, so that a clone costs no reference count; see `manager::Inner`.
    INSTALLED
        .get()
        .unwrap_or_else(|| DEFAULT_CHAIN.get_or_init(BotoSesManager::new))
        .of_the_process()
}
