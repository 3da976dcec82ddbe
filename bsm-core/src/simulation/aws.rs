//! STS in the process, behind a network that a seed decides about.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::{DateTime, Format};
use fastrand::Rng;
use parking_lot::Mutex;
use tokio::time::sleep;

use super::world::{Weather, World};

/// The connection of one session to AWS.
#[derive(Clone, Debug)]
pub(super) struct Network {
    world: World,
    process: u64,
    rng: Arc<Mutex<Rng>>,
}

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered,
    /// Neither AWS nor the caller hears of it again.
    Lost,
    AnswerLost,
    Late(Duration),
    AnswerLate(Duration),
    Repeated,
    Refused,
    Throttled,
    Denied,
    Unavailable,
    Cut,
    Garbled,
}

impl Network {
    pub(super) fn new(world: &World, process: u64, rng: Rng) -> Self {
        Self {
            world: world.clone(),
            process,
            rng: Arc::new(Mutex::new(rng)),
        }
    }

    fn fate(&self) -> Fate {
        let mut rng = self.rng.lock();
        let percent = match self.world.weather() {
            Weather::Fine => 0,
            Weather::Changing => 10,
            Weather::Foul => 50,
            Weather::Outage | Weather::Denied => 100,
        };
        if rng.u8(0..100) >= percent {
            return Fate::Answered;
        }
        let time = Duration::from_millis(rng.u64(0..20_000));
        match (self.world.weather(), rng.u8(0..10)) {
            (Weather::Denied, _) => Fate::Denied,
            (_, 0) => Fate::Lost,
            (_, 1) => Fate::Refused,
            (_, 2) => Fate::Throttled,
            (_, 3) => Fate::Unavailable,
            (_, 4) => Fate::Garbled,
            (_, 5) => Fate::AnswerLost,
            (_, 6) => Fate::Cut,
            (Weather::Outage, _) => Fate::Unavailable,
            (_, 7) => Fate::Late(time),
            (_, 8) => Fate::AnswerLate(time),
            _ => Fate::Repeated,
        }
    }

    async fn deliver(self, request: Request) -> Result<HttpResponse, ConnectorError> {
        let answer = || answer(&self.world, &request);
        match self.fate() {
            Fate::Answered => Ok(answer()),
            Fate::Lost => std::future::pending().await,
            Fate::AnswerLost => {
                drop(answer());
                std::future::pending().await
            }
            Fate::Late(time) => {
                sleep(time).await;
                Ok(answer())
            }
            Fate::AnswerLate(time) => {
                let answer = answer();
                sleep(time).await;
                Ok(answer)
            }
            Fate::Repeated => {
                drop(answer());
                Ok(answer())
            }
            Fate::Refused => Err(ConnectorError::io("connection refused".into())),
            Fate::Throttled => Ok(failure(&self.world, 400, "Throttling")),
            Fate::Denied => Ok(failure(&self.world, 403, "AccessDenied")),
            Fate::Unavailable => Ok(failure(&self.world, 503, "ServiceUnavailable")),
            Fate::Cut => Ok(changed(answer(), |body| body.truncate(body.len() / 2))),
            Fate::Garbled => Ok(changed(answer(), |body| body[..8].fill(b'<'))),
        }
    }
}

impl HttpClient for Network {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.world.count_request();
        let request = Request::of(&request);
        if let Some(key) = self.world.key(&request.key) {
            // The sender has chosen the key by now.
            self.world
                .check_key(&request.key, &key.account, &request.action);
        }
        if request.action == "AssumeRole" {
            self.world.count_assume_role(self.process, &request.role);
        }
        HttpConnectorFuture::new(self.clone().deliver(request))
    }
}

/// What AWS reads of a request.
struct Request {
    /// The access key that signed it.
    key: String,
    action: String,
    role: String,
    seconds: u64,
}

impl Request {
    fn of(request: &HttpRequest) -> Self {
        let header = request.headers().get("authorization").unwrap_or_default();
        let (_, key) = header.split_once("Credential=").unwrap_or_default();
        let (key, _) = key.split_once('/').unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let parameters: Vec<_> = body
            .split(|byte| *byte == b'&')
            .filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='))
            .collect();
        let parameter = |name: &str| {
            let found = parameters.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.replace("%3A", ":").replace("%2F", "/"))
        };
        Self {
            key: key.to_owned(),
            action: parameter("Action").unwrap_or_default(),
            role: parameter("RoleArn").unwrap_or_default(),
            seconds: parameter("DurationSeconds")
                .and_then(|seconds| seconds.parse().ok())
                .unwrap_or(3_600),
        }
    }
}

fn answer(world: &World, request: &Request) -> HttpResponse {
    let Some(key) = world.key(&request.key) else {
        return failure(world, 403, "InvalidClientTokenId");
    };
    if key
        .expires
        .is_some_and(|expires| expires.elapsed() > Duration::ZERO)
    {
        return failure(world, 403, "ExpiredToken");
    }
    match &*request.action {
        "GetCallerIdentity" => {
            let account = key.account;
            let fields = format!(
                "<Arn>arn:aws:sts::{account}:assumed-role/Role/simulated</Arn><UserId>AROASIMULATED</UserId>\
                 <Account>{account}</Account>"
            );
            success(world, &request.action, &fields)
        }
        "AssumeRole" => {
            let account = request.role.split(':').nth(4).unwrap_or_default();
            let issued = world.issue(account, Duration::from_secs(request.seconds));
            let expiration = DateTime::from(issued.expires)
                .fmt(Format::DateTime)
                .unwrap();
            let fields = format!(
                "<Credentials><AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
                 <SessionToken>{}</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
                 <AssumedRoleUser><AssumedRoleId>AROASIMULATED:simulated</AssumedRoleId>\
                 <Arn>arn:aws:sts::{account}:assumed-role/Role/simulated</Arn></AssumedRoleUser>",
                issued.id, issued.secret, issued.token
            );
            success(world, &request.action, &fields)
        }
        _ => failure(world, 400, "InvalidAction"),
    }
}

fn success(world: &World, action: &str, fields: &str) -> HttpResponse {
    let body = format!(
        "<{action}Response><{action}Result>{fields}</{action}Result>\
         <ResponseMetadata><RequestId>simulated</RequestId></ResponseMetadata></{action}Response>"
    );
    response(world, 200, body)
}

fn failure(world: &World, status: u16, code: &str) -> HttpResponse {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>simulated</Message></Error>\
         <RequestId>simulated</RequestId></ErrorResponse>"
    );
    response(world, status, body)
}

fn response(world: &World, status: u16, body: String) -> HttpResponse {
    let date = DateTime::from(world.true_time())
        .fmt(Format::HttpDate)
        .unwrap();
    let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
    response.headers_mut().insert("date", date);
    response
}

/// Changes the body on its way.
fn changed(mut response: HttpResponse, change: impl FnOnce(&mut Vec<u8>)) -> HttpResponse {
    let mut body = response.body().bytes().unwrap_or_default().to_vec();
    change(&mut body);
    *response.body_mut() = SdkBody::from(body);
    response
}
