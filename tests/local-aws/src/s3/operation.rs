//! The operation, bucket and key of a request: S3 tells operations apart by method, path and query.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::request::Request;

/// The query parameters that don't select another operation. A request with any other parameter is
/// for a subresource, such as `?acl`, that is not emulated.
const PARAMETERS: &[&str] = &[
    "continuation-token",
    "delete",
    "delimiter",
    "encoding-type",
    "encryption",
    "fetch-owner",
    "list-type",
    "location",
    "marker",
    "max-keys",
    "max-parts",
    "part-number-marker",
    "partNumber",
    "policy",
    "prefix",
    "start-after",
    "uploadId",
    "uploads",
    "x-id",
];

/// Defines the operations with the IAM action that each requires.
macro_rules! operations {
    ($($name:ident => $action:literal,)*) => {
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(super) enum Operation { $($name,)* Unsupported }

        impl Operation {
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    Self::Unsupported => "Unsupported",
                }
            }

            pub(super) fn action(self) -> &'static str {
                match self {
                    $(Self::$name => $action,)*
                    Self::Unsupported => "s3:*",
                }
            }
        }
    };
}

// Source: "Required permissions for Amazon S3 API operations" in the S3 User Guide.
operations! {
    AbortMultipartUpload => "s3:AbortMultipartUpload",
    CompleteMultipartUpload => "s3:PutObject",
    CopyObject => "s3:PutObject",
    CreateBucket => "s3:CreateBucket",
    CreateMultipartUpload => "s3:PutObject",
    DeleteBucket => "s3:DeleteBucket",
    DeleteBucketPolicy => "s3:DeleteBucketPolicy",
    DeleteObject => "s3:DeleteObject",
    DeleteObjects => "s3:DeleteObject",
    GetBucketEncryption => "s3:GetEncryptionConfiguration",
    GetBucketLocation => "s3:GetBucketLocation",
    GetBucketPolicy => "s3:GetBucketPolicy",
    GetObject => "s3:GetObject",
    HeadBucket => "s3:ListBucket",
    HeadObject => "s3:GetObject",
    ListBuckets => "s3:ListAllMyBuckets",
    ListObjects => "s3:ListBucket",
    ListObjectsV2 => "s3:ListBucket",
    ListParts => "s3:ListMultipartUploadParts",
    PutBucketEncryption => "s3:PutEncryptionConfiguration",
    PutBucketPolicy => "s3:PutBucketPolicy",
    PutObject => "s3:PutObject",
    UploadPart => "s3:PutObject",
    UploadPartCopy => "s3:PutObject",
}

/// What a request is for. `bucket` and `key` are decoded, and empty where the request names none.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) operation: Operation,
    pub(super) bucket: String,
    pub(super) key: String,
}

impl Target {
    pub(super) fn of(request: &Request) -> Self {
        let (bucket, key) = bucket_and_key(request.uri.path());
        let operation = operation(request, !bucket.is_empty(), !key.is_empty());
        Self {
            operation,
            bucket,
            key,
        }
    }

    /// Returns bucket and key of the object that a request copies.
    pub(super) fn copied_from(&self, request: &Request) -> Option<(String, String)> {
        let is_copy = matches!(
            self.operation,
            Operation::CopyObject | Operation::UploadPartCopy
        );
        let source = request.header("x-amz-copy-source").filter(|_| is_copy)?;
        // The header may end with the version of the object.
        Some(bucket_and_key(source.split('?').next()?))
    }
}

fn bucket_and_key(path: &str) -> (String, String) {
    // The header `x-amz-copy-source` may also begin without a slash.
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (decoded(bucket), decoded(key))
}

