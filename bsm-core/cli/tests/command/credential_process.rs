use bsm_local_aws::LocalAws;
use bsm_local_aws::standard::STAGING_ACCOUNT;

use crate::support::Home;

#[test]
fn an_sdk_gets_a_profile_through_credential_process() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    home.add_config(&format!(
        "[profile other]\nregion = us-east-1\nendpoint_url = {}\n\
         credential_process = bsm credential-process -p staging",
        aws.endpoint_url()
    ));
    // bsm stands for the SDK here, and is also the process that it starts.
    let whoami = home.run(&["whoami", "--json", "-p", "other"]).json();
    assert_eq!(whoami["account"], STAGING_ACCOUNT);

    let printed = home.run(&["credential-process", "-p", "staging"]).json();
    let mut keys: Vec<_> = printed.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "AccessKeyId",
            "AccountId",
            "Expiration",
            "SecretAccessKey",
            "SessionToken",
            "Version"
        ]
    );
}

#[test]
fn a_profile_that_is_its_own_credential_process_ends_with_an_error() {
    let home = Home::empty();
    home.add_config(
        "[profile a]\ncredential_process = bsm credential-process -p a\n\
         [profile b]\ncredential_process = bsm credential-process -p c\n\
         [profile c]\ncredential_process = sh -c 'exec bsm exec -p d -- bsm export -p b'\n\
         [profile d]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x\n\
         [profile e]\nrole_arn = arn:aws:iam::111111111111:role/E\nsource_profile = f\nregion = us-east-1\n\
         [profile f]\ncredential_process = bsm credential-process -p e\n\
         [default]\ncredential_process = bsm credential-process",
    );
    for (profile, circle) in [
        ("a", "a -> a"),
        ("b", "b -> c -> b"),
        ("c", "c -> b -> c"),
        ("e", "e -> e"),
        ("f", "f -> e -> f"),
        ("default", "default -> default"),
    ] {
        let ran = home.run(&["credential-process", "-p", profile, "--verbose"]);
        // The innermost process says why, and the outermost one which profile is the culprit. Between
        // processes without a terminal the reason is not handed on.
        let stderr = ran.fails_with(4);
        assert!(stderr.contains("credential_process"), "{profile}: {stderr}");
        let mut command = home.bsm(&["credential-process", "-p", profile]);
        let (_, outer) = circle.rsplit_once(" -> ").unwrap();
        command.env(
            "BSM_CREDENTIAL_PROCESS_CHAIN",
            circle.rsplit_once(" -> ").unwrap().0.replace(" -> ", "\n"),
        );
        assert_eq!(outer, profile);
        let stderr = crate::support::run(command).fails_with(3);
        assert!(stderr.contains(circle), "{profile}: {stderr}");
    }
}
