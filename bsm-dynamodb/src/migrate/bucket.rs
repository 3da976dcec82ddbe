//! The bucket of a migration, as the target reads it.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use bytes::Bytes;

use super::options::MigrateRequest;
use crate::copy::{TableClient, is_transient, retry_transient};
use crate::error::{Error, ErrorKind};

/// The attempts at a request without progress, about a minute.
pub(super) const MAX_ATTEMPTS: u32 = 20;

#[derive(Clone)]
pub(super) struct Bucket {
    client: Client,
    name: String,
    owner: String,
    /// The table that errors name.
    target: TableClient,
}

/// How a bucket encrypts objects for which no key is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BucketEncryption {
    /// With keys of S3, which need no permission.
    S3,
    /// With a KMS key, given by its ARN or id.
    Key(String),
    /// With the key `aws/s3` of the bucket's account.
    ManagedKey,
    /// It could not be read.
    Unknown,
}

/// Returns how a bucket encrypts objects by default, as far as one of the two identities may know it.
///
/// `accounts` are those of the source and of the target.
pub(super) async fn encryption(
    request: &MigrateRequest,
    owner: &str,
    accounts: &(String, String),
    target: &TableClient,
) -> BucketEncryption {
    // The identity of the owner, which needs no bucket policy.
    let manager = match accounts.1 == owner && accounts.0 != owner {
        true => &request.target,
        false => &request.source,
    };
    let region = request.options.bucket_region.clone();
    let region = region.unwrap_or_else(|| target.region());
    let Ok(client) = manager.with_region(region).client(Client::new).await else {
        return BucketEncryption::Unknown;
    };
    let asked = client.get_bucket_encryption();
    let asked = asked.bucket(&request.options.bucket);
    // A plan does not fail for want of this permission: it says that the encryption is not known.
    let Ok(answer) = asked.expected_bucket_owner(owner).send().await else {
        return BucketEncryption::Unknown;
    };
    let rules = answer.server_side_encryption_configuration;
    let rules = rules.iter().flat_map(|it| it.rules());
    let default = rules.filter_map(|rule| rule.apply_server_side_encryption_by_default());
    match default.into_iter().next() {
        Some(default) if default.sse_algorithm() != &ServerSideEncryption::Aes256 => {
            match default.kms_master_key_id() {
                Some(key) => BucketEncryption::Key(key.to_owned()),
                None => BucketEncryption::ManagedKey,
            }
        }
        _ => BucketEncryption::S3,
    }
}

impl Bucket {
    pub(super) async fn open(
        request: &MigrateRequest,
        owner: &str,
        target: &TableClient,
    ) -> Result<Self, Error> {
        let manager = match &request.options.bucket_region {
            Some(region) => request.target.with_region(region),
            None => request.target.clone(),
        };
        let client = manager.client(Client::new).await;
        Ok(Self {
            client: client.map_err(|error| target.session_failed("GetObject", error))?,
            name: request.options.bucket.clone(),
            owner: owner.to_owned(),
            target: target.clone(),
        })
    }

    /// Checks that the bucket exists, belongs to the expected account, and can be listed.
    pub(super) async fn check(&self) -> Result<(), Error> {
        let listed = self.target.set_up(|| async {
            // HeadBucket says less: its errors have no code.
            let request = self.client.list_objects_v2().bucket(&self.name);
            // With an expected owner, S3 refuses a bucket of the same name in another account.
            let request = request.expected_bucket_owner(&self.owner).max_keys(1);
            let listed = request.send().await;
            listed.map_err(|error| self.target.failed("ListObjectsV2", error))
        });
        match listed.await {
            Err(error) if error.aws_code() == Some("NoSuchBucket") => {
                let message = format!("the bucket {} does not exist: create it", self.name);
                let missing = self.target.error(ErrorKind::InvalidRequest, message);
                Err(missing.with_source(error))
            }
            Err(error) if error.is_access_denied() => {
                let message = format!(
                    "the target's identity may not list the bucket {} of the account {}: check its \
                     IAM policy, the bucket policy and bucket_owner()",
                    self.name, self.owner
                );
                let denied = self.target.error(ErrorKind::AccessDenied, message);
                Err(denied.with_source(error))
            }
            listed => listed.map(drop),
        }
    }

    /// Begins to read an object. The caller retries, since the object can also break while it is read.
    pub(super) async fn open_object(&self, key: &str) -> Result<ByteStream, Error> {
        let request = self.client.get_object().bucket(&self.name).key(key);
        let request = request.expected_bucket_owner(&self.owner);
        let object = request.send().await;
        match object.map_err(|error| self.target.failed("GetObject", error)) {
            Err(error) if error.aws_code() == Some("NoSuchKey") => {
                let message = format!(
                    "the exported file {key} has been deleted: abort the migration, and start again"
                );
                let lost = self.target.error(ErrorKind::TransferFailed, message);
                Err(lost.with_source(error))
            }
            object => Ok(object?.body),
        }
    }

    /// Reads a small object as a whole.
    pub(super) async fn read(&self, key: &str, limit: usize) -> Result<Vec<u8>, Error> {
        retry_transient(MAX_ATTEMPTS, || {}, || self.read_once(key, limit)).await
    }

    async fn read_once(&self, key: &str, limit: usize) -> Result<Vec<u8>, Error> {
        let mut body = self.open_object(key).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next_chunk(&mut body, key).await? {
            bytes.extend_from_slice(&chunk);
            // Counted while it arrives, whatever length the response has announced.
            if bytes.len() > limit {
                let message =
                    format!("the object {key} is larger than {limit} bytes: it is not a manifest");
                return Err(self.target.error(ErrorKind::TransferFailed, message));
            }
        }
        Ok(bytes)
    }

    /// Reads the next chunk of an object; returns `None` at its end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unreachable`] if the connection breaks, which is [transient](is_transient).
    pub(super) async fn next_chunk(
        &self,
        body: &mut ByteStream,
        key: &str,
    ) -> Result<Option<Bytes>, Error> {
        body.try_next().await.map_err(|_| {
            let message =
                format!("the object {key} could not be read to its end: check the network");
            let error = self.target.error(ErrorKind::Unreachable, message);
            // The loader continues a file only after transient errors.
            debug_assert!(is_transient(&error));
            error
        })
    }
}
