//! Questions, which are asked on a terminal only.

use bsm_local_aws::standard::{PRODUCTION_ACCOUNT, PRODUCTION_ROLE_ARN, STAGING_ACCOUNT};
use bsm_local_aws::{Account, LocalAws, MfaDevice, Profile, Role, Trust, User};

use crate::support::{Home, is_installed, on_terminal};

#[test]
fn a_production_profile_is_asked_about_and_no_is_the_default() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    home.add_config(&format!(
        "[profile live]\nrole_arn = {PRODUCTION_ROLE_ARN}\nsource_profile = default\n\
         bsm_production = true"
    ));
    let mark = home.path().join("started");
    let mark = mark.to_str().unwrap();
    let command = ["bsm", "exec", "-p", "live", "--", "touch", mark];
    for (answer, status) in [("", 125), ("n", 125), ("yes please", 125), ("y", 0)] {
        let _ = std::fs::remove_file(mark);
        let Some(ran) = on_terminal(&home, &["[y/N]", answer], &command) else {
            return;
        };
        assert!(ran.stdout.contains(PRODUCTION_ACCOUNT), "{ran:?}");
        assert!(ran.stdout.contains("Run touch?"), "{ran:?}");
        assert_eq!(ran.status, Some(status), "{answer:?}: {ran:?}");
        assert_eq!(std::fs::exists(mark).unwrap(), status == 0, "{answer:?}");
    }
    let answered = ["bsm", "exec", "-p", "live", "--yes", "--", "true"];
    let ran = on_terminal(&home, &[], &answered).unwrap();
    assert!(!ran.stdout.contains("[y/N]"), "{ran:?}");
    assert_eq!(ran.status, Some(0), "{ran:?}");
}

#[test]
fn credentials_are_recorded_once_the_question_is_answered_with_yes() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    home.add_config(&format!(
        "[profile live]\nrole_arn = {PRODUCTION_ROLE_ARN}\nsource_profile = default\n\
         bsm_production = true"
    ));
    let log = home.path().join("audit.log");
    let audit = format!("BSM_AUDIT_LOG={}", log.display());
    for command in [
        &["exec", "-p", "live", "--", "true"][..],
        &["exec", "--server", "-p", "live", "--", "true"],
        &["env", "-p", "live"],
    ] {
        let command = [&["env", &*audit, "bsm"], command].concat();
        for (answer, lines) in [("n", 0), ("y", 1)] {
            let Some(ran) = on_terminal(&home, &["[y/N]", answer], &command) else {
                return;
            };
            assert!(ran.stdout.contains("[y/N]"), "{ran:?}");
            assert_eq!(ran.status == Some(0), answer == "y", "{ran:?}");
            let recorded = std::fs::read_to_string(&log).unwrap_or_default();
            assert_eq!(recorded.lines().count(), lines, "{command:?}: {recorded}");
        }
        std::fs::remove_file(&log).unwrap();
    }
}

#[test]
fn the_log_is_shown_on_a_terminal_that_has_colours() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let whoami = [
        "env",
        "TERM=xterm",
        "bsm",
        "--verbose",
        "whoami",
        "-p",
        "staging",
    ];
    let Some(ran) = on_terminal(&home, &[], &whoami) else {
        return;
    };
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("DEBUG"), "{ran:?}");
    assert!(!ran.stdout.contains("tracing-subscriber"), "{ran:?}");
}

#[test]
fn a_profile_is_picked_by_number_or_name_where_nothing_selects_one() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let config = std::fs::read_to_string(home.aws_dir().join("config")).unwrap();
    let config = config
        .replace("[default]", "[profile base]")
        .replace("source_profile = default", "source_profile = base");
    std::fs::write(home.aws_dir().join("config"), config).unwrap();
    let credentials = std::fs::read_to_string(home.aws_dir().join("credentials")).unwrap();
    let credentials = credentials.replace("[default]", "[base]");
    std::fs::write(home.aws_dir().join("credentials"), credentials).unwrap();

    let whoami = ["bsm", "whoami"];
    for (answer, status, expected) in [
        ("3", 0, STAGING_ACCOUNT),
        ("staging", 0, STAGING_ACCOUNT),
        ("4", 2, "is not one of the choices"),
        ("0", 2, "is not one of the choices"),
        ("", 4, "no profile is selected"),
    ] {
        let Some(ran) = on_terminal(&home, &["Which profile?", answer], &whoami) else {
            return;
        };
        assert_eq!(ran.status, Some(status), "{answer:?}: {ran:?}");
        assert!(ran.stdout.contains(expected), "{answer:?}: {ran:?}");
    }
    // Both sides of a copy are the profile that was picked.
    let copy = ["bsm", "copy", "no-table", "--as", "copied", "--dry-run"];
    let ran = on_terminal(&home, &["Which profile?", "staging"], &copy).unwrap();
    assert_eq!(ran.stdout.matches("Which profile?").count(), 1, "{ran:?}");
    assert!(ran.stdout.contains("no-table"), "{ran:?}");
    // No prompt where the answer would go to another program.
    let process = ["bsm", "credential-process"];
    let ran = on_terminal(&home, &[], &process).unwrap();
    assert!(!ran.stdout.contains("Which profile?"), "{ran:?}");
}

