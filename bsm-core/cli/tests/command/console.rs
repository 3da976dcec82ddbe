use bsm_local_aws::standard::{PRODUCTION_ACCOUNT, PRODUCTION_ROLE_ARN, STAGING_ACCOUNT};
use bsm_local_aws::{Account, LocalAws, Profile, Role, Trust, User};

use crate::support::{Home, on_terminal, run};

#[test]
fn a_browser_is_signed_in_as_the_session() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let console = ["console", "-p", "staging", "--service", "s3"];
    let url = home.run(&console).ok();
    assert!(url.starts_with(&format!("{}/federation?Action=login", aws.endpoint_url())));
    // curl stands for the browser.
    let mut browser = home.command("python3");
    browser.args([
        "-c",
        "import sys, http.client, urllib.parse as u\n\
         url = u.urlsplit(sys.argv[1])\n\
         c = http.client.HTTPConnection(url.netloc)\n\
         c.request('GET', url.path + '?' + url.query)\n\
         r = c.getresponse()\n\
         print(r.status, r.getheader('location'), r.read().decode())",
        url.trim(),
    ]);
    let page = run(browser).ok();
    let (status, rest) = page.trim().split_once(' ').unwrap();
    assert_eq!(status, "302");
    let destination = "https://console.aws.amazon.com/s3/home?region=us-east-1";
    assert!(rest.starts_with(destination), "{page}");
    assert!(
        rest.contains(&format!("{STAGING_ACCOUNT}:assumed-role/Staging")),
        "{page}"
    );

    let longer = [&console[..], &["--duration", "2h"]].concat();
    home.run(&longer).ok();
}

#[test]
fn the_file_that_leads_to_the_console_goes_with_ctrl_c() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let seen = home.path().join("seen");
    // The browser's own standard output goes nowhere.
    let script = format!(
        "#!/bin/sh\necho \"$1\" >{}\necho opened >/dev/tty\n",
        seen.display()
    );
    let browser = home.write("browser", &script);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    let browser = format!("BROWSER={}", browser.display());
    let console = ["env", &browser, "bsm", "console", "-p", "staging"];
    let Some(ran) = on_terminal(&home, &["opened", "^C"], &console) else {
        return;
    };
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let file = std::fs::read_to_string(seen).unwrap();
    assert!(!std::fs::exists(file.trim()).unwrap(), "{file}");
}

#[test]
fn what_aws_signs_nobody_in_with_is_refused_with_what_to_do() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let stderr = home.run(&["console"]).fails_with(4);
    assert!(stderr.contains("add --role ARN"), "{stderr}");
    let role = ["console", "--role", PRODUCTION_ROLE_ARN, "--json"];
    assert_eq!(home.run(&role).json()["account"], PRODUCTION_ACCOUNT);
    // A role by a user may say how long; AWS refuses it for a role by a role.
    let by_user = [
        "console",
        "--role",
        PRODUCTION_ROLE_ARN,
        "--duration",
        "12h",
    ];
    home.run(&by_user).ok();
    let mut by_role = by_user.to_vec();
    by_role.extend(["-p", "staging"]);
    let stderr = home.run(&by_role).fails_with(2);
    assert!(stderr.contains("--duration does not work"), "{stderr}");
    let stderr = home.run(&["console", "-p", "staging", "--service", "s3/x"]);
    assert!(stderr.fails_with(2).contains("is not a service"));
}

#[test]
fn a_role_that_a_profile_assumes_by_another_role_takes_no_duration() {
    const USER: &str = "arn:aws:iam::111111111111:user/dev";
    const FIRST: &str = "arn:aws:iam::111111111111:role/First";
    const SECOND: &str = "arn:aws:iam::111111111111:role/Second";
    let role = |name: &str, by| Role::new(name).trust(Trust::principal(by));
    let account = Account::new("111111111111")
        .user(User::new("dev").access_key("AKIACHAINTEST0000001", "secret"));
    let aws = LocalAws::builder()
        .account(
            account
                .role(role("First", USER))
                .role(role("Second", FIRST)),
        )
        .profile(Profile::new("default").region("us-east-1").user(USER))
        .profile(
            Profile::new("first")
                .region("us-east-1")
                .role(FIRST, "default"),
        )
        .profile(
            Profile::new("second")
                .region("us-east-1")
                .role(SECOND, "first"),
        )
        .start_blocking()
        .unwrap();
    let home = Home::of(&aws);
    let longer = |profile| home.run(&["console", "-p", profile, "--duration", "2h"]);
    longer("first").ok();
    let stderr = longer("second").fails_with(2);
    assert!(stderr.contains("--duration does not work"), "{stderr}");
    home.run(&["console", "-p", "second"]).ok();
}

#[test]
fn a_browser_gets_a_file_of_this_user_alone_and_no_address_in_its_arguments() {
    let aws = LocalAws::standard().start_blocking().unwrap();
    let home = Home::of(&aws);
    let seen = home.path().join("seen");
    let browser = home.write(
        "browser.sh",
        &format!(
            "#!/bin/sh\nstat -c %a \"$1\" > {0}; echo \"$@\" >> {0}; cat \"$1\" >> {0}\n",
            seen.display()
        ),
    );
    let mut chmod = home.command("chmod");
    chmod.arg("755").arg(&browser);
    run(chmod).ok();
    // A terminal is needed, because without one the address is printed.
    let opener = format!("BROWSER={}", browser.display());
    let command = ["env", &opener, "bsm", "console", "-p", "staging"];
    let Some(ran) = on_terminal(&home, &[], &command) else {
        return;
    };
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains("SigninToken"), "{ran:?}");
    let seen = std::fs::read_to_string(seen).unwrap();
    let mut lines = seen.splitn(3, '\n');
    assert_eq!(lines.next(), Some("600"), "{seen}");
    let argument = lines.next().unwrap();
    assert!(!argument.contains("SigninToken"), "{argument}");
    assert!(lines.next().unwrap().contains("SigninToken="), "{seen}");
    assert!(!std::fs::exists(argument).unwrap());
}
