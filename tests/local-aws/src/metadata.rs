//! The metadata services of a machine: that of an EC2 instance (IMDSv2), and that of a container.

use std::time::Duration;

use serde_json::json;

use crate::auth::IdentityStore;
use crate::clock::{Clock, iso8601};
use crate::ids;
use crate::request::Request;
use crate::response::{ErrorResponse, Response};
use crate::secret::Secret;

/// How long the credentials of a machine are valid: those of EC2 are for about six hours.
const LIFETIME: Duration = Duration::from_secs(6 * 3_600);

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// The roles of the machine on which programs run.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    pub(crate) instance_role: Option<String>,
    pub(crate) container: Option<ContainerRole>,
    pub(crate) region: Option<String>,
    /// The token that this server issued to clients of the instance's service.
    token: std::sync::OnceLock<String>,
}

/// The role of a container.
#[derive(Clone, Debug)]
pub(crate) struct ContainerRole {
    pub(crate) role_arn: String,
    /// What the `Authorization` header has to be.
    pub(crate) token: Option<Secret>,
}

impl Machine {
    pub(crate) fn new(
        instance_role: Option<String>,
        container: Option<ContainerRole>,
        region: Option<String>,
    ) -> Self {
        Self {
            instance_role,
            container,
            region,
            ..Self::default()
        }
    }

    /// Performs a request to the instance's service.
    pub(crate) fn instance(
        &self,
        operation: &str,
        request: &Request,
        identities: &IdentityStore,
        clock: &Clock,
    ) -> Result<Response, ErrorResponse> {
        // One token for all clients. Its time to live is not enforced.
        let token = self.token.get_or_init(|| ids::token(56));
        if operation == "GetToken" {
            return match request.header("x-aws-ec2-metadata-token-ttl-seconds") {
                Some(seconds) => {
                    let name = "x-aws-ec2-metadata-token-ttl-seconds";
                    Ok(Response::text(token.clone()).with_header(name, seconds))
                }
                None => Err(ErrorResponse::new(400, "BadRequest", "no time to live")),
            };
        }
        if request.header("x-aws-ec2-metadata-token") != Some(token) {
            return Err(ErrorResponse::new(401, "Unauthorized", "no or wrong token"));
        }
        let path = request.uri.path();
        // The endpoint that a client was given may have a path, which comes first.
        let path = path.find("/latest/").map_or(path, |at| &path[at..]);
        let not_found = || ErrorResponse::new(404, "NotFound", "no such path");
        if path == "/latest/meta-data/placement/region" {
            let region = self.region.as_ref().ok_or_else(not_found)?;
            return Ok(Response::text(region.clone()));
        }
        let asked = path.strip_prefix(ROLES).ok_or_else(not_found)?;
        let arn = self.instance_role.as_deref().ok_or_else(not_found)?;
        // The name is behind the last slash of the ARN, whatever the path of the role is.
        let name = arn.rsplit('/').next().unwrap_or_default();
        match asked {
            "" => Ok(Response::text(name.to_owned())),
            asked if asked == name => credentials(arn, identities, clock),
            _ => Err(not_found()),
        }
    }

    /// Performs a request to the container's service.
    pub(crate) fn container(
        &self,
        request: &Request,
        identities: &IdentityStore,
        clock: &Clock,
    ) -> Result<Response, ErrorResponse> {
        let Some(container) = &self.container else {
            return Err(ErrorResponse::new(404, "NotFound", "no role"));
        };
        let expected = container.token.as_ref().map(Secret::expose);
        if expected.is_some() && request.header("authorization") != expected {
            return Err(ErrorResponse::new(401, "AccessDenied", "no or wrong token"));
        }
        credentials(&container.role_arn, identities, clock)
    }
}

fn credentials(
    role_arn: &str,
    identities: &IdentityStore,
    clock: &Clock,
) -> Result<Response, ErrorResponse> {
    let Some(role) = identities.role(role_arn) else {
        return Err(ErrorResponse::new(404, "NotFound", "no such role"));
    };
    let now = clock.now();
    let key = identities.issue_role(role, "i-0123456789abcdef0", now, LIFETIME);
    Ok(Response::rest_json(json!({
        "Code": "Success",
        "LastUpdated": iso8601(now),
        "Type": "AWS-HMAC",
        "AccessKeyId": key.identity.access_key_id,
        "SecretAccessKey": key.secret.expose(),
        "Token": key.token(),
        "Expiration": iso8601(now + LIFETIME),
    })))
}
