//! `bsm doctor` on generated broken configurations, each with a written expectation.

use std::fs;

use bsm_local_aws::LocalAws;
use bsm_local_aws::standard::{STAGING_ACCOUNT, USER_ARN};
use serde_json::Value;

use crate::support::{Home, run};

/// One way to break a configuration. `P` stands for the name of the profile, and `@@` marks the line
/// that has to be found.
struct Broken {
    config: &'static str,
    credentials: &'static str,
    problem: &'static str,
    repair: &'static str,
}

const fn config(config: &'static str, problem: &'static str, repair: &'static str) -> Broken {
    Broken {
        config,
        credentials: "",
        problem,
        repair,
    }
}

const fn credentials(
    credentials: &'static str,
    problem: &'static str,
    repair: &'static str,
) -> Broken {
    Broken {
        config: "",
        credentials,
        problem,
        repair,
    }
}

const KINDS: [Broken; 44] = [
    // The file itself.
    config(
        "[profile P]\nregion us-east-1@@",
        "cannot be parsed",
        "key = value",
    ),
    config("[profile P]\nregion = x\nregion = y@@", "twice", ""),
    config(
        "[profile P]\nregion = x\n[profile P]@@",
        "this section occurs twice",
        "merge the two",
    ),
    config("[services P]\nsts =@@\n  nonsense", "indented", ""),
    // Chains of profiles.
    config(
        "[profile P]\nrole_arn = arn:aws:iam::111111111111:role/R\nsource_profile = nope@@",
        "\"nope\"",
        "",
    ),
    config(
        "[profile P]\nrole_arn = arn:aws:iam::111111111111:role/R\nsource_profile = P@@",
        "form a loop",
        "credentials of its own",
    ),
    config(
        "[profile P]\nrole_arn = arn:aws:iam::111111111111:role/R@@",
        "nothing to assume it with",
        "source_profile",
    ),
    config(
        "[profile P]\nrole_arn = arn:aws:iam::111111111111:role/R\nsource_profile = good\ncredential_source = Environment@@",
        "source_profile and a credential_source",
        "keep one of them",
    ),
    config(
        "[profile P]\nrole_arn = arn:aws:iam::111111111111:role/R\ncredential_source = Enviroment@@",
        "\"Enviroment\"",
        "use Environment",
    ),
    config(
        "[profile P]@@\nregion = us-east-1",
        "has no credentials",
        "give it keys",
    ),
    config(
        "[profile P]\nrole_arn = my-role@@\nsource_profile = good",
        "role",
        "",
    ),
    // Keys.
    credentials(
        "[P]\naws_access_key_id = AKIAEXAMPLE@@",
        "no aws_secret_access_key",
        "add it there",
    ),
    config(
        "[profile P]\naws_access_key_id = AKIAEXAMPLE@@",
        "no aws_secret_access_key",
        "add it there",
    ),
    credentials(
        "[P]@@\naws_access_key_id = ASIAEXAMPLE\naws_secret_access_key = x",
        "no session token",
        "aws_session_token",
    ),
    credentials(
        "[P]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x\naws_sesion_token = y@@",
        "is not a setting",
        "write aws_session_token",
    ),
    credentials(
        "[P]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = \"x\"@@",
        "includes its quotes",
        "remove the quotes",
    ),
    credentials(
        "[P]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x\naws_account_id = 123@@",
        "\"123\"",
        "twelve digits",
    ),
    // Single sign-on.
    config(
        "[profile P]\nsso_session = nope@@\nsso_account_id = 111111111111\nsso_role_name = R",
        "\"nope\"",
        "[sso-session nope]",
    ),
    config(
        "[profile P]@@\nsso_session = corp\nsso_account_id = 111111111111",
        "sso_role_name",
        "add it",
    ),
    config(
        "[profile P]@@\nsso_account_id = 111111111111\nsso_role_name = R\nsso_region = us-east-1",
        "sso_start_url",
        "add it",
    ),
    config(
        "[profile P]\nsso_session = corp\nsso_account_id = 111111111111\nsso_role_name = R\nsso_region = eu-west-1@@",
        "differs from that of its sso-session",
        "remove one of them",
    ),
    config(
        "[profile P]\nsso_session = corp\nsso_account_id = 1111-1111@@\nsso_role_name = R",
        "\"1111-1111\"",
        "twelve digits",
    ),
    // Settings that cannot be used.
    config(
        "[profile P]\nregion = us east 1@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "region",
        "",
    ),
    config(
        "[profile P]\nendpoint_url = localhost:8000@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "endpoint_url",
        "http://localhost:8000",
    ),
    config(
        "[profile P]\nservices = nope@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "services section \"nope\"",
        "[services nope]",
    ),
    config(
        "[profile P]\nretry_mode = lazy@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "\"lazy\"",
        "",
    ),
    config(
        "[profile P]\nmax_attempts = many@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "max_attempts",
        "write a number",
    ),
    config(
        "[profile P]\nca_bundle = /nonexistent.pem@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "ca",
        "",
    ),
    config(
        "[profile P]\nuse_fips_endpoint = yes@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "\"yes\"",
        "true or false",
    ),
    config(
        "[profile P]\nrole_arn = arn:aws:iam::111111111111:role/R\nsource_profile = good\nduration_seconds = 1h@@",
        "duration_seconds",
        "from 900 to 43200",
    ),
    config(
        "[profile P]\nrole_arn = arn:aws:iam::111111111111:role/R\nsource_profile = good\nduration_seconds = 60@@",
        "60 s",
        "900 s",
    ),
    config(
        "[profile P]\nrole_arn = arn:aws:iam::111111111111:role/R\nweb_identity_token_file = /nonexistent@@",
        "there is no such file",
        "correct the path",
    ),
    config(
        "[profile P]@@\nregion = us-east-1\nweb_identity_token_file = /etc/passwd",
        "no role",
        "role_arn",
    ),
    // Programs.
    config(
        "[profile P]\ncredential_process = /nonexistent/helper --key x@@",
        "program helper",
        "install it",
    ),
    config(
        "[profile P]\ncredential_process = no-such-helper-anywhere@@",
        "does not exist",
        "install it",
    ),
    config(
        "[profile solo]\ncredential_process = bsm credential-process -p solo@@",
        "in an endless loop",
        "another profile",
    ),
    // Names that are not what they seem.
    config(
        "[P]@@\naws_access_key_id = AKIAEXAMPLE",
        "is ignored",
        "write [profile P]",
    ),
    config(
        "[porfile P]@@\nregion = us-east-1",
        "no such type of section",
        "write [profile P]",
    ),
    credentials(
        "[profile P]@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "is a profile named",
        "write [P]",
    ),
    config(
        "[profile P]\nregoin = us-east-1@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "regoin",
        "write region",
    ),
    config(
        "[profile P]\nrole-arn = arn:aws:iam::111111111111:role/R@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "role-arn",
        "write role_arn",
    ),
    config(
        "[profile P]\noutput = \"json\"@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "includes its quotes",
        "write output = json",
    ),
    // This command's own.
    config(
        "[profile P]\nbsm_production = yse@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "\"yse\"",
        "true or false",
    ),
    config(
        "[profile P]\nbsm_expect_account = prod@@\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = x",
        "\"prod\"",
        "twelve digits",
    ),
];

