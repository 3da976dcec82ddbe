//! S3: the s3s-fs server on a temporary folder, behind access decisions of our own.
//!
//! s3s-fs has one namespace of buckets and no accounts. This front records who owns a bucket, applies
//! bucket policies, and leaves objects to s3s-fs.

mod chunked;
mod operation;
mod policy;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING};
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use parking_lot::RwLock;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;

use self::operation::{Operation, Target};
use self::policy::{Effect, Policy};
use crate::auth::Identity;
use crate::auth::authorize::{access_denied, authorize};
use crate::clock::iso8601;
use crate::error::{Error, ErrorKind};
use crate::request::Request;
use crate::response::{ErrorResponse, Response, escape};
use crate::service::Service;
use crate::temporary::TemporaryFolder;

/// Returns the name of a request's operation, such as `GetObject`.
pub(crate) fn operation_of(request: &Request) -> &'static str {
    Target::of(request).operation.name()
}

/// The buckets of all accounts. Dropping it deletes them.
pub(crate) struct S3 {
    folder: TemporaryFolder,
    service: S3Service,
    buckets: RwLock<BTreeMap<String, Bucket>>,
}

#[derive(Clone, Debug)]
struct Bucket {
    account: String,
    region: String,
    created: SystemTime,
    policy: Option<Policy>,
    /// The configuration of the default encryption. It changes no object.
    encryption: Bytes,
}

impl S3 {
    pub(crate) fn new() -> Result<Self, Error> {
        let failed = || Error::new(ErrorKind::File, "cannot create a temporary folder for S3");
        let folder = TemporaryFolder::new().map_err(|error| failed().because(error))?;
        let files = FileSystem::new(folder.path())
            .map_err(|error| failed().because(format!("{error:?}")))?;
        Ok(Self {
            folder,
            service: S3ServiceBuilder::new(files).build(),
            buckets: RwLock::default(),
        })
    }

    /// Performs an operation for `caller`, whose signature has been verified.
    pub(crate) async fn perform(
        &self,
        caller: &Identity,
        region: &str,
        now: SystemTime,
        request: &Request,
    ) -> Result<Response, ErrorResponse> {
        let target = Target::of(request);
        match target.operation {
            Operation::Unsupported => return Err(not_implemented()),
            Operation::ListBuckets => return self.list_buckets(caller),
            Operation::CreateBucket => self.check_new_bucket(caller, &target.bucket)?,
            operation => {
                let owner = request.header("x-amz-expected-bucket-owner");
                self.authorize(
                    caller,
                    operation.action(),
                    &target.bucket,
                    &target.key,
                    owner,
                )?;
                // A copy reads its source with the permissions of the caller.
                if let Some((bucket, key)) = target.copied_from(request) {
                    self.authorize(caller, Operation::GetObject.action(), &bucket, &key, None)?;
                }
                self.check_region(region, &target.bucket)?;
            }
        }
        match target.operation {
            Operation::PutBucketPolicy => self.put_policy(caller, &target.bucket, &request.body),
            Operation::GetBucketPolicy => self.policy_of(caller, &target.bucket),
            Operation::DeleteBucketPolicy => self.delete_policy(caller, &target.bucket),
            Operation::GetBucketEncryption => {
                let configuration = self.bucket(&target.bucket)?.encryption;
                Ok(Response::rest(200, HeaderMap::new(), configuration))
            }
            Operation::PutBucketEncryption => {
                if let Some(bucket) = self.buckets.write().get_mut(&target.bucket) {
                    bucket.encryption = request.body.clone();
                }
                Ok(Response::rest(200, HeaderMap::new(), Bytes::new()))
            }
            Operation::CreateBucket => {
                let response = self.forward(request).await?;
                let bucket = Bucket {
                    account: caller.account.clone(),
                    region: region.to_owned(),
                    created: now,
                    policy: None,
                    encryption: Bytes::from_static(SSE_S3),
                };
                // Only if s3s-fs has created the bucket, which also checks its name.
                if response.status < 300 {
                    self.buckets.write().insert(target.bucket, bucket);
                }
                Ok(response)
            }
            Operation::DeleteBucket => {
                // s3s-fs deletes a bucket with its objects, and S3 does not.
                if !self.keys(&target.bucket, "").is_empty() {
                    let message = "The bucket you tried to delete is not empty";
                    return Err(ErrorResponse::new(409, "BucketNotEmpty", message));
                }
                let response = self.forward(request).await?;
                self.buckets.write().remove(&target.bucket);
                Ok(response)
            }
            _ => self.forward(request).await,
        }
    }

