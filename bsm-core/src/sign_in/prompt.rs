//! How the user learns which address to open.

use std::fmt;
use std::future::Future;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::thread;

use webbrowser::{Browser as Program, BrowserOptions};

use crate::error::{Error, ErrorKind, ForeignError};

/// A boxed future, as [`SignInPrompt`] returns it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tells the user how to sign in.
///
/// # Examples
///
/// ```
/// use bsm_core::Error;
/// use bsm_core::sign_in::{BoxFuture, SignInPrompt, SignInRequest};
///
/// struct ChatMessage;
///
/// impl SignInPrompt for ChatMessage {
///     fn show<'a>(&'a self, request: &'a SignInRequest) -> BoxFuture<'a, Result<(), Error>> {
///         Box::pin(async move {
///             post(&format!("Sign in: {}", request.url())).await;
///             Ok(())
///         })
///     }
/// }
/// # async fn post(_: &str) {}
/// ```
pub trait SignInPrompt: Send + Sync + 'static {
    /// Shows the address, and the code if there is one. The sign-in continues meanwhile.
    ///
    /// # Errors
    ///
    /// An error ends the sign-in, which fails with it.
    fn show<'a>(&'a self, request: &'a SignInRequest) -> BoxFuture<'a, Result<(), Error>>;
}

/// What the user has to do.
#[derive(Clone)]
pub struct SignInRequest {
    pub(super) url: String,
    pub(super) user_code: Option<String>,
    pub(super) start_url: String,
}

impl SignInRequest {
    /// Returns the address to open in a browser.
    ///
    /// With an authorization code, the browser must run on this machine, because it returns to it. With a
    /// device code, it can be any browser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the code that the page shows, to be compared, if the flow has one.
    pub fn user_code(&self) -> Option<&str> {
        self.user_code.as_deref()
    }

    /// Returns the address of the portal that the user signs in to.
    pub fn start_url(&self) -> &str {
        &self.start_url
    }
}

/// Without the address, which is enough to sign in as the user.
impl fmt::Debug for SignInRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignInRequest")
            .field("start_url", &self.start_url)
            .field("has_user_code", &self.user_code.is_some())
            .finish_non_exhaustive()
    }
}

/// Writes the address to the standard error.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal {}

impl Terminal {
    /// Creates the prompt.
    pub fn new() -> Self {
        Self::default()
    }
}

impl SignInPrompt for Terminal {
    fn show<'a>(&'a self, request: &'a SignInRequest) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { say(&instructions(request, "Open this address to sign in:")) })
    }
}

/// Opens the user's browser, and writes the address to the standard error as well.
///
/// The browser is the desktop's, or the one that `BROWSER` names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Browser {}

impl Browser {
    /// Creates the prompt.
    pub fn new() -> Self {
        Self::default()
    }
}

impl SignInPrompt for Browser {
    fn show<'a>(&'a self, request: &'a SignInRequest) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let before = "A browser opens for the sign-in. If it does not, open this address:";
            say(&instructions(request, before))?;
            let url = request.url.clone();
            // A thread of its own: a browser in the terminal runs for as long as it is open.
            let opened = thread::Builder::new()
                .name("bsm-browser".to_owned())
                .spawn(move || {
                    // The browser's own messages would hide the address above. A failure to open it
                    // is ignored, because the user can open the address by hand.
                    let options = BrowserOptions::new().with_suppress_output(true).clone();
                    webbrowser::open_browser_with_options(Program::Default, &url, &options).err()
                });
            if let Err(error) = opened {
                tracing::debug!(%error, "no browser could be opened");
            }
            Ok(())
        })
    }
}

/// Makes a prompt of a closure.
///
/// # Examples
///
/// ```
/// use bsm_core::sign_in;
///
/// let prompt = sign_in::from_fn(|request| async move {
///     println!("{}", request.url());
///     Ok::<_, std::io::Error>(())
/// });
/// ```
pub fn from_fn<F, Fut, E>(show: F) -> impl SignInPrompt
where
    F: Fn(SignInRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    FromFn(show)
}

struct FromFn<F>(F);

impl<F, Fut, E> SignInPrompt for FromFn<F>
where
    F: Fn(SignInRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn show<'a>(&'a self, request: &'a SignInRequest) -> BoxFuture<'a, Result<(), Error>> {
        let shown = (self.0)(request.clone());
        Box::pin(async move {
            shown.await.map_err(|error| {
                let message = "the prompt of the sign-in failed: the cause says why";
                Error::new(ErrorKind::SignInFailed, message).with_source(ForeignError::hide(error))
            })
        })
    }
}

fn instructions(request: &SignInRequest, before: &str) -> String {
    let mut text = format!("{before}\n\n  {}\n\n", request.url);
    if let Some(code) = &request.user_code {
        text.push_str(&format!("Check that the page shows this code: {code}\n\n"));
    }
    text
}

/// Writes to the standard error, because the standard output may be a program's.
fn say(text: &str) -> Result<(), Error> {
    let written = io::stderr().write_all(text.as_bytes());
    written.map_err(|error| {
        Error::new(
            ErrorKind::SignInFailed,
            "the address for the sign-in cannot be shown, because the standard error is closed: \
             set a prompt of your own",
        )
        .with_source(error)
    })
}