/// What surrounds the broken part: in front of it, behind it, and the line ends.
const SURROUNDINGS: [(&str, &str, &str, &str); 5] = [
    ("dev", "", "", "\n"),
    ("prod-eu.1", "# comment\n\n", "\n; the end\n", "\n"),
    (
        "x",
        "[profile before]\nsso_account_id = 222222222222\nsso_role_name = R\nsso_session = corp\n\n",
        "",
        "\r\n",
    ),
    (
        "Team_A",
        "\n\n# [profile Team_A]\n",
        "\n\n# region us-east-1",
        "\n",
    ),
    (
        "staging",
        "# region = \"x\"\n",
        "\n[tool settings]\ncolor = blue\n",
        "\r\n",
    ),
];

/// What is not broken in any case.
const HEALTHY: &str = "[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n\
                       [profile good]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = not-a-secret\n";

/// Returns the text without its mark, and the marked line.
fn marked(text: &str) -> (String, Option<usize>) {
    let line = text.lines().position(|line| line.ends_with("@@"));
    (text.replace("@@", ""), line.map(|index| index + 1))
}

#[test]
fn two_hundred_broken_configurations_are_explained_with_file_line_and_repair() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for broken in &KINDS {
        for (name, before, behind, line_end) in SURROUNDINGS {
            count += 1;
            let whole = |text: &str| match text {
                "" => String::new(),
                text => format!("{before}{}{behind}", text.replace('P', name)),
            };
            // `P` is also in the words `AKIAEXAMPLE` and `profile`: only the name is meant.
            let named = |text: &str| {
                let text = text
                    .replace("EXAMPLE", "EXAM\u{1}LE")
                    .replace("Path", "\u{1}ath");
                whole(&text).replace('\u{1}', "P")
            };
            let (config, config_line) = marked(&(named(broken.config) + "\n" + HEALTHY));
            // A section of another tool is a profile there.
            let of_credentials = named(broken.credentials)
                .replace("[profile before]", "[before]")
                .replace("[tool settings]\ncolor = blue\n", "");
            let (credentials, credentials_line) = marked(&of_credentials);
            let home = Home::empty();
            std::fs::create_dir_all(home.aws_dir()).unwrap();
            let write = |file: &str, text: &str| {
                let path = home.aws_dir().join(file);
                std::fs::write(&path, text.replace('\n', line_end)).unwrap();
                let mut chmod = home.command("chmod");
                chmod.arg("600").arg(path);
                run(chmod).ok();
            };
            write("config", &config);
            write("credentials", &credentials);
            let mut command = home.bsm(&["doctor", "--json"]);
            // It would take precedence over the profile's.
            command.env_remove("AWS_ENDPOINT_URL");
            let ran = run(command);
            let report: Value = serde_json::from_str(&ran.stdout).unwrap();
            let findings = report["findings"].as_array().unwrap();
            let (file, line) = match (config_line, credentials_line) {
                (Some(line), _) => ("config", line),
                (None, line) => ("credentials", line.unwrap()),
            };
            let problem = broken.problem.replace('P', name);
            let repair = broken.repair.replace('P', name);
            let is_expected = |finding: &Value| {
                let has = |key: &str, text: &str| finding[key].as_str().unwrap().contains(text);
                finding["file"]
                    .as_str()
                    .is_some_and(|it| it.ends_with(file))
                    && finding["line"] == line
                    && has("problem", &problem)
                    && has("repair", &repair)
            };
            // One finding for one break: others would be noise.
            let is_explained = findings.len() == 1 && is_expected(&findings[0]);
            let is_error = findings.iter().any(|it| it["severity"] == "error");
            if !is_explained || ran.status != Some(if is_error { 3 } else { 0 }) {
                wrong.push(format!(
                    "{file}:{line} {problem:?} {repair:?}\n{config}\n{credentials}\n{findings:#?} {:?}",
                    ran.status
                ));
            }
        }
    }
    assert!(count >= 200, "{count}");
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n---\n")
    );
}