    /// Decides whether `caller` may perform an action on a bucket or one of its objects.
    ///
    /// An account may use its own buckets, unless a policy denies it. Other accounts need a bucket
    /// policy that allows it. `owner` is the account that the caller expects to own the bucket.
    pub(crate) fn authorize(
        &self,
        caller: &Identity,
        action: &str,
        bucket: &str,
        key: &str,
        owner: Option<&str>,
    ) -> Result<(), ErrorResponse> {
        let resource = match key {
            "" => format!("arn:aws:s3:::{bucket}"),
            key => format!("arn:aws:s3:::{bucket}/{key}"),
        };
        // An identity-based deny applies whether or not the bucket exists.
        authorize(caller, action, &resource, Service::S3)?;
        let found = self.bucket(bucket)?;
        let decision = found
            .policy
            .as_ref()
            .and_then(|policy| policy.decide(caller, action, &resource));
        let denied = |reason| {
            Err(access_denied(
                caller,
                action,
                &resource,
                reason,
                Service::S3,
            ))
        };
        // Also if a policy allows the access: the caller expects another owner.
        if owner.is_some_and(|owner| owner != found.account) {
            return denied(" because the bucket belongs to another account than expected");
        }
        match decision {
            Some(Effect::Deny) => denied(" with an explicit deny in a resource-based policy"),
            Some(Effect::Allow) => Ok(()),
            None if found.account == caller.account => Ok(()),
            None => denied(&format!(
                " because no resource-based policy allows the {action} action"
            )),
        }
    }

