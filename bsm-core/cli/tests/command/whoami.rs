use bsm_local_aws::standard::{
    ACCESS_KEY_ID, DEFAULT_ACCOUNT, PRODUCTION_ACCOUNT, PRODUCTION_ROLE_ARN, SECRET_ACCESS_KEY,
    STAGING_ACCOUNT,
};
use bsm_local_aws::{Account, LocalAws, Profile, Role, Trust, User};
use serde_json::json;

use crate::support::{Home, run};

#[test]
fn whoami_names_the_account_and_the_source_of_the_credentials() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let printed = home.run(&["whoami", "-p", "staging"]).ok();
    let facts: Vec<_> = printed.lines().map(|line| &line[..7]).collect();
    assert_eq!(
        facts,
        [
            "account", "arn    ", "user id", "region ", "source ", "expires"
        ]
    );
    assert!(printed.contains(STAGING_ACCOUNT), "{printed}");
    assert!(
        printed.contains("keys of profile \"default\" in the credentials file"),
        "{printed}"
    );

    let json = home.run(&["--json", "-p", "staging", "whoami"]).json();
    assert_eq!(json["account"], STAGING_ACCOUNT);
    assert_eq!(json["profile"], "staging");
    assert!(json["expiration"].as_str().unwrap().ends_with('Z'));

    let masked = home.run(&["whoami", "-p", "staging", "--masked"]).ok();
    let (identity, _) = masked.split_once("source").unwrap();
    assert!(!identity.contains(STAGING_ACCOUNT), "{masked}");
}

#[test]
fn a_named_profile_beats_keys_in_the_environment_and_both_are_explained() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let with_keys = |arguments: &[&str], profile: Option<&str>| {
        let mut command = home.bsm(arguments);
        command
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .env("AWS_ENDPOINT_URL", aws.endpoint_url());
        command.envs(profile.map(|profile| ("AWS_PROFILE", profile)));
        run(command)
    };

    let named = with_keys(&["whoami", "-p", "production"], None);
    assert!(
        named
            .stderr
            .contains("is set and not used, because --profile production"),
        "{named:?}"
    );
    assert!(named.ok().contains(PRODUCTION_ACCOUNT));

    let ambient = with_keys(&["whoami"], Some("production"));
    assert!(
        ambient.stderr.contains("takes precedence over AWS_PROFILE"),
        "{ambient:?}"
    );
    let ambient = ambient.ok();
    assert!(ambient.contains(DEFAULT_ACCOUNT), "{ambient}");
    assert!(ambient.contains("source   environment"), "{ambient}");
}

#[test]
fn roles_are_assumed_on_top_of_a_profile_and_shared_through_the_cache() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let role = ["whoami", "--json", "--role", PRODUCTION_ROLE_ARN];
    assert_eq!(home.run(&role).json()["account"], PRODUCTION_ACCOUNT);
    assert_eq!(home.run(&role).json()["account"], PRODUCTION_ACCOUNT);
    assert_eq!(aws.call_count("sts", "AssumeRole"), 1);

    let anew = [role.as_slice(), &["--no-cache"]].concat();
    home.run(&anew).ok();
    assert_eq!(aws.call_count("sts", "AssumeRole"), 2);

    // The role Production does not trust the role Staging.
    let chain = [&anew[..], &["-p", "staging"]].concat();
    let refused = home.run(&chain).fails_with(1);
    assert!(refused.contains("AccessDenied"), "{refused}");
}

#[test]
fn a_chain_of_roles_ends_with_the_last_one_which_the_account_is_expected_of() {
    const USER: &str = "arn:aws:iam::111111111111:user/dev";
    const FIRST: &str = "arn:aws:iam::222222222222:role/First";
    const SECOND: &str = "arn:aws:iam::333333333333:role/Second";
    let role = |name: &str, by| Role::new(name).trust(Trust::principal(by));
    let aws = LocalAws::builder()
        .account(
            Account::new("111111111111")
                .user(User::new("dev").access_key("AKIACHAINTEST0000001", "secret")),
        )
        .account(Account::new("222222222222").role(role("First", USER)))
        .account(Account::new("333333333333").role(role("Second", FIRST)))
        .profile(Profile::new("default").region("us-east-1").user(USER))
        .start_blocking()
        .unwrap();
    let home = Home::of(&aws);
    let whoami = |options: &[&str]| home.run(&[&["whoami", "--json"], options].concat());
    let chain = ["--role", FIRST, "--role", SECOND];
    assert_eq!(whoami(&chain).json()["account"], "333333333333");
    // Only the first role may assume it. The cache is the AWS CLI's, which does not tell by whom.
    let refused = whoami(&["--role", SECOND, "--no-cache"]).fails_with(1);
    assert!(refused.contains("AccessDenied"), "{refused}");

    let expecting = |account| whoami(&[&chain[..], &["--expect-account", account]].concat());
    assert_eq!(expecting("333333333333").json()["account"], "333333333333");
    expecting("222222222222").fails_with(5);

    // A restriction is for the role whose credentials are issued.
    home.run(&[&["env", "--tag", "team=blue", "--no-cache"], &chain[..]].concat())
        .ok();
    let mut issued = aws.sessions();
    issued.retain(|session| !session.tags.is_empty());
    assert_eq!(issued.len(), 1, "{issued:?}");
    assert_eq!(issued[0].role_arn.as_deref(), Some(SECOND));
}

#[test]
fn the_list_shows_what_the_settings_say() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    home.add_config("[profile live]\nsso_account_id = 444444444444\nsso_role_name = Admin\nsso_session = corp\nbsm_production = true");
    let printed = home.run(&["list"]).ok();
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 5, "{printed}");
    assert!(lines[2].starts_with("live (production)"), "{printed}");
    assert!(lines[0].ends_with("SOURCE   LOGIN"), "{printed}");
    // There is no section of this login.
    assert!(lines[2].ends_with("corp     -"), "{printed}");

    let json = home.run(&["list", "--json"]).json();
    assert_eq!(
        json[1],
        json!({
            "name": "live", "kind": "sso", "account": "444444444444", "region": null,
            "source_profile": null, "login": null, "production": true,
        })
    );
    assert_eq!(json[3]["account"], STAGING_ACCOUNT);
    // Not a single request.
    assert_eq!(aws.calls().len(), 0);
}

#[test]
fn the_expiry_of_temporary_keys_in_the_environment_is_shown() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let variables = home.variables_of("staging");
    let whoami = |expiration: Option<&str>| {
        let mut command = home.bsm(&["whoami"]);
        command
            .envs(&variables)
            .env_remove("AWS_CREDENTIAL_EXPIRATION");
        command.envs(expiration.map(|time| ("AWS_CREDENTIAL_EXPIRATION", time)));
        run(command).ok()
    };
    let time = &*variables["AWS_CREDENTIAL_EXPIRATION"];
    for (expiration, shown) in [
        (Some(time), "min), as AWS_CREDENTIAL_EXPIRATION says"),
        (
            Some("2020-01-01T00:00:00Z"),
            "(expired), as AWS_CREDENTIAL_EXPIRATION says",
        ),
        (Some("soon"), "not known: temporary keys in the environment"),
        (None, "not known: temporary keys in the environment"),
    ] {
        let text = whoami(expiration);
        assert!(text.contains(shown), "{expiration:?}: {text}");
    }
}
