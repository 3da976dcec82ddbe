//! Signing in and out, and what is listed in between.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use bsm_local_aws::{Account, IdentityCenter, LocalAws, Profile};
use serde_json::Value;

use crate::support::{Home, on_terminal, run, wait};

const ACCOUNT: &str = "111111111111";

fn center() -> LocalAws {
    let center = IdentityCenter::new("corp", "https://corp.example.com/start");
    LocalAws::builder()
        .account(Account::new(ACCOUNT))
        .identity_center(center.assign(ACCOUNT, "Admin"))
        .profile(
            Profile::new("admin")
                .sso("corp", ACCOUNT, "Admin")
                .region("us-east-1"),
        )
        .start_blocking()
        .unwrap()
}

/// Signs in to the profile `admin`; the person allows it.
fn sign_in(aws: &LocalAws, home: &Home) {
    thread::scope(|scope| {
        let ran = scope.spawn(|| home.run(&["login", "-p", "admin"]));
        while !ran.is_finished() {
            aws.decide_devices(true);
            thread::yield_now();
        }
        ran.join().unwrap().ok();
    });
}

#[test]
fn a_login_lasts_from_login_to_logout() {
    let aws = center();
    let home = Home::of(&aws);
    let error = home.run(&["whoami", "-p", "admin"]).fails_with(4);
    assert!(error.contains("`bsm login -p admin`"), "{error}");
    assert!(home.run(&["sessions"]).ok().contains("not signed in"));

    let mut login = home.bsm(&["login", "-p", "admin"]);
    login.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = login.spawn().unwrap();
    let mut screen = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    // There is no display here.
    while !text.contains("Check that the page shows this code: ") {
        let read = screen.read_line(&mut text).unwrap();
        assert_ne!(read, 0, "{text}");
    }
    assert!(text.contains("/device?user_code="), "{text}");
    assert_eq!(aws.decide_devices(true), 1);
    assert!(wait(&mut child).success());
    let mut printed = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut printed).unwrap();
    assert!(
        printed.contains("corp") && printed.contains("expires in 59 min"),
        "{printed}"
    );

    assert!(
        home.run(&["whoami", "-p", "admin"])
            .ok()
            .contains("AWSReservedSSO_Admin_")
    );
    let sessions = home.run(&["sessions", "--json"]).json();
    assert_eq!(sessions[0]["sso_session"], "corp");
    assert_eq!(sessions[0]["can_be_renewed"], true);

    assert!(
        home.run(&["logout", "-p", "admin"])
            .stderr
            .contains("signed out")
    );
    assert!(home.run(&["sessions"]).ok().contains("not signed in"));
    assert_eq!(
        home.run(&["logout", "-p", "admin", "--json"]).json()["ended"],
        false
    );
}

#[test]
fn the_list_shows_how_long_the_login_of_each_profile_lasts() {
    let aws = center();
    let home = Home::of(&aws);
    home.add_config(
        "[profile chained]\nrole_arn = arn:aws:iam::222222222222:role/R\nsource_profile = admin\n\
         [profile round]\nrole_arn = arn:aws:iam::222222222222:role/R\nsource_profile = trip\n\
         [profile trip]\nrole_arn = arn:aws:iam::222222222222:role/R\nsource_profile = round\n\
         [profile old]\nsso_start_url = https://old.example.com/start\nsso_region = us-east-1\n\
         sso_account_id = 111111111111\nsso_role_name = Admin\n\
         [profile keys]\naws_access_key_id = AKIA\naws_secret_access_key = x",
    );
    let ends = || {
        let printed = home.run(&["list"]).ok();
        let of = |name: &str| {
            let line = printed.lines().find(|line| line.starts_with(name));
            line.unwrap().rsplit("  ").next().unwrap().trim().to_owned()
        };
        ["admin", "chained", "old", "round", "keys"].map(of)
    };
    let none = "not signed in";
    assert_eq!(ends(), [none, none, none, "-", "-"]);
    assert_eq!(aws.calls().len(), 0);

    sign_in(&aws, &home);
    let calls = aws.calls().len();
    let hour = "expires in 59 min";
    assert_eq!(ends(), [hour, hour, none, "-", "-"]);
    let json = home.run(&["list", "--json"]).json();
    assert_eq!(json[0]["login"]["sso_session"], "corp");
    assert_eq!(json[0]["login"]["can_be_renewed"], true);
    // Not a single request.
    assert_eq!(aws.calls().len(), calls);
}

#[test]
fn a_login_that_has_expired_is_answered_with_the_command_that_renews_it() {
    let aws = center();
    let home = Home::of(&aws);
    sign_in(&aws, &home);
    let mut has_token = false;
    for file in std::fs::read_dir(home.aws_dir().join("sso/cache")).unwrap() {
        let path = file.unwrap().path();
        // The lock has no text.
        if path.extension().is_none_or(|it| it != "json") {
            continue;
        }
        let mut file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let token = file.as_object_mut().unwrap();
        // The other files of the directory are registrations.
        if token.contains_key("accessToken") {
            has_token = true;
            token.insert("expiresAt".to_owned(), "2020-01-01T00:00:00Z".into());
            token.remove("refreshToken");
            std::fs::write(&path, file.to_string()).unwrap();
        }
    }
    assert!(has_token);
    let sessions = home.run(&["sessions"]).ok();
    assert!(sessions.ends_with("  expired\n"), "{sessions}");
    let list = home.run(&["list"]).ok();
    assert!(list.ends_with("  expired\n"), "{list}");

    let calls = aws.calls().len();
    let whoami = ["bsm", "whoami", "-p", "admin"];
    let error = home.run(&whoami[1..]).fails_with(4);
    assert!(error.contains("`bsm login -p admin`"), "{error}");
    assert_eq!(aws.calls().len(), calls);
    sign_in(&aws, &home);
    home.run(&whoami[1..]).ok();
}

