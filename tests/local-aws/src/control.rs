//! The server's own interface, for clients in other languages: `/_local/...`, unsigned JSON.

use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::clock::iso8601;
use crate::exchange::World;
use crate::faults::Fault;
use crate::request::Request;

const PREFIX: &str = "/_local/";

/// The furthest the clock is moved at once, in seconds: a century.
const FURTHEST: u64 = 100 * 365 * 86_400;

/// How the clock is to be moved.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    advance_seconds: u64,
}

/// Answers a request to the interface, and `None` to one that is for AWS.
pub(crate) fn answer(world: &World, request: &Request) -> Option<(StatusCode, String)> {
    let path = request.uri.path().strip_prefix(PREFIX)?;
    let answer = match (&request.method, path) {
        (&Method::GET, "calls") => Ok(json!(world.record.calls())),
        (&Method::DELETE, "calls") => {
            world.record.clear();
            Ok(json!({}))
        }
        (&Method::GET, "sessions") => Ok(json!(world.directory.sessions())),
        (&Method::POST, "faults") => add_fault(world, request),
        (&Method::DELETE, "faults") => {
            world.faults.clear();
            Ok(json!({}))
        }
        (&Method::GET, "clock") => Ok(now(world)),
        (&Method::POST, "clock") => move_clock(world, request),
        _ => {
            let problem = format!("there is no {} {}", request.method, request.uri.path());
            return Some((
                StatusCode::NOT_FOUND,
                json!({ "error": problem }).to_string(),
            ));
        }
    };
    Some(match answer {
        Ok(value) => (StatusCode::OK, value.to_string()),
        Err(problem) => (
            StatusCode::BAD_REQUEST,
            json!({ "error": problem.to_string() }).to_string(),
        ),
    })
}

fn add_fault(world: &World, request: &Request) -> serde_json::Result<Value> {
    let fault: Fault = serde_json::from_slice(&request.body)?;
    Ok(json!({ "id": world.faults.add(fault) }))
}

fn move_clock(world: &World, request: &Request) -> serde_json::Result<Value> {
    let by: Move = serde_json::from_slice(&request.body)?;
    if by.advance_seconds > FURTHEST {
        let problem = format!("advance_seconds is at most {FURTHEST}");
        return Err(serde::de::Error::custom(problem));
    }
    world.clock.advance(Duration::from_secs(by.advance_seconds));
    Ok(now(world))
}

fn now(world: &World) -> Value {
    json!({ "now": iso8601(world.clock.now()) })
}