#[test]
fn a_healthy_configuration_has_no_findings_and_shows_every_source() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let mut chmod = home.command("chmod");
    chmod.arg("600").arg(home.aws_dir().join("credentials"));
    run(chmod).ok();
    let text = home.run(&["doctor"]).ok();
    assert!(text.contains("Problems\n  none\n"), "{text}");
    assert!(text.contains("with keys of profile \"default\""), "{text}");
    assert_eq!(aws.calls().len(), 0);
    let text = home.run(&["doctor", "--online"]).ok();
    assert!(text.contains(USER_ARN), "{text}");
    assert!(text.contains(STAGING_ACCOUNT), "{text}");
}

#[test]
fn a_file_that_cannot_be_parsed_is_not_taken_for_one_without_profiles() {
    let home = Home::empty();
    let text = home.run(&["doctor"]).ok();
    assert!(text.contains("none: `aws configure`"), "{text}");
    home.add_config("[default]\nregion = x\nno delimiter\n[profile a]\nx = 1\nx = 2");
    fs::write(home.aws_dir().join("credentials"), "aws_access_key_id = x").unwrap();
    let ran = home.run(&["doctor"]);
    assert_eq!(ran.status, Some(3), "{ran:?}");
    let says = "Profiles\n  unknown until the files can be parsed\n";
    assert!(ran.stdout.contains(says), "{ran:?}");
    // All of them, and not one after each repair.
    for place in ["config:3", "config:6", "credentials:1"] {
        let finding = format!("{place}: error: ");
        assert!(ran.stdout.contains(&finding), "{place}: {ran:?}");
    }
}

#[test]
fn a_circle_of_profiles_hides_no_other_problem() {
    let home = Home::empty();
    home.add_config(
        "[profile a]\nrole_arn = arn:aws:iam::111122223333:role/R\nsource_profile = b\n\
         region = eu west\n[profile b]\nrole_arn = R\nsource_profile = a\n",
    );
    let mut command = home.bsm(&["doctor", "--json"]);
    command.env_remove("AWS_ENDPOINT_URL");
    let ran = run(command);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let of_files = findings.iter().filter(|it| !it["file"].is_null());
    let lines: Vec<_> = of_files.map(|it| it["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [3, 4, 6, 7], "{findings:#?}");
}

#[test]
fn the_environment_is_explained() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    for (variables, expected) in [
        (&[("AWS_PROFILE", "stagin")][..], "write staging"),
        (
            &[
                ("AWS_PROFILE", "staging"),
                ("AWS_DEFAULT_PROFILE", "production"),
            ],
            "unset one of them",
        ),
        (
            &[("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")],
            "AWS_SECRET_ACCESS_KEY is not",
        ),
        (
            &[
                ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "hush-hush"),
                ("AWS_PROFILE", "staging"),
            ],
            "takes precedence over the profile \"staging\"",
        ),
        (
            &[("AWS_CONFIG_FILE", "/nonexistent/config")],
            "is not a file",
        ),
    ] {
        let mut command = home.bsm(&["doctor"]);
        command.envs(variables.iter().copied());
        let ran = run(command);
        assert!(ran.stdout.contains(expected), "{expected}: {}", ran.stdout);
        assert!(!ran.stdout.contains("hush-hush"), "{}", ran.stdout);
    }
}

#[test]
fn keys_that_others_can_read_are_a_warning() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let mut chmod = home.command("chmod");
    chmod.arg("644").arg(home.aws_dir().join("credentials"));
    run(chmod).ok();
    let text = home.run(&["doctor"]).ok();
    assert!(text.contains("fix: run chmod 600"), "{text}");
}
