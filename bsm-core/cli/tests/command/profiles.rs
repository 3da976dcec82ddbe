//! `bsm profiles sync`

use std::fs;
use std::process::Stdio;

use bsm_local_aws::{Account, IdentityCenter, LocalAws};

use crate::support::{Home, wait};

const SHOP: &str = "111111111111";
const BANK: &str = "222222222222";

/// Everything of it stays as it is.
const OWN: &str = "\
# My profiles.
[default]
region = eu-west-1   # near

[profile mine]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = my-secret-key
";

/// A home directory with a login to which these roles belong.
fn signed_in(roles: &[(&str, &str)]) -> (LocalAws, Home) {
    let center = IdentityCenter::new("corp", "https://corp.example.com/start");
    let assign =
        |center: IdentityCenter, (account, role): &(&str, &str)| center.assign(*account, *role);
    let aws = LocalAws::builder()
        .account(Account::new(SHOP))
        .account(Account::new(BANK))
        .identity_center(roles.iter().fold(center, assign))
        .start_blocking()
        .unwrap();
    let home = Home::of(&aws);
    let config = home.aws_dir().join("config");
    let login = fs::read_to_string(&config).unwrap();
    assert!(login.contains("[sso-session corp]"), "{login}");
    fs::write(&config, format!("{OWN}\n{login}")).unwrap();
    let mut login = home.bsm(&["login", "--sso-session", "corp"]);
    login.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = login.spawn().unwrap();
    while aws.decide_devices(true) == 0 {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    assert!(wait(&mut child).success());
    (aws, home)
}

fn config(home: &Home) -> String {
    fs::read_to_string(home.aws_dir().join("config")).unwrap()
}

const SYNC: [&str; 5] = [
    "profiles",
    "sync",
    "--name",
    "{account_id}.{role_name}",
    "--yes",
];

#[test]
fn profiles_appear_once_and_work() {
    let (_aws, home) = signed_in(&[(SHOP, "Admin"), (BANK, "Audit")]);
    let before = config(&home);

    let dry = home.run(&[&SYNC[..], &["--dry-run"]].concat());
    assert!(
        dry.stdout.contains("+[profile 111111111111.Admin]"),
        "{dry:?}"
    );
    assert!(!dry.stdout.contains("my-secret-key"), "{dry:?}");
    assert_eq!(config(&home), before);

    let done = home.run(&[&SYNC[..], &["--json", "--region", "eu-west-2"]].concat());
    let done = done.json();
    assert_eq!(done["added"][0], "111111111111.Admin");
    assert_eq!(done["added"][1], "222222222222.Audit");
    let after = config(&home);
    assert!(after.starts_with(&before), "{after}");
    let who = home
        .run(&["whoami", "-p", "222222222222.Audit", "--json"])
        .json();
    assert_eq!(who["account"], BANK);
    assert_eq!(who["region"], "eu-west-2");

    let again = home.run(&SYNC);
    assert!(again.stderr.contains("up to date"), "{again:?}");
    assert_eq!(config(&home), after);
}

#[test]
fn what_somebody_wrote_stays() {
    let (_aws, home) = signed_in(&[(SHOP, "Admin"), (BANK, "Audit")]);
    home.run(&SYNC).ok();
    // A profile that was written is changed by its owner, one is not, and one has the name of a role.
    let text = config(&home).replace(
        "sso_role_name = Admin",
        "# Not today.\nsso_role_name=Other\noutput = json",
    );
    let (text, _) = text.split_once("\n[profile 222222222222.Audit]").unwrap();
    let text = format!(
        "{text}\n[profile gone]\nsso_session = corp\nbsm_synced_from = corp\n\n# Of the next one.\n\
         [profile 222222222222.Audit]\nregion = mine\n"
    );
    fs::write(home.aws_dir().join("config"), &text).unwrap();

    let done = home
        .run(&[&SYNC[..], &["--prune", "--json"]].concat())
        .json();
    assert_eq!(done["changed"][0], "111111111111.Admin");
    assert_eq!(done["removed"][0], "gone");
    assert_eq!(done["left_alone"][0], "222222222222.Audit");
    let expected = text
        .replace("sso_role_name=Other", "sso_role_name = Admin")
        .replace(
            "\n[profile gone]\nsso_session = corp\nbsm_synced_from = corp\n",
            "",
        );
    assert_eq!(config(&home), expected);
}

#[test]
fn a_script_must_say_yes_and_names_must_differ() {
    let (_aws, home) = signed_in(&[(SHOP, "Admin"), (BANK, "Admin")]);
    let before = config(&home);
    let cases: [(&[&str], i32, &str); 7] = [
        (&["--name", "{account_id}"], 2, "add --yes"),
        (
            &["--name", "{role_name}", "--yes"],
            2,
            "two roles would be profile \"Admin\"",
        ),
        (
            &["--name", "default", "--yes"],
            2,
            "which programs without a profile use",
        ),
        (&["--name", "{role", "--yes"], 2, "a { has no }"),
        (
            &["--name", "{rolle}", "--yes"],
            2,
            "there is no field {rolle}",
        ),
        (
            &["--sso-session", "other", "--yes"],
            3,
            "[sso-session other]",
        ),
        (
            &["--region", "x\n[default]\nregion = y", "--yes"],
            1,
            "nothing was written",
        ),
    ];
    for (arguments, status, expected) in cases {
        let ran = home.run(&[&["profiles", "sync"], arguments].concat());
        assert_eq!(ran.status, Some(status), "{ran:?}");
        assert!(ran.stderr.contains(expected), "{ran:?}");
    }
    assert_eq!(config(&home), before);
}

#[cfg(unix)]
#[test]
fn the_file_keeps_its_permissions_and_its_link() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let (_aws, home) = signed_in(&[(SHOP, "Admin")]);
    let (link, file) = (home.aws_dir().join("config"), home.path().join("dotfiles"));
    fs::rename(&link, &file).unwrap();
    symlink(&file, &link).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    home.run(&SYNC).ok();
    assert!(link.is_symlink());
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o640
    );
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .contains("[profile 111111111111.Admin]")
    );
    assert_eq!(
        fs::read_dir(home.path()).unwrap().count(),
        2,
        "nothing is left behind"
    );
}