#[test]
fn ctrl_c_reaches_a_program_with_a_server_once() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    // It counts interrupts, and ends at the first one after a pause in which a second would arrive.
    let script = "n=0; trap 'n=$((n+1)); echo got $n' INT; echo ready; \
                  while [ $n = 0 ]; do sleep 0.1; done; sleep 0.5; echo total $n; exit 9";
    let command = [
        "bsm", "exec", "--server", "-p", "staging", "--", "bash", "-c", script,
    ];
    let Some(ran) = on_terminal(&home, &["ready", "^C"], &command) else {
        return;
    };
    assert!(ran.stdout.contains("total 1"), "{ran:?}");
    assert_eq!(ran.status, Some(9), "{ran:?}");
}

#[test]
fn ctrl_z_stops_a_program_with_a_server_and_fg_continues_it() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    // It ends once it has been continued, and with a status of its own.
    let script = home.write(
        "stopped.sh",
        "trap 'echo woken; exit 4' CONT; echo ready; while :; do sleep 0.1; done",
    );
    // `PS1` is the prompt that is shown when the shell has the terminal again.
    let shell = ["env", "PS1=shell> ", "bash", "--norc", "--noprofile", "-i"];
    let exec = format!("bsm exec --server -p staging -- bash {}", script.display());
    let answers = [
        "shell>",
        &exec,
        "ready",
        "^Z",
        "Stopped",
        "fg; echo status $?",
        "status 4",
        "exit",
    ];
    let Some(ran) = on_terminal(&home, &answers, &shell) else {
        return;
    };
    assert!(ran.stdout.contains("woken"), "{ran:?}");
    assert!(ran.stdout.contains("\nstatus 4"), "{ran:?}");
    assert_eq!(ran.status, Some(0), "{ran:?}");
}

/// What a `credential_process` prints.
const KEYS: &str = r#"{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "s"}"#;

/// Adds a profile whose process is a script.
fn with_process(home: &Home, script: &str) {
    let script = home.write("process", script);
    let script = script.display();
    home.add_config(&format!("[profile p]\ncredential_process = sh {script}"));
}

#[test]
fn a_process_can_ask_the_person_at_the_terminal() {
    let home = Home::empty();
    with_process(
        &home,
        &format!("echo sign in >&2\nread answer\ntest \"$answer\" = yes && echo '{KEYS}'\n"),
    );
    let command = ["bsm", "credential-process", "-p", "p"];
    for (answer, status) in [("yes", 0), ("no", 4)] {
        let Some(ran) = on_terminal(&home, &["sign in", answer], &command) else {
            return;
        };
        assert_eq!(ran.status, Some(status), "{ran:?}");
        assert_eq!(ran.stdout.contains("AKIAPROCESS"), status == 0, "{ran:?}");
    }
}

/// The terminal stops a process of another group that reads from it.
#[test]
fn a_process_that_may_ask_belongs_to_the_group_of_the_terminal() {
    if !is_installed("ps") {
        return;
    }
    let home = Home::empty();
    with_process(
        &home,
        &format!(
            "terminal=$(ps -o tpgid= -p $$)\ngroup=$(ps -o pgid= -p $$)\n\
             test $terminal = $group && echo '{KEYS}'\n"
        ),
    );
    let command = ["bsm", "credential-process", "-p", "p"];
    let Some(ran) = on_terminal(&home, &[], &command) else {
        return;
    };
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("AKIAPROCESS"), "{ran:?}");
}

#[test]
fn each_profile_behind_a_device_is_asked_for_in_turn_and_no_code_is_shown() {
    const USER: &str = "arn:aws:iam::111111111111:user/dev";
    const SERIAL: &str = "arn:aws:iam::111111111111:mfa/dev";
    const CODES: [&str; 3] = ["135790", "246802", "975310"];
    let user = User::new("dev")
        .access_key("AKIALOCALDEVUSER0001", "secret-of-dev")
        .mfa(MfaDevice::fixed(SERIAL, CODES));
    let role = |name: &str| Role::new(name).trust(Trust::principal(USER).require_mfa());
    let mut aws = LocalAws::builder()
        .account(
            Account::new("111111111111")
                .user(user)
                .role(role("mfa-one"))
                .role(role("mfa-two"))
                .role(role("mfa-three")),
        )
        .profile(Profile::new("dev").region("us-east-1").user(USER));
    for name in ["mfa-one", "mfa-two", "mfa-three"] {
        let profile = Profile::new(name).region("us-east-1");
        let profile = profile.role(format!("arn:aws:iam::111111111111:role/{name}"), "dev");
        aws = aws.profile(profile.set("mfa_serial", SERIAL));
    }
    let aws = aws.start_blocking().unwrap();
    let home = Home::of(&aws);
    let script: Vec<_> = CODES
        .iter()
        .flat_map(|code| ["Enter MFA code for", *code])
        .collect();
    let command = [
        "bsm",
        "each",
        "--profiles",
        "mfa-*",
        "--",
        "echo",
        "has credentials",
    ];
    let Some(ran) = on_terminal(&home, &script, &command) else {
        return;
    };
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(ran.stdout.matches("has credentials").count(), 3, "{ran:?}");
    assert_eq!(
        ran.stdout.matches("Enter MFA code for").count(),
        3,
        "{ran:?}"
    );
    for code in CODES {
        assert!(!ran.stdout.contains(code), "{ran:?}");
    }
}
