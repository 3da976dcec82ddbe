//! The control API for clients in other languages: unsigned JSON under `/_local/`.

use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::state::ServerState;
use crate::clock::iso8601;
use crate::faults::Fault;
use crate::request::Request;

const PREFIX: &str = "/_local/";

/// The maximum of `advance_seconds`: a century, far from the overflow of `SystemTime`.
const MAX_ADVANCE_SECONDS: u64 = 100 * 365 * 86_400;

/// The body of `POST /_local/clock`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockUpdate {
    advance_seconds: u64,
}

/// The body of `POST /_local/devices`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    allow: bool,
}

/// Serves a request to the control API. Returns `None` for a request to an AWS service.
pub(super) fn respond(state: &ServerState, request: &Request) -> Option<(StatusCode, String)> {
    let path = request.uri.path().strip_prefix(PREFIX)?;
    let result = match (&request.method, path) {
        (&Method::GET, "calls") => Ok(json!(state.calls.calls())),
        (&Method::DELETE, "calls") => {
            state.calls.clear();
            Ok(json!({}))
        }
        (&Method::GET, "sessions") => Ok(json!(state.identities.sessions())),
        (&Method::POST, "faults") => add_fault(state, request),
        (&Method::DELETE, "faults") => {
            state.faults.clear();
            Ok(json!({}))
        }
        (&Method::POST, "devices") => decide_devices(state, request),
        (&Method::GET, "clock") => Ok(now(state)),
        (&Method::POST, "clock") => move_clock(state, request),
        _ => {
            let problem = format!("unknown route {} {}", request.method, request.uri.path());
            return Some((
                StatusCode::NOT_FOUND,
                json!({ "error": problem }).to_string(),
            ));
        }
    };
    Some(match result {
        Ok(value) => (StatusCode::OK, value.to_string()),
        Err(problem) => (
            StatusCode::BAD_REQUEST,
            json!({ "error": problem.to_string() }).to_string(),
        ),
    })
}

fn add_fault(state: &ServerState, request: &Request) -> serde_json::Result<Value> {
    let fault: Fault = serde_json::from_slice(&request.body)?;
    Ok(json!({ "id": state.faults.add(fault) }))
}

fn decide_devices(state: &ServerState, request: &Request) -> serde_json::Result<Value> {
    let decision: Decision = serde_json::from_slice(&request.body)?;
    Ok(json!({ "decided": state.sso.decide(decision.allow) }))
}

fn move_clock(state: &ServerState, request: &Request) -> serde_json::Result<Value> {
    let by: ClockUpdate = serde_json::from_slice(&request.body)?;
    if by.advance_seconds > MAX_ADVANCE_SECONDS {
        let problem = format!("advance_seconds is at most {MAX_ADVANCE_SECONDS}");
        return Err(serde::de::Error::custom(problem));
    }
    state.clock.advance(Duration::from_secs(by.advance_seconds));
    Ok(now(state))
}

fn now(state: &ServerState) -> Value {
    json!({ "now": iso8601(state.clock.now()) })
}
