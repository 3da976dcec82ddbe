//! The page on which the user allows or denies a sign-in.

use crate::response::escape;

/// Returns a page with one link for each decision, which leads to `path`.
pub(super) fn question(path: &str, query: Option<&str>) -> String {
    let query = escape(query.unwrap_or_default());
    format!(
        "<!doctype html>\n<title>Local AWS</title>\n<h1>Allow access?</h1>\n\
         <p><a id=\"allow\" href=\"{path}?{query}&amp;decision=allow\">Allow</a>\n\
         <p><a id=\"deny\" href=\"{path}?{query}&amp;decision=deny\">Deny</a>\n"
    )
}

/// Returns the page behind a decision.
pub(super) fn decided(is_found: bool) -> String {
    let text = match is_found {
        true => "You can close this window.",
        false => "There is no such code.",
    };
    format!("<!doctype html>\n<title>Local AWS</title>\n<p>{text}\n")
}
