//! The standard layout: three accounts and three profiles.
//!
//! | profile | account | principal |
//! |---|---|---|
//! | `default` | [`DEFAULT_ACCOUNT`] | the user `dev`, with static keys |
//! | `staging` | [`STAGING_ACCOUNT`] | the role `Staging`, assumed by `dev` |
//! | `production` | [`PRODUCTION_ACCOUNT`] | the role `Production`, assumed by `dev` |

use crate::layout::{Account, Layout, Profile, Role, Trust, User};

/// The account of the user.
pub const DEFAULT_ACCOUNT: &str = "111111111111";
/// The account of the role `Staging`.
pub const STAGING_ACCOUNT: &str = "222222222222";
/// The account of the role `Production`.
pub const PRODUCTION_ACCOUNT: &str = "333333333333";
/// The user of the default account.
pub const USER_ARN: &str = "arn:aws:iam::111111111111:user/dev";
/// The access key id of the user. It contains digits that ids of AWS never contain.
pub const ACCESS_KEY_ID: &str = "AKIALOCALDEVUSER0001";
/// The secret access key of the user.
pub const SECRET_ACCESS_KEY: &str = "bsm/local/aws/not+a+secret/0000000000dev";
/// The role in the staging account.
pub const STAGING_ROLE_ARN: &str = "arn:aws:iam::222222222222:role/Staging";
/// The role in the production account.
pub const PRODUCTION_ROLE_ARN: &str = "arn:aws:iam::333333333333:role/Production";
/// The region of the profiles.
pub const REGION: &str = "us-east-1";

pub(crate) fn layout() -> Layout {
    let user = User::new("dev").access_key(ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    let role = |name: &str| Role::new(name).trust(Trust::principal(USER_ARN));
    let profile = |name: &str| Profile::new(name).region(REGION);
    Layout {
        accounts: vec![
            Account::new(DEFAULT_ACCOUNT).alias("default-co").user(user),
            Account::new(STAGING_ACCOUNT)
                .alias("staging-co")
                .role(role("Staging")),
            Account::new(PRODUCTION_ACCOUNT)
                .alias("production-co")
                .role(role("Production")),
        ],
        profiles: vec![
            profile("default").user(USER_ARN),
            profile("staging").role(STAGING_ROLE_ARN, "default"),
            profile("production").role(PRODUCTION_ROLE_ARN, "default"),
        ],
        identity_center: None,
        organization: None,
    }
}
