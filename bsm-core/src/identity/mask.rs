//! Masked forms of account ids, user ids and ARNs.
//!
//! The forms are those of boto-session-manager. Every text has one.

use super::arn;

/// Shows two digits on both sides.
pub(crate) fn mask_account(account: &str) -> String {
    mask(account, 2, 8)
}

/// Shows four characters on both sides.
pub(crate) fn mask_user_id(user_id: &str) -> String {
    mask(user_id, 4, 3)
}

/// Masks the account of an ARN. A text that is not an ARN is masked as a user id.
pub(crate) fn mask_arn(arn: &str) -> String {
    let Some(mut parts) = arn::split(arn) else {
        return mask_user_id(arn);
    };
    let account = mask_account(parts[4]);
    parts[4] = &account;
    parts.join(":")
}

/// Shows `ends` characters on both sides, and nothing of a text that is too short for that.
fn mask(text: &str, ends: usize, stars: usize) -> String {
    let stars = "*".repeat(stars);
    let length = text.chars().count();
    if length == 0 {
        return String::new();
    }
    if length <= 2 * ends {
        return stars;
    }
    let first: String = text.chars().take(ends).collect();
    let last: String = text.chars().skip(length - ends).collect();
    format!("{first}{stars}{last}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn masks_show_both_ends_and_hide_the_middle() {
        assert_eq!(mask_account("123456789012"), "12********12");
        assert_eq!(mask_user_id("AROAEXAMPLEID:session"), "AROA***sion");
        assert_eq!(
            mask_arn("arn:aws:sts::123456789012:assumed-role/Path:x/me"),
            "arn:aws:sts::12********12:assumed-role/Path:x/me"
        );
    }

    #[test]
    fn what_is_too_short_to_hide_a_middle_shows_nothing() {
        assert_eq!(mask_account("1234"), "********");
        assert_eq!(mask_user_id("AIDAEXAM"), "***");
        assert_eq!(mask_arn("arn:aws"), "***");
        assert_eq!(mask_arn(""), "");
    }

    proptest! {
        #[test]
        fn masks_are_total_and_never_show_the_middle(text in "\\PC{0,40}|[0-9:]{0,40}") {
            for (masked, ends) in [(mask_account(&text), 2), (mask_user_id(&text), 4)] {
                let shown = masked.chars().filter(|c| *c != '*').count();
                prop_assert!(shown <= 2 * ends);
            }
            mask_arn(&text);
        }

        #[test]
        fn a_masked_arn_never_shows_its_account(
            account in "[0-9]{12}",
            resource in "[a-z]{1,9}/[A-Za-z:/]{0,20}",
        ) {
            let masked = mask_arn(&format!("arn:aws:iam::{account}:{resource}"));
            prop_assert!(!masked.contains(&account));
            prop_assert!(masked.ends_with(&resource));
        }
    }
}