fn operation(request: &Request, has_bucket: bool, has_key: bool) -> Operation {
    let query = request.uri.query().unwrap_or_default();
    let names: Vec<Cow<'_, str>> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, _)| name)
        .collect();
    let has = |name: &str| names.iter().any(|other| other == name);
    if !names.iter().all(|name| PARAMETERS.contains(&&**name)) {
        return Operation::Unsupported;
    }
    let is_copy = request.header("x-amz-copy-source").is_some();
    // Arms with a query parameter come before the plain operation of the same method.
    match (&request.method, has_bucket, has_key) {
        (&Method::GET, false, _) => Operation::ListBuckets,
        (&Method::GET, true, false) if has("policy") => Operation::GetBucketPolicy,
        (&Method::GET, true, false) if has("encryption") => Operation::GetBucketEncryption,
        (&Method::GET, true, false) if has("location") => Operation::GetBucketLocation,
        (&Method::GET, true, false) if has("uploads") => Operation::Unsupported,
        (&Method::GET, true, false) if has("list-type") => Operation::ListObjectsV2,
        (&Method::GET, true, false) => Operation::ListObjects,
        (&Method::PUT, true, false) if has("encryption") => Operation::PutBucketEncryption,
        (&Method::PUT, true, false) if has("policy") => Operation::PutBucketPolicy,
        (&Method::PUT, true, false) => Operation::CreateBucket,
        (_, _, _) if has("encryption") => Operation::Unsupported,
        (&Method::DELETE, true, false) if has("policy") => Operation::DeleteBucketPolicy,
        (&Method::DELETE, true, false) => Operation::DeleteBucket,
        (&Method::HEAD, true, false) => Operation::HeadBucket,
        (&Method::POST, true, false) if has("delete") => Operation::DeleteObjects,
        (&Method::GET, true, true) if has("uploadId") => Operation::ListParts,
        (&Method::GET, true, true) => Operation::GetObject,
        (&Method::HEAD, true, true) => Operation::HeadObject,
        (&Method::PUT, true, true) if has("uploadId") && is_copy => Operation::UploadPartCopy,
        (&Method::PUT, true, true) if has("uploadId") => Operation::UploadPart,
        (&Method::PUT, true, true) if is_copy => Operation::CopyObject,
        (&Method::PUT, true, true) => Operation::PutObject,
        (&Method::DELETE, true, true) if has("uploadId") => Operation::AbortMultipartUpload,
        (&Method::DELETE, true, true) => Operation::DeleteObject,
        (&Method::POST, true, true) if has("uploads") => Operation::CreateMultipartUpload,
        (&Method::POST, true, true) if has("uploadId") => Operation::CompleteMultipartUpload,
        _ => Operation::Unsupported,
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Uri};

    use super::*;

    fn target(method: Method, uri: &'static str) -> Target {
        Target::of(&Request {
            method,
            uri: Uri::from_static(uri),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        })
    }

    #[test]
    fn operations_are_told_apart_by_method_path_and_query() {
        let cases = [
            (Method::GET, "/", "ListBuckets", "", ""),
            (Method::PUT, "/b", "CreateBucket", "b", ""),
            (Method::PUT, "/b/", "CreateBucket", "b", ""),
            (
                Method::GET,
                "/b?list-type=2&prefix=x",
                "ListObjectsV2",
                "b",
                "",
            ),
            (Method::PUT, "/b?policy", "PutBucketPolicy", "b", ""),
            (Method::GET, "/b?encryption", "GetBucketEncryption", "b", ""),
            (Method::DELETE, "/b?encryption", "Unsupported", "b", ""),
            (Method::POST, "/b?delete", "DeleteObjects", "b", ""),
            (
                Method::GET,
                "/b/a/c%20d+e%2Ff&g?x-id=GetObject",
                "GetObject",
                "b",
                "a/c d+e/f&g",
            ),
            (
                Method::PUT,
                "/b/k?partNumber=1&uploadId=2",
                "UploadPart",
                "b",
                "k",
            ),
            (Method::GET, "/b/k?acl", "Unsupported", "b", "k"),
            (Method::GET, "/b?versioning", "Unsupported", "b", ""),
        ];
        for (method, uri, operation, bucket, key) in cases {
            let target = target(method, uri);
            assert_eq!(target.operation.name(), operation, "{uri}");
            assert_eq!((&*target.bucket, &*target.key), (bucket, key), "{uri}");
        }
    }
}
