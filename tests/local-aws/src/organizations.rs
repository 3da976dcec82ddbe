//! AWS Organizations: the accounts and units of an organization.
//!
//! See <https://docs.aws.amazon.com/organizations/latest/APIReference/Welcome.html>.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::auth::authorize::authorize;
use crate::auth::{Identity, IdentityStore};
use crate::layout;
use crate::response::{ErrorResponse, Response};
use crate::service::Service;

/// The most entries of a page, and how many it has by default.
const MAX_PAGE: usize = 20;

const ORGANIZATION_ID: &str = "o-localexample";
const ROOT_ID: &str = "r-root";

/// An organization, with an index of its units.
#[derive(Debug)]
pub(crate) struct Organizations(Option<Index>);

#[derive(Debug)]
struct Index {
    organization: layout::Organization,
    /// The accounts of each parent, the root included.
    accounts: BTreeMap<String, Vec<String>>,
    /// The units below each parent: their ids, and their names.
    units: BTreeMap<String, BTreeMap<String, String>>,
    /// The parent of each account and unit.
    parents: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Parameters {
    parent_id: Option<String>,
    child_id: Option<String>,
    resource_id: Option<String>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

impl Organizations {
    pub(crate) fn new(organization: Option<layout::Organization>) -> Self {
        Self(organization.map(Index::new))
    }

    /// Performs an operation.
    pub(crate) fn perform(
        &self,
        caller: &Identity,
        identities: &IdentityStore,
        operation: &str,
        body: &[u8],
    ) -> Result<Response, ErrorResponse> {
        let account = &caller.account;
        let index = self.0.as_ref().filter(|index| index.has(account));
        let index = index.ok_or_else(|| {
            let code = "AWSOrganizationsNotInUseException";
            error(code, "Your account is not a member of an organization.")
        })?;
        authorize(
            caller,
            &format!("organizations:{operation}"),
            "*",
            Service::Organizations,
        )?;
        let organization = &index.organization;
        let may_ask = *account == organization.management
            || organization.delegated_administrators.contains(account);
        // Every member may call DescribeOrganization, and only these accounts may call the rest.
        if operation != "DescribeOrganization" && !may_ask {
            let message = "You don't have permissions to access this resource.";
            return Err(error("AccessDeniedException", message));
        }
        let parameters: Parameters = match body {
            [] => Parameters::default(),
            body => serde_json::from_slice(body).map_err(|_| invalid("the body is not JSON"))?,
        };
        let output = index.perform(identities, operation, &parameters)?;
        Ok(Response::json(output.to_string()))
    }
}

impl Index {
    fn new(organization: layout::Organization) -> Self {
        let mut index = Self {
            accounts: BTreeMap::from([(ROOT_ID.to_owned(), Vec::new())]),
            units: BTreeMap::new(),
            parents: BTreeMap::new(),
            organization,
        };
        let members = index.organization.members.clone();
        let management = (index.organization.management.clone(), String::new());
        for (account, path) in std::iter::once(management).chain(members) {
            let parent = index.unit(&path);
            index.parents.insert(account.clone(), parent.clone());
            index.accounts.entry(parent).or_default().push(account);
        }
        index
    }

    /// Returns the id of the unit with this path, which is created if it does not exist.
    fn unit(&mut self, path: &str) -> String {
        let mut parent = ROOT_ID.to_owned();
        let mut so_far = String::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            so_far.push('/');
            so_far.push_str(name);
            // The id depends on the path alone, so the next account of a unit finds the same one.
            let digest = Sha256::digest(&so_far);
            let digest: String = digest[..4]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let id = format!("ou-root-{digest}");
            let children = self.units.entry(parent.clone()).or_default();
            children.insert(id.clone(), name.to_owned());
            self.parents.insert(id.clone(), parent);
            // Also for a unit without accounts, because `parent` looks units up here.
            self.accounts.entry(id.clone()).or_default();
            parent = id;
        }
        parent
    }

    fn has(&self, account: &str) -> bool {
        self.parents.contains_key(account)
    }

    fn perform(
        &self,
        identities: &IdentityStore,
        operation: &str,
        parameters: &Parameters,
    ) -> Result<Value, ErrorResponse> {
        let describe = |id: &String| self.describe(id, identities);
        match operation {
            "DescribeOrganization" => Ok(json!({"Organization": {
                "Id": ORGANIZATION_ID,
                "Arn": self.arn("organization", None),
                "FeatureSet": "ALL",
                "MasterAccountId": self.organization.management,
                "MasterAccountArn": self.arn("account", Some(&self.organization.management)),
                "MasterAccountEmail": describe(&self.organization.management)["Email"],
                "AvailablePolicyTypes": [{"Type": "SERVICE_CONTROL_POLICY", "Status": "ENABLED"}],
            }})),
            "ListAccounts" => {
                // Sorted, because a token is a position in this list.
                let all: BTreeSet<_> = self.accounts.values().flatten().collect();
                page(
                    "Accounts",
                    &all.into_iter().collect::<Vec<_>>(),
                    parameters,
                    |id| describe(id),
                )
            }
            "ListRoots" => Ok(json!({"Roots": [{
                "Id": ROOT_ID,
                "Arn": self.arn("root", Some(ROOT_ID)),
                "Name": "Root",
                "PolicyTypes": [],
            }]})),
            "ListOrganizationalUnitsForParent" => {
                let parent = self.parent(parameters)?;
                let units = self.units.get(parent).into_iter().flatten();
                page(
                    "OrganizationalUnits",
                    &units.collect::<Vec<_>>(),
                    parameters,
                    |(id, name)| json!({ "Id": id, "Arn": self.arn("ou", Some(id)), "Name": name }),
                )
            }
            "ListAccountsForParent" => {
                let parent = self.parent(parameters)?;
                page("Accounts", &self.accounts[parent], parameters, describe)
            }
            "ListParents" => {
                let child = parameters.child_id.as_deref().unwrap_or_default();
                let parent = self.parents.get(child).ok_or_else(|| {
                    error(
                        "ChildNotFoundException",
                        "You specified a child that doesn't exist.",
                    )
                })?;
                let kind = match parent.as_str() {
                    ROOT_ID => "ROOT",
                    _ => "ORGANIZATIONAL_UNIT",
                };
                Ok(json!({ "Parents": [{ "Id": parent, "Type": kind }] }))
            }
            "ListTagsForResource" => {
                let id = parameters.resource_id.as_deref().unwrap_or_default();
                if !self.parents.contains_key(id) && id != ROOT_ID {
                    let message = "We can't find a target with the TargetId that you specified.";
                    return Err(error("TargetNotFoundException", message));
                }
                let tags: Vec<_> = self
                    .organization
                    .tags
                    .get(id)
                    .into_iter()
                    .flatten()
                    .collect();
                page(
                    "Tags",
                    &tags,
                    parameters,
                    |(key, value)| json!({ "Key": key, "Value": value }),
                )
            }
            _ => Err(error("UnknownOperationException", "no such operation")),
        }
    }

    /// Returns the parent that a request names, which must exist.
    fn parent<'p>(&self, parameters: &'p Parameters) -> Result<&'p str, ErrorResponse> {
        let parent = parameters.parent_id.as_deref().unwrap_or_default();
        match self.accounts.contains_key(parent) {
            true => Ok(parent),
            false => Err(error(
                "ParentNotFoundException",
                "You specified parent that doesn't exist.",
            )),
        }
    }

    fn describe(&self, id: &String, identities: &IdentityStore) -> Value {
        let status = match self.organization.suspended.contains(id) {
            true => "SUSPENDED",
            false => "ACTIVE",
        };
        let name = identities.alias(id).unwrap_or(id);
        json!({
            "Id": id,
            "Arn": self.arn("account", Some(id)),
            "Email": format!("{name}@example.com"),
            "Name": name,
            // Newer clients read `State`, which replaces `Status`.
            "Status": status,
            "State": status,
            "JoinedMethod": "CREATED",
            "JoinedTimestamp": 1_700_000_000.0,
        })
    }

    fn arn(&self, kind: &str, id: Option<&str>) -> String {
        let management = &self.organization.management;
        let id = id.map(|id| format!("/{id}")).unwrap_or_default();
        format!("arn:aws:organizations::{management}:{kind}/{ORGANIZATION_ID}{id}")
    }
}

fn page<T>(
    name: &str,
    all: &[T],
    parameters: &Parameters,
    describe: impl Fn(&T) -> Value,
) -> Result<Value, ErrorResponse> {
    let start = match &parameters.next_token {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| invalid("the token is not one that this server issued"))?,
    };
    let size = parameters.max_results.unwrap_or(MAX_PAGE);
    if !(1..=MAX_PAGE).contains(&size) {
        return Err(invalid("MaxResults is between 1 and 20"));
    }
    // A token beyond the end is an empty page.
    let rest = all.get(start..).unwrap_or_default();
    let entries: Vec<_> = rest.iter().take(size).map(describe).collect();
    let next = (rest.len() > size).then(|| (start + size).to_string());
    Ok(match next {
        Some(next) => json!({ name: entries, "NextToken": next }),
        None => json!({ name: entries }),
    })
}

fn invalid(message: &str) -> ErrorResponse {
    error("InvalidInputException", message)
}

fn error(code: &str, message: &str) -> ErrorResponse {
    ErrorResponse::new(400, code, message)
}
