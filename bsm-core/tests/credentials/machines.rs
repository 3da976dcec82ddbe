//! The roles of containers and instances, and the proxies that requests go through.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use bsm_core::{BotoSesManager, Builder, Error, ErrorKind};
use bsm_local_aws::{Account, Fault, LocalAws, Role, User};
use tempfile::TempDir;

use crate::support::request;

const TASK: &str = "arn:aws:iam::111111111111:role/Task";
const INSTANCE: &str = "arn:aws:iam::111111111111:role/Instance";
const TOKEN: &str = "the-token-of-the-task";

const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const AUTHORIZATION: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const AUTHORIZATION_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const METADATA: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

/// The SDK's retries without its pauses.
fn quick(attempts: u32) -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(attempts)
        .with_initial_backoff(Duration::from_millis(1))
}

/// A machine with a container and an instance, and a directory for files.
struct Machine {
    aws: LocalAws,
    dir: TempDir,
}

impl Machine {
    fn start() -> Self {
        let account = Account::new("111111111111")
            .user(User::new("dev").access_key("AKIALOCALDEVUSER0001", "secret-of-dev"))
            .role(Role::new("Task"))
            .role(Role::new("Instance"));
        let aws = LocalAws::builder()
            .account(account)
            .container_role_with_token(TASK, TOKEN)
            .instance_role(INSTANCE, "eu-west-1")
            .start_blocking()
            .unwrap();
        let dir = TempDir::new().unwrap();
        Self { aws, dir }
    }

    fn container_url(&self) -> String {
        format!("{}/v2/credentials/task", self.aws.endpoint_url())
    }

