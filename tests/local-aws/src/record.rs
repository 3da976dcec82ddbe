//! The record of calls: what reached the server, as whom, and what came of it.

use std::collections::VecDeque;
use std::time::SystemTime;

use parking_lot::Mutex;
use serde::Serialize;

use crate::clock::serialize_iso8601;
use crate::directory::Identity;

/// How many calls are remembered; older ones are forgotten.
const CAPACITY: usize = 200_000;

/// One request that reached the server.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Call {
    /// The number of the call, from 1 in order of arrival.
    pub number: u64,
    /// When it arrived, by the server's clock.
    #[serde(serialize_with = "serialize_iso8601")]
    pub at: SystemTime,
    /// The service: `dynamodb`, `sts`, `iam`, or the name under which the request was signed.
    pub service: String,
    /// The operation, `PutItem` for instance.
    pub operation: String,
    /// The access key the request was signed with, whether it was right or not.
    pub access_key_id: Option<String>,
    /// The region the request was signed for.
    pub region: Option<String>,
    /// The account the call reached; `None` if the request was not believed.
    pub account: Option<String>,
    /// Who called, as GetCallerIdentity names it; `None` if the request was not believed.
    pub principal_arn: Option<String>,
    /// The table, for a DynamoDB request that names one.
    pub table: Option<String>,
    /// The HTTP status of the answer; `None` while there is none, or if it was never sent.
    pub status: Option<u16>,
    /// The code of the error that was answered, `ResourceNotFoundException` for instance.
    pub error_code: Option<String>,
    /// The message of the error that was answered.
    pub error_message: Option<String>,
}

impl Call {
    /// Tells whether the call was answered with success.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status < 300)
    }
}

/// The calls so far.
#[derive(Debug, Default)]
pub(crate) struct Record(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    last: u64,
    calls: VecDeque<Call>,
}

impl Record {
    /// Notes that a call has arrived, and returns its number.
    pub(crate) fn begin(&self, mut call: Call) -> u64 {
        let mut record = self.0.lock();
        record.last += 1;
        call.number = record.last;
        if record.calls.len() == CAPACITY {
            record.calls.pop_front();
        }
        record.calls.push_back(call);
        record.last
    }

    /// Notes who made a call.
    pub(crate) fn identify(&self, number: u64, caller: &Identity) {
        self.update(number, |call| {
            call.account = Some(caller.account.clone());
            call.principal_arn = Some(caller.arn.clone());
        });
    }

    /// Notes what a call was answered.
    pub(crate) fn finish(&self, number: u64, status: u16, error: Option<(&str, &str)>) {
        self.update(number, |call| {
            call.status = Some(status);
            (call.error_code, call.error_message) = error
                .map(|(code, message)| (code.to_owned(), message.to_owned()))
                .unzip();
        });
    }

    /// Returns every call remembered, oldest first.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.lock().calls.iter().cloned().collect()
    }

    /// Counts the calls of an operation.
    pub(crate) fn count(&self, service: &str, operation: &str) -> usize {
        let matches = |call: &&Call| call.service == service && call.operation == operation;
        self.0.lock().calls.iter().filter(matches).count()
    }

    /// Changes a call, unless it has been forgotten meanwhile.
    fn update(&self, number: u64, change: impl FnOnce(&mut Call)) {
        let mut record = self.0.lock();
        // It is one of the last.
        if let Some(call) = record
            .calls
            .iter_mut()
            .rev()
            .find(|call| call.number == number)
        {
            change(call);
        }
    }

    /// Forgets every call. Numbers go on.
    pub(crate) fn clear(&self) {
        self.0.lock().calls.clear();
    }
}