#[test]
fn a_login_that_is_denied_or_unknown_says_so() {
    let aws = center();
    let home = Home::of(&aws);
    let error = home.run(&["login", "--sso-session", "other"]).fails_with(3);
    assert!(error.contains("[sso-session other]"), "{error}");
    let mut login = home.bsm(&["login", "--sso-session", "corp", "--json"]);
    login.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = login.spawn().unwrap();
    while aws.decide_devices(false) == 0 {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::yield_now();
    }
    assert_eq!(wait(&mut child).code(), Some(4));
}

#[test]
fn on_a_terminal_a_login_shows_an_address_and_a_code_and_ctrl_c_ends_it() {
    let aws = center();
    let home = Home::of(&aws);
    let login = ["bsm", "login", "-p", "admin"];
    let prompt = "Check that the page shows this code: ";
    let Some(ran) = on_terminal(&home, &[prompt, "^C"], &login) else {
        return;
    };
    assert!(ran.stdout.contains("/device?user_code="), "{ran:?}");
    assert_eq!(ran.status, Some(130), "{ran:?}");
    assert!(home.run(&["sessions"]).ok().contains("not signed in"));

    let ran = thread::scope(|scope| {
        let ran = scope.spawn(|| on_terminal(&home, &[], &login).unwrap());
        // The device of the first login also waits for an answer.
        while !ran.is_finished() {
            aws.decide_devices(true);
            thread::yield_now();
        }
        ran.join().unwrap()
    });
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("expires in 59 min"), "{ran:?}");
}

#[test]
fn the_list_of_logins_sends_no_request() {
    let aws = center();
    let home = Home::of(&aws);
    home.run(&["sessions"]).ok();
    assert_eq!(aws.calls().len(), 0);
    sign_in(&aws, &home);
    let calls = aws.calls().len();
    assert!(home.run(&["sessions"]).ok().contains("expires in 59 min"));
    home.run(&["sessions", "--json"]).json();
    // Not one either for a token that could be renewed.
    aws.clock().advance(Duration::from_secs(2 * 3600));
    home.run(&["sessions"]).ok();
    assert_eq!(aws.calls().len(), calls);
}

/// The profile of `serve` is no option, and another one is selected by the environment.
#[test]
fn serve_signs_in_to_the_login_of_its_own_profile() {
    let aws = center();
    let home = Home::of(&aws);
    home.add_config(
        "[sso-session partner]\nsso_start_url = https://partner.example.com/start\n\
         sso_region = us-east-1\n\
         [profile partner]\nsso_session = partner\nsso_account_id = 222222222222\n\
         sso_role_name = Admin\nregion = us-east-1",
    );
    let mut serve = home.bsm(&["serve", "admin"]);
    serve.env("AWS_PROFILE", "partner");
    let stderr = run(serve).fails_with(4);
    assert!(stderr.contains("`bsm login -p admin`"), "{stderr}");

    let serve = ["env", "AWS_PROFILE=partner", "bsm", "serve", "admin"];
    let ran = thread::scope(|scope| {
        let ran = scope.spawn(|| on_terminal(&home, &["serving 1 session", "^C"], &serve));
        while !ran.is_finished() {
            aws.decide_devices(true);
            thread::yield_now();
        }
        ran.join().unwrap()
    });
    let Some(ran) = ran else { return };
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("/device?user_code="), "{ran:?}");
    assert!(!ran.stdout.contains("partner"), "{ran:?}");
    let sessions = home.run(&["sessions"]).ok();
    assert_eq!(sessions.matches("not signed in").count(), 1, "{sessions}");
}

#[test]
fn a_command_on_a_terminal_signs_in_first_and_a_script_gets_the_error() {
    let aws = center();
    let home = Home::of(&aws);
    let stderr = home.run(&["each", "--profiles", "admin", "--", "true"]);
    assert!(!stderr.stderr.contains("`bsm login`"), "{stderr:?}");
    for command in [
        &["bsm", "whoami", "-p", "admin"][..],
        &["bsm", "exec", "-p", "admin", "--", "echo", "started"],
    ] {
        let stderr = home
            .run(&command[1..])
            .fails_with(if command[1] == "exec" { 125 } else { 4 });
        assert!(stderr.contains("`bsm login -p admin`"), "{stderr}");
        let ran = thread::scope(|scope| {
            let ran = scope.spawn(|| on_terminal(&home, &[], command));
            while !ran.is_finished() {
                aws.decide_devices(true);
                thread::yield_now();
            }
            ran.join().unwrap()
        });
        let Some(ran) = ran else { return };
        assert_eq!(ran.status, Some(0), "{ran:?}");
        assert!(ran.stdout.contains("/device?user_code="), "{ran:?}");
        let result = if command[1] == "exec" {
            "started"
        } else {
            "admin"
        };
        assert!(ran.stdout.contains(result), "{ran:?}");
        home.run(&["logout", "-p", "admin"]).ok();
    }
}