    /// A manager that sees these variables and this config file, and nothing else.
    fn builder(&self, variables: &[(&str, &str)], config: &str) -> Builder {
        let file = self.dir.path().join("config");
        fs::write(&file, config).unwrap();
        BotoSesManager::builder()
            .config_file(file)
            .shared_credentials_file(self.dir.path().join("credentials"))
            .endpoint_url(self.aws.endpoint_url())
            .environment(variables.iter().copied())
            .time_source(self.aws.clock())
            .retry_config(quick(3))
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

async fn error_of(builder: Builder) -> Error {
    let bsm = builder.region("us-east-1").build();
    bsm.credentials().await.unwrap_err()
}

#[tokio::test]
async fn a_container_gives_its_role_with_a_token_from_a_variable_or_a_file() {
    let machine = Machine::start();
    let url = machine.container_url();
    let with_newline = machine.file("token", &format!("{TOKEN}\n"));
    let wrong = machine.file("wrong", "another");
    let token_and_newline = format!("{TOKEN}\n");
    for variables in [
        vec![(FULL, &*url), (AUTHORIZATION, TOKEN)],
        vec![(FULL, &*url), (AUTHORIZATION, &*token_and_newline)],
        vec![(FULL, &*url), (AUTHORIZATION_FILE, &*with_newline)],
        // The file takes precedence.
        vec![
            (FULL, &*url),
            (AUTHORIZATION_FILE, &*with_newline),
            (AUTHORIZATION, "another"),
        ],
    ] {
        let bsm = machine.builder(&variables, "").region("us-east-1").build();
        let arn = request(&bsm).await;
        assert!(arn.contains(":assumed-role/Task/"), "{arn}");
    }
    for variables in [
        vec![(FULL, &*url)],
        vec![(FULL, &*url), (AUTHORIZATION, "another")],
        vec![(FULL, &*url), (AUTHORIZATION_FILE, &*wrong)],
    ] {
        let error = error_of(machine.builder(&variables, "")).await;
        assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable, "{error}");
        let message = error.to_string();
        assert!(
            message.contains("answered AccessDenied with status 401"),
            "{message}"
        );
        assert!(message.contains(machine.aws.endpoint_url()), "{message}");
        assert!(!message.contains("/v2/credentials"), "{message}");
    }
}

#[tokio::test]
async fn a_token_file_is_read_for_each_request() {
    let machine = Machine::start();
    let url = machine.container_url();
    let file = machine.file("token", "another");
    let variables = [(FULL, &*url), (AUTHORIZATION_FILE, &*file)];
    let bsm = machine.builder(&variables, "").build();
    assert!(bsm.credentials().await.is_err());
    machine.file("token", TOKEN);
    // After the pause that follows a failure.
    machine.aws.clock().advance(Duration::from_secs(10));
    bsm.credentials().await.unwrap();
}

#[tokio::test]
async fn settings_of_a_container_are_checked() {
    let machine = Machine::start();
    let url = machine.container_url();
    const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
    for (variables, named) in [
        (vec![(RELATIVE, "no/slash")], RELATIVE),
        (vec![(FULL, "127.0.0.1/x")], FULL),
        (vec![(FULL, "http://example.com/x")], FULL),
        (vec![(FULL, "http://169.254.169.254/x")], FULL),
        (
            vec![(FULL, &*url), (AUTHORIZATION, "two\nlines")],
            AUTHORIZATION,
        ),
        (
            vec![(FULL, &*url), (AUTHORIZATION_FILE, "/no/such")],
            AUTHORIZATION_FILE,
        ),
        (
            vec![(FULL, &*url), (AUTHORIZATION_FILE, "/dev/zero")],
            AUTHORIZATION_FILE,
        ),
    ] {
        let error = error_of(machine.builder(&variables, "")).await;
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
    assert_eq!(machine.aws.call_count("container", "GetCredentials"), 0);
}

#[tokio::test]
async fn the_relative_uri_belongs_to_ecs() {
    #[derive(Clone, Debug, Default)]
    struct Recorder(Arc<Mutex<Vec<String>>>);

    impl HttpConnector for Recorder {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            self.0.lock().unwrap().push(request.uri().to_owned());
            let body = r#"{"AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t"}"#;
            let response = HttpResponse::new(200.try_into().unwrap(), SdkBody::from(body));
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    let machine = Machine::start();
    let recorder = Recorder::default();
    let connector = SharedHttpConnector::new(recorder.clone());
    let variables = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x?y=z")];
    let bsm = machine
        .builder(&variables, "")
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    bsm.credentials().await.unwrap();
    let sent = recorder.0.lock().unwrap().clone();
    assert_eq!(sent, ["http://169.254.170.2/v2/x?y=z"]);
}

#[tokio::test]
async fn a_container_that_stumbles_is_asked_again() {
    let machine = Machine::start();
    let url = machine.container_url();
    let variables = [(FULL, &*url), (AUTHORIZATION, TOKEN)];
    for fault in [
        Fault::unavailable(),
        Fault::throttling(),
        Fault::dropped_connection(),
        // The status says yes, and the text is none that a container writes.
        Fault::error(200, "", "not what was asked for"),
    ] {
        machine.aws.clear_calls();
        machine.aws.faults().clear();
        machine
            .aws
            .faults()
            .add(fault.service("container").times(2));
        machine
            .builder(&variables, "")
            .build()
            .credentials()
            .await
            .unwrap();
        assert_eq!(machine.aws.call_count("container", "GetCredentials"), 3);
    }
    machine
        .aws
        .faults()
        .add(Fault::internal_error().service("container"));
    machine.aws.clear_calls();
    let once = machine
        .builder(&variables, "")
        .retry_config(RetryConfig::disabled());
    let error = error_of(once).await;
    assert!(error.to_string().contains("status 500"), "{error}");
    assert_eq!(machine.aws.call_count("container", "GetCredentials"), 1);
}

#[tokio::test]
async fn an_instance_gives_its_role_and_its_region() {
    let machine = Machine::start();
    let url = machine.aws.endpoint_url();
    let with_path = format!("{url}/a-secret-path/");
    let profile = format!("[default]\nec2_metadata_service_endpoint = {url}\n");
    for (variables, config) in [
        (vec![(METADATA, url)], ""),
        (vec![(METADATA, &*with_path)], ""),
        (vec![], &*profile),
        (
            vec![(METADATA, url)],
            "[default]\nec2_metadata_service_endpoint = http://127.0.0.1:1\n",
        ),
    ] {
        let bsm = machine.builder(&variables, config).build();
        let arn = request(&bsm).await;
        assert!(arn.contains(":assumed-role/Instance/"), "{arn}");
        assert_eq!(bsm.aws_region().await.unwrap(), "eu-west-1");
    }
}

/// During an outage the metadata service returns old credentials, which AWS continues to accept.
#[tokio::test]
async fn expired_credentials_of_an_instance_are_used_for_a_while_and_those_of_a_container_are_not()
{
    let machine = Machine::start();
    let late = machine.aws.clock().now() + Duration::from_secs(48 * 3_600);
    let container = machine.container_url();
    let at_that_time = |variables: &[(&str, &str)]| {
        let builder = machine.builder(variables, "").region("us-east-1");
        builder.time_source(StaticTimeSource::new(late)).build()
    };
    let instance = at_that_time(&[(METADATA, machine.aws.endpoint_url())]);
    instance.credentials().await.unwrap();
    let expiration = SystemTime::from(instance.expiration().unwrap());
    let left = expiration.duration_since(late).unwrap();
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    assert!((minutes(10)..minutes(15)).contains(&left), "{left:?}");
    let container = at_that_time(&[(FULL, &container), (AUTHORIZATION, TOKEN)]);
    let error = container.credentials().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CredentialsRejected, "{error}");
}

#[tokio::test]
async fn the_profile_that_is_named_says_where_the_metadata_service_is() {
    let machine = Machine::start();
    let url = machine.aws.endpoint_url();
    let config = format!(
        "[default]\nec2_metadata_service_endpoint = http://127.0.0.1:1\n[profile here]\n\
         role_arn = arn:aws:iam::111111111111:role/Nobody\ncredential_source = Ec2InstanceMetadata\n\
         ec2_metadata_service_endpoint = {url}\nregion = us-east-1\n"
    );
    let bsm = machine.builder(&[], &config).profile_name("here").build();
    // Nobody may assume the role, but the instance was asked, and signed the request for it.
    assert_eq!(
        bsm.credentials().await.unwrap_err().kind(),
        ErrorKind::AccessDenied
    );
    let calls = machine.aws.calls();
    let assumed = calls.iter().find(|call| call.operation == "AssumeRole");
    let arn = assumed.and_then(|call| call.principal_arn.as_deref());
    assert!(
        arn.is_some_and(|arn| arn.contains(":assumed-role/Instance/")),
        "{arn:?}"
    );
}

#[tokio::test]
async fn a_machine_without_a_role_or_a_service_is_named() {
    let machine = Machine::start();
    let url = machine.aws.endpoint_url();
    let no_role = LocalAws::builder().account(Account::new("111111111111"));
    let no_role = no_role.start_blocking().unwrap();
    for (variables, kind, part) in [
        (
            vec![(METADATA, url), ("AWS_EC2_METADATA_DISABLED", "true")],
            ErrorKind::NoCredentials,
            "AWS_EC2_METADATA_DISABLED",
        ),
        (
            vec![(METADATA, no_role.endpoint_url())],
            ErrorKind::NoCredentials,
            "check that the instance has a role",
        ),
        (
            vec![(METADATA, "http://127.0.0.1:1")],
            ErrorKind::NoCredentials,
            "http://127.0.0.1:1",
        ),
        (
            vec![(METADATA, "localhost:1")],
            ErrorKind::InvalidConfig,
            METADATA,
        ),
        (
            vec![
                ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5"),
                (METADATA, ""),
            ],
            ErrorKind::NoCredentials,
            "no credentials were found",
        ),
        (
            vec![(METADATA, url), ("AWS_METADATA_SERVICE_TIMEOUT", "soon")],
            ErrorKind::InvalidConfig,
            "AWS_METADATA_SERVICE_TIMEOUT",
        ),
        (
            vec![(METADATA, url), ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", "0")],
            ErrorKind::InvalidConfig,
            "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
        ),
    ] {
        let error = error_of(machine.builder(&variables, "")).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    machine
        .aws
        .faults()
        .add(Fault::error(403, "Forbidden", "off").service("imds"));
    let error = error_of(machine.builder(&[(METADATA, url)], "")).await;
    assert_eq!(error.kind(), ErrorKind::CredentialsUnavailable, "{error}");
}

#[tokio::test]
async fn given_variables_never_lead_to_the_machine_below() {
    let machine = Machine::start();
    let error = error_of(machine.builder(&[], "")).await;
    assert_eq!(error.kind(), ErrorKind::NoCredentials);
    assert!(machine.aws.calls().is_empty());
}

#[tokio::test]
async fn attempts_at_the_metadata_service_are_the_users() {
    let machine = Machine::start();
    let url = machine.aws.endpoint_url();
    machine.aws.faults().add(
        Fault::internal_error()
            .service("imds")
            .operation("GetMetadata"),
    );
    for (attempts, expected) in [("1", 1), ("2", 2)] {
        machine.aws.clear_calls();
        let variables = [
            (METADATA, url),
            ("AWS_METADATA_SERVICE_NUM_ATTEMPTS", attempts),
        ];
        error_of(machine.builder(&variables, "")).await;
        assert_eq!(machine.aws.call_count("imds", "GetMetadata"), expected);
    }
}

/// The local AWS is also the proxy: a proxy gets the whole URL, and the server looks at its path.
#[tokio::test]
async fn requests_go_through_the_proxy_of_the_given_variables_and_metadata_never_does() {
    let machine = Machine::start();
    let url = machine.aws.endpoint_url();
    // Nobody listens there.
    const ELSEWHERE: &str = "http://127.0.0.1:1";
    let whoami = async |variables: &[(&str, &str)]| {
        let bsm = machine
            .builder(variables, "")
            .keys("AKIALOCALDEVUSER0001", "secret-of-dev")
            .region("us-east-1")
            .endpoint_url(ELSEWHERE)
            .retry_config(RetryConfig::disabled())
            .build();
        bsm.who_am_i().await
    };
    whoami(&[("HTTP_PROXY", url)]).await.unwrap();
    whoami(&[("ALL_PROXY", url), ("NO_PROXY", "127.0.0.1:2,10.0.0.0/8")])
        .await
        .unwrap();
    for exception in ["*", "127.0.0.1", "127.0.0.1:1", "127.0.0.0/8"] {
        let error = whoami(&[("http_proxy", url), ("no_proxy", exception)]).await;
        assert_eq!(
            error.unwrap_err().kind(),
            ErrorKind::Unreachable,
            "{exception}"
        );
    }
    let malformed = whoami(&[("HTTPS_PROXY", "::::")]).await.unwrap_err();
    assert_eq!(malformed.kind(), ErrorKind::InvalidConfig);

    let proxy = LocalAws::start().await.unwrap();
    let container = machine.container_url();
    let through = [
        ("HTTP_PROXY", proxy.endpoint_url()),
        ("ALL_PROXY", proxy.endpoint_url()),
    ];
    for own in [
        vec![(FULL, &*container), (AUTHORIZATION, TOKEN)],
        vec![(METADATA, url)],
    ] {
        let variables: Vec<_> = own.into_iter().chain(through).collect();
        machine
            .builder(&variables, "")
            .build()
            .credentials()
            .await
            .unwrap();
    }
    assert!(proxy.calls().is_empty(), "{:?}", proxy.calls());
}