    /// Writes an object, as another service of AWS does.
    pub(crate) fn write(&self, bucket: &str, key: &str, object: &[u8]) -> io::Result<()> {
        let path = self.path(bucket, key)?;
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, object)
    }

    /// Reads an object.
    pub(crate) fn read(&self, bucket: &str, key: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(bucket, key)?)
    }

    /// Returns the keys of a bucket that begin with `prefix`, sorted.
    pub(crate) fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let mut keys = Vec::new();
        if let Ok(root) = self.path(bucket, "") {
            collect_keys(&root, &mut String::new(), &mut keys);
        }
        keys.retain(|key| key.starts_with(prefix));
        // By bytes, as S3 lists keys.
        keys.sort_unstable();
        keys
    }

    fn path(&self, bucket: &str, key: &str) -> io::Result<PathBuf> {
        let relative = Path::new(bucket).join(key);
        // A key with `..` must not lead out of the folder.
        let is_plain = |part| matches!(part, Component::Normal(_));
        if !self.buckets.read().contains_key(bucket) || !relative.components().all(is_plain) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(self.folder.path().join(relative))
    }

    fn bucket(&self, name: &str) -> Result<Bucket, ErrorResponse> {
        // Cloned, so that no lock is held while a request is served.
        let found = self.buckets.read().get(name).cloned();
        found.ok_or_else(|| {
            ErrorResponse::new(404, "NoSuchBucket", "The specified bucket does not exist")
        })
    }

    fn check_new_bucket(&self, caller: &Identity, name: &str) -> Result<(), ErrorResponse> {
        let action = Operation::CreateBucket.action();
        authorize(caller, action, &format!("arn:aws:s3:::{name}"), Service::S3)?;
        let (code, message) = match self.bucket(name) {
            Err(_) => return Ok(()),
            Ok(bucket) if bucket.account == caller.account => (
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
            ),
            Ok(_) => (
                "BucketAlreadyExists",
                "The requested bucket name is not available. The bucket namespace is shared by all \
                 users of the system.",
            ),
        };
        Err(ErrorResponse::new(409, code, message))
    }

    /// Rejects a request that was signed for another region than the bucket's.
    fn check_region(&self, region: &str, bucket: &str) -> Result<(), ErrorResponse> {
        let expected = self.bucket(bucket)?.region;
        if expected == region {
            return Ok(());
        }
        let message = format!(
            "The authorization header is malformed; the region '{region}' is wrong; expecting \
             '{expected}'"
        );
        Err(ErrorResponse::new(
            400,
            "AuthorizationHeaderMalformed",
            message,
        ))
    }

    fn list_buckets(&self, caller: &Identity) -> Result<Response, ErrorResponse> {
        authorize(caller, Operation::ListBuckets.action(), "*", Service::S3)?;
        let buckets = self.buckets.read();
        let own = buckets
            .iter()
            .filter(|(_, bucket)| bucket.account == caller.account);
        let own: String = own
            .map(|(name, bucket)| {
                format!(
                    "<Bucket><Name>{}</Name><CreationDate>{}</CreationDate></Bucket>",
                    escape(name),
                    iso8601(bucket.created)
                )
            })
            .collect();
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListAllMyBucketsResult \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>{}</ID></Owner><Buckets>\
             {own}</Buckets></ListAllMyBucketsResult>",
            caller.account
        );
        Ok(Response::rest(200, HeaderMap::new(), body))
    }

    fn put_policy(
        &self,
        caller: &Identity,
        name: &str,
        document: &[u8],
    ) -> Result<Response, ErrorResponse> {
        self.check_owner(caller, name)?;
        let policy = Policy::parse(document)
            .map_err(|problem| ErrorResponse::new(400, "MalformedPolicy", problem))?;
        if let Some(bucket) = self.buckets.write().get_mut(name) {
            bucket.policy = Some(policy);
        }
        Ok(Response::rest(204, HeaderMap::new(), Bytes::new()))
    }

    fn policy_of(&self, caller: &Identity, name: &str) -> Result<Response, ErrorResponse> {
        self.check_owner(caller, name)?;
        match self.bucket(name)?.policy {
            Some(policy) => Ok(Response::rest(200, HeaderMap::new(), policy.document)),
            None => Err(ErrorResponse::new(
                404,
                "NoSuchBucketPolicy",
                "The bucket policy does not exist",
            )),
        }
    }

    fn delete_policy(&self, caller: &Identity, name: &str) -> Result<Response, ErrorResponse> {
        self.check_owner(caller, name)?;
        if let Some(bucket) = self.buckets.write().get_mut(name) {
            bucket.policy = None;
        }
        Ok(Response::rest(204, HeaderMap::new(), Bytes::new()))
    }

    /// Rejects other accounts, whatever the policy says: only the owner manages a bucket's policy.
    fn check_owner(&self, caller: &Identity, name: &str) -> Result<(), ErrorResponse> {
        if self.bucket(name)?.account == caller.account {
            return Ok(());
        }
        let message = "The specified method is not allowed against this resource.";
        Err(ErrorResponse::new(405, "MethodNotAllowed", message))
    }

    /// Sends a request to s3s-fs.
    async fn forward(&self, request: &Request) -> Result<Response, ErrorResponse> {
        let (headers, body) = chunked::plain(request)?;
        let mut forwarded = http::Request::new(s3s::Body::from(body));
        *forwarded.method_mut() = request.method.clone();
        *forwarded.uri_mut() = request.uri.clone();
        *forwarded.headers_mut() = headers;
        let internal = || ErrorResponse::internal(Service::S3);
        let response = self.service.call(forwarded).await.map_err(|_| internal())?;
        let (mut parts, body) = response.into_parts();
        // The body is sent as a whole, and the server sets its length. A response to HEAD has none,
        // and the length of the object.
        for header in [CONNECTION, TRAILER, TRANSFER_ENCODING] {
            parts.headers.remove(header);
        }
        if request.method != Method::HEAD {
            parts.headers.remove(CONTENT_LENGTH);
        }
        let body = body.collect().await.map_err(|_| internal())?.to_bytes();
        let mut response = Response::rest(parts.status.as_u16(), parts.headers, body);
        if response.status >= 400 {
            response.error = Some(error_in(&response));
        }
        Ok(response)
    }
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3")
            .field("folder", &self.folder.path())
            .finish_non_exhaustive()
    }
}

/// Reads code and message from an error response of s3s-fs, for the call log.
fn error_in(response: &Response) -> ErrorResponse {
    let body = String::from_utf8_lossy(&response.body);
    let text = |element: &str| {
        let (_, rest) = body.split_once(&format!("<{element}>"))?;
        Some(rest.split_once("</")?.0.to_owned())
    };
    let code = text("Code").unwrap_or_else(|| response.status.to_string());
    ErrorResponse::new(response.status, code, text("Message").unwrap_or_default())
}

fn collect_keys(folder: &Path, prefix: &mut String, keys: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let length = prefix.len();
        prefix.push_str(&entry.file_name().to_string_lossy());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            prefix.push('/');
            collect_keys(&entry.path(), prefix, keys);
        } else {
            keys.push(prefix.clone());
        }
        prefix.truncate(length);
    }
}

/// The default encryption of every new bucket.
const SSE_S3: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>\
    <ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>\
    </ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";

fn not_implemented() -> ErrorResponse {
    let message = "bsm-local-aws does not support this operation of S3";
    ErrorResponse::new(501, "NotImplemented", message)
}
