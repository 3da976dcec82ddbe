//! The log of calls: requests that reached the server, their callers and their results.

use std::collections::VecDeque;
use std::time::SystemTime;

use parking_lot::Mutex;
use serde::Serialize;

use crate::auth::Identity;
use crate::clock::serialize_iso8601;

/// The number of calls that the log keeps. A limit bounds the memory of a server that runs for days;
/// this one is twice the number of calls in the largest test of this repository.
const CAPACITY: usize = 200_000;

/// One request that reached the server.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Call {
    /// The number of the call. Calls are numbered from 1 in order of arrival.
    pub number: u64,
    /// The time of arrival, by the server's clock.
    #[serde(serialize_with = "serialize_iso8601")]
    pub at: SystemTime,
    /// The signing name of the service: `dynamodb`, `s3`, `sts` or `iam`, or the name the client sent. Requests
    /// that are not signed have `sso`, `sso-oidc`, `imds` or `container`.
    pub service: String,
    /// The operation, for example `PutItem`.
    pub operation: String,
    /// The access key id in the signature, whether or not the signature is valid.
    pub access_key_id: Option<String>,
    /// The region the request was signed for.
    pub region: Option<String>,
    /// The account that the call reached; `None` if authentication failed.
    pub account: Option<String>,
    /// The ARN of the caller, as GetCallerIdentity returns it; `None` if authentication failed.
    pub principal_arn: Option<String>,
    /// The table, if the call is a DynamoDB request that refers to exactly one.
    pub table: Option<String>,
    /// The HTTP status of the response; `None` before the response, and if a fault dropped it.
    pub status: Option<u16>,
    /// The code of the error response, for example `ResourceNotFoundException`.
    pub error_code: Option<String>,
    /// The message of the error response.
    pub error_message: Option<String>,
}

impl Call {
    /// Returns `true` if the call succeeded.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status < 300)
    }
}

/// The log of a server.
#[derive(Debug, Default)]
pub(crate) struct CallLog(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    last: u64,
    calls: VecDeque<Call>,
}

impl CallLog {
    /// Adds a call and returns its number.
    pub(crate) fn begin(&self, mut call: Call) -> u64 {
        // Number and position are taken under one lock, so the log is sorted by number.
        let mut log = self.0.lock();
        log.last += 1;
        call.number = log.last;
        if log.calls.len() == CAPACITY {
            log.calls.pop_front();
        }
        log.calls.push_back(call);
        log.last
    }

    /// Sets the caller of a call.
    pub(crate) fn identify(&self, number: u64, caller: &Identity) {
        self.update(number, |call| {
            call.account = Some(caller.account.clone());
            call.principal_arn = Some(caller.arn.clone());
        });
    }

    /// Sets the result of a call.
    pub(crate) fn finish(&self, number: u64, status: u16, error: Option<(&str, &str)>) {
        self.update(number, |call| {
            call.status = Some(status);
            (call.error_code, call.error_message) = error
                .map(|(code, message)| (code.to_owned(), message.to_owned()))
                .unzip();
        });
    }

    /// Returns the calls in the log, oldest first.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.lock().calls.iter().cloned().collect()
    }

    /// Counts the calls of an operation.
    pub(crate) fn count(&self, service: &str, operation: &str) -> usize {
        let matches = |call: &&Call| call.service == service && call.operation == operation;
        self.0.lock().calls.iter().filter(matches).count()
    }

    /// Changes a call, unless the log has dropped it.
    fn update(&self, number: u64, change: impl FnOnce(&mut Call)) {
        let mut log = self.0.lock();
        // A call in progress is near the end of the log.
        if let Some(call) = log
            .calls
            .iter_mut()
            .rev()
            .find(|call| call.number == number)
        {
            change(call);
        }
    }

    /// Removes all calls. The numbering continues.
    pub(crate) fn clear(&self) {
        self.0.lock().calls.clear();
    }
}