#[test]
fn without_a_login_it_says_how_to_get_one() {
    let home = Home::empty();
    let error = home.run(&["profiles", "sync"]).fails_with(3);
    assert!(error.contains("aws configure sso-session"), "{error}");
    home.add_config("[sso-session corp]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1");
    let error = home.run(&["profiles", "sync"]).fails_with(4);
    assert!(error.contains("bsm login --sso-session corp"), "{error}");
}

#[test]
fn a_profile_of_the_credentials_file_or_in_an_unusual_form_is_not_replaced() {
    let cases = [
        (
            "",
            "[111111111111.Admin]\naws_access_key_id = A\naws_secret_access_key = b\n",
        ),
        ("[profile '111111111111'.Admin]\nregion = x\n", ""),
        ("# comment\r[profile 111111111111.Admin]\nregion = x\n", ""),
    ];
    for (in_config, in_credentials) in cases {
        let (_aws, home) = signed_in(&[(SHOP, "Admin")]);
        home.add_config(in_config);
        fs::write(home.aws_dir().join("credentials"), in_credentials).unwrap();
        let before = config(&home);
        let ran = home.run(&[&SYNC[..], &["--json"]].concat());
        // Left alone, or the whole file is refused.
        if ran.status == Some(0) {
            assert_eq!(
                ran.json()["left_alone"][0],
                "111111111111.Admin",
                "{in_config:?}"
            );
        }
        assert_eq!(config(&home), before, "{in_config:?}");
    }
}

#[test]
fn an_indented_profile_and_its_comments_stay_what_they_are() {
    let (_aws, home) = signed_in(&[(SHOP, "Admin")]);
    let own = "[profile 111111111111.Admin]\n  sso_session = corp # ours\n  sso_account_id = 999999999999\n  \
               sso_role_name = Admin\n  output = json\n  bsm_synced_from = corp\n";
    home.add_config(own);
    let done = home
        .run(&[&SYNC[..], &["--json", "--region", "eu-west-2"]].concat())
        .json();
    assert_eq!(done["changed"][0], "111111111111.Admin");
    let expected = own
        .replace("999999999999", SHOP)
        .replace("Admin]\n", "Admin]\n  region = eu-west-2\n");
    assert!(config(&home).contains(&expected), "{}", config(&home));
    let again = home.run(&[&SYNC[..], &["--region", "eu-west-2"]].concat());
    assert!(again.stderr.contains("up to date"), "{again:?}");
}

#[test]
fn no_secret_of_the_file_is_shown() {
    let (_aws, home) = signed_in(&[(SHOP, "Admin")]);
    let config = home.aws_dir().join("config");
    let text = fs::read_to_string(&config).unwrap();
    let gone = "[profile gone]\nbsm_synced_from = corp\naws_access_key_id = A\naws_secret_access_key = s3cr3t-1";
    // The last line has no end.
    fs::write(
        &config,
        format!("{text}\n{gone}\n[profile z]\naws_secret_access_key = s3cr3t-2"),
    )
    .unwrap();
    let shown = home.run(&[&SYNC[..], &["--prune", "--dry-run"]].concat());
    assert!(shown.stdout.contains("-[profile gone]"), "{shown:?}");
    assert!(!format!("{shown:?}").contains("s3cr3t"), "{shown:?}");
}

#[test]
fn of_several_logins_one_has_to_be_named() {
    let home = Home::empty();
    for name in ["corp", "partner"] {
        home.add_config(&format!(
            "[sso-session {name}]\nsso_start_url = https://{name}.example.com/start\n\
             sso_region = us-east-1"
        ));
    }
    let error = home.run(&["profiles", "sync"]).fails_with(2);
    let expected = "there are several logins: add --sso-session with one of corp, partner";
    assert!(error.contains(expected), "{error}");
    // With the option, there is nothing to choose: the login is missing.
    let sync = ["profiles", "sync", "--sso-session", "partner"];
    let error = home.run(&sync).fails_with(4);
    assert!(error.contains("bsm login --sso-session partner"), "{error}");
}
