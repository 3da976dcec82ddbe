//! What the settings of a profile say about it.

use bsm_core::{ProfileInfo, ProfileKind};

/// The key for the account that a profile's credentials must belong to.
pub(crate) const EXPECT_ACCOUNT: &str = "bsm_expect_account";

/// Returns `true` for the twelve digits of an account.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the account of a profile, as far as its own settings name it.
pub(crate) fn account(profile: &ProfileInfo) -> Option<&str> {
    let of_role = || profile.setting("role_arn")?.split(':').nth(4);
    // What the user expects takes precedence over what the other settings imply.
    let settings = [EXPECT_ACCOUNT, "sso_account_id", "aws_account_id"];
    let of_setting = settings.iter().find_map(|key| profile.setting(key));
    of_setting
        .or_else(of_role)
        .filter(|account| !account.is_empty())
}

/// Describes a profile for a person who has to pick one.
pub(crate) fn description(profile: &ProfileInfo) -> String {
    let account = account(profile).map(|account| format!(", account {account}"));
    let region = profile.region().map(|region| format!(", {region}"));
    let (account, region) = (account.unwrap_or_default(), region.unwrap_or_default());
    format!("{}{account}{region}", kind(profile))
}

/// Returns where a profile gets its first credentials, by name.
pub(crate) fn source(profile: &ProfileInfo) -> Option<&str> {
    let settings = ["source_profile", "credential_source", "sso_session"];
    settings.iter().find_map(|key| profile.setting(key))
}

/// Says how a profile gets its credentials.
pub(crate) fn kind(profile: &ProfileInfo) -> &'static str {
    match profile.kind() {
        ProfileKind::Keys => "keys",
        ProfileKind::Role => "role",
        ProfileKind::WebIdentity => "web identity",
        ProfileKind::Sso => "sso",
        ProfileKind::Login => "login",
        ProfileKind::Process => "process",
        _ => "no credentials",
    }
}
