//! What keeps a command from the wrong account.

use bsm_local_aws::LocalAws;
use bsm_local_aws::standard::{PRODUCTION_ACCOUNT, PRODUCTION_ROLE_ARN, STAGING_ACCOUNT};

use crate::support::{Home, run};

fn world() -> (LocalAws, Home) {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    (aws, home)
}

#[test]
fn a_program_never_starts_with_another_account_than_expected() {
    let (_aws, home) = world();
    home.add_config(&format!(
        "[profile guarded]\nrole_arn = {PRODUCTION_ROLE_ARN}\nsource_profile = default\n\
         bsm_expect_account = {STAGING_ACCOUNT}"
    ));
    let mark = home.path().join("started");
    let mark = mark.to_str().unwrap();
    for options in [
        &["-p", "production", "--expect-account", STAGING_ACCOUNT][..],
        &[
            "--role",
            PRODUCTION_ROLE_ARN,
            "--expect-account",
            STAGING_ACCOUNT,
        ],
        &["-p", "guarded"],
        &["-p", "guarded", "--expect-account", PRODUCTION_ACCOUNT],
        &["-p", "guarded", "--role", PRODUCTION_ROLE_ARN],
    ] {
        let exec = [&["exec"], options, &["--", "touch", mark]].concat();
        let ran = home.run(&exec);
        println!("{options:?}");
        let stderr = ran.fails_with(125);
        assert!(stderr.contains("account"), "{options:?}: {stderr}");
        assert!(!std::fs::exists(mark).unwrap(), "{options:?}");

        let env = [&["env", "--json"], options].concat();
        let stderr = home.run(&env).fails_with(5);
        assert!(stderr.starts_with("{\"error\":{"), "{stderr}");
        // By the names of the command, and not only by that of the library.
        let is_named = ["--expect-account", "bsm_expect_account"].map(|name| stderr.contains(name));
        assert_eq!(is_named, [true; 2], "{options:?}: {stderr}");
    }
    let expected = ["-p", "production", "--expect-account", PRODUCTION_ACCOUNT];
    let exec = [&["exec"], &expected[..], &["touch", mark]].concat();
    home.run(&exec).ok();
    assert!(std::fs::exists(mark).unwrap());
}

#[test]
fn keys_in_the_environment_do_not_escape_the_guard_of_the_profile_that_the_environment_names() {
    let (aws, home) = world();
    home.add_config(&format!(
        "[profile guarded]\nregion = us-east-1\nbsm_expect_account = {STAGING_ACCOUNT}"
    ));
    let mut command = home.bsm(&["env"]);
    command
        .env("AWS_PROFILE", "guarded")
        .env("AWS_ACCESS_KEY_ID", bsm_local_aws::standard::ACCESS_KEY_ID)
        .env(
            "AWS_SECRET_ACCESS_KEY",
            bsm_local_aws::standard::SECRET_ACCESS_KEY,
        )
        .env("AWS_ENDPOINT_URL", aws.endpoint_url());
    run(command).fails_with(5);
}

#[test]
fn a_production_profile_is_announced_and_never_waits_without_a_terminal() {
    let (_aws, home) = world();
    home.add_config(&format!(
        "[profile live]\nrole_arn = {PRODUCTION_ROLE_ARN}\nsource_profile = default\n\
         bsm_production = true"
    ));
    let ran = home.run(&["exec", "-p", "live", "--", "echo", "ran"]);
    assert_eq!(
        ran.stderr,
        format!("production: profile live, account {PRODUCTION_ACCOUNT}\n")
    );
    assert_eq!(ran.ok(), "ran\n");
    // A program reads this one, and its user has not asked for anything to be said.
    let process = home.run(&["credential-process", "-p", "live"]);
    assert_eq!(process.stderr, "");
    process.ok();
}

#[test]
fn a_guard_that_says_neither_yes_nor_no_is_an_error() {
    let (_aws, home) = world();
    home.add_config("[profile live]\nregion = us-east-1\nbsm_production = yse");
    let stderr = home.run(&["env", "-p", "live"]).fails_with(3);
    assert_eq!(
        stderr,
        "error: bsm_production of profile \"live\" is \"yse\": write true or false\n"
    );
}
