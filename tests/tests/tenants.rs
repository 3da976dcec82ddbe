//! A service that serves several accounts: tenants by header, and handlers that know nothing of accounts.

#![expect(
    clippy::unwrap_used,
    reason = "a test that finds no value is to fail there"
)]

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::routing::get;
use bsm_core::fleet::RoleSessions;
use bsm_core::{BotoSesManager, ScopeLayer};
use bsm_dynamodb::Model;
use bsm_local_aws::standard::{PRODUCTION_ROLE_ARN, STAGING_ROLE_ARN};
use bsm_tests::Playground;
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Serialize, Deserialize, Model)]
#[model(table = "orders")]
struct Order {
    #[model(hash_key)]
    customer: String,
    #[model(range_key)]
    number: u64,
    text: String,
}

async fn order(Path((customer, number)): Path<(String, u64)>) -> Result<String, StatusCode> {
    match Order::get((customer, number)).optional().await {
        Ok(Some(order)) => Ok(order.text),
        Ok(None) => Err(StatusCode::NOT_FOUND),
        Err(error) if error.kind() == bsm_dynamodb::ErrorKind::Session => {
            Err(StatusCode::UNAUTHORIZED)
        }
        Err(_) => Err(StatusCode::BAD_GATEWAY),
    }
}

async fn orders(Path(customer): Path<String>) -> Body {
    // A page for each item, so that the body is read long after the handler has returned.
    let lines = Order::query(customer).page_size(1).stream();
    Body::from_stream(lines.map_ok(|order| Bytes::from(order.text + "\n")))
}

fn app(sessions: RoleSessions) -> Router {
    let tenants = ScopeLayer::new(move |request: &Request| {
        let arn = match request.headers().get("x-tenant")?.to_str().ok()? {
            "blue" => STAGING_ROLE_ARN,
            "green" => PRODUCTION_ROLE_ARN,
            _ => return None,
        };
        Some(sessions.get(arn))
    });
    Router::new()
        .route("/orders/{customer}", get(orders))
        .route("/orders/{customer}/{number}", get(order))
        .layer(tenants)
}

/// Sends a request for a tenant; returns the status and the body.
async fn request(address: SocketAddr, tenant: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nx-tenant: {tenant}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tenant_reaches_its_own_account_also_in_a_streamed_body() {
    let playground = Playground::start().await;
    let base = playground.profile("default");
    let sessions = RoleSessions::new(&base);
    for (arn, tenant) in [(STAGING_ROLE_ARN, "blue"), (PRODUCTION_ROLE_ARN, "green")] {
        let save = async {
            Order::create_table().wait().await.unwrap();
            for number in 0..20 {
                let order = Order {
                    customer: "ada".to_owned(),
                    number,
                    text: format!("{tenant} {number}"),
                };
                order.save().await.unwrap();
            }
        };
        sessions.get(arn).scope(save).await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, app(sessions)).into_future());

    let both = |tenant: &'static str| async move {
        let (status, text) = request(address, tenant, "/orders/ada/7").await;
        assert_eq!((status, text), (200, format!("{tenant} 7")));
        let (status, text) = request(address, tenant, "/orders/ada").await;
        let expected: String = (0..20)
            .map(|number| format!("{tenant} {number}\n"))
            .collect();
        assert_eq!((status, text), (200, expected));
    };
    let all = (0..10).map(|_| futures_util::future::join(both("blue"), both("green")));
    futures_util::future::join_all(all).await;

    // A tenant that nobody knows reaches no account, whatever the process default is.
    let before = playground.aws.calls().len();
    let (status, _) = request(address, "red", "/orders/ada/7").await;
    assert_eq!(status, 401);
    assert_eq!(playground.aws.calls().len(), before);
    assert_eq!(BotoSesManager::current().to_string(), "the default chain");
    server.abort();
}
