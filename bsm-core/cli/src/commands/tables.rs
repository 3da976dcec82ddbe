//! `bsm tables`

use std::process::ExitCode;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_dynamodb::operation::list_tables::ListTablesError;
use clap::Args;

use crate::failure::{Class, Failure};
use crate::global::Global;
use crate::output::{print, print_json};
use crate::session::Questions;

/// DynamoDB returns 100 names a page, and an account has at most 10,000 tables in a region unless its
/// quota was raised.
const MAX_PAGES: usize = 1_000;

/// List the DynamoDB tables of a session's account and region
#[derive(Args)]
pub(crate) struct Tables {}

impl Tables {
    pub(crate) async fn run(&self, global: &Global) -> Result<ExitCode, Failure> {
        let session = global.session.select(Questions::Allowed)?;
        let client = session.manager.client(Client::new).await?;
        let mut names = Vec::new();
        let mut last = None;
        // Bounded, because an endpoint that repeats a page would never end the list.
        for _ in 0..MAX_PAGES {
            let request = client.list_tables().set_exclusive_start_table_name(last);
            let page = request.send().await.map_err(|error| failure(&error))?;
            names.extend(page.table_names.unwrap_or_default());
            last = page.last_evaluated_table_name;
            if last.is_none() {
                break;
            }
        }
        match global.json {
            true => print_json(&names)?,
            false => print(
                &names
                    .iter()
                    .map(|name| format!("{name}\n"))
                    .collect::<String>(),
            )?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the error of the session, or AWS's code. The SDK's own error shows the request and the response.
fn failure(error: &SdkError<ListTablesError>) -> Failure {
    if let Some(session) = bsm_core::Error::find_in(error) {
        return Failure::from(session.clone());
    }
    let why = match error.as_service_error() {
        Some(service) => {
            let code = service.code().unwrap_or("an unknown error");
            format!("AWS answered {code}: check the permissions of this identity")
        }
        None => "there was no answer: check the network and the region".to_owned(),
    };
    Failure::new(Class::Failed, format!("could not list the tables: {why}"))
}
