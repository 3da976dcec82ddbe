//! S3: objects, and who may use a bucket.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bsm_local_aws::{Fault, LocalAws, standard};

use crate::support::*;

const BUCKET: &str = "exports";

async fn start() -> (LocalAws, aws_sdk_s3::Client) {
    let aws = LocalAws::start().await.unwrap();
    let client = s3(&aws, dev());
    client.create_bucket().bucket(BUCKET).send().await.unwrap();
    (aws, client)
}

async fn put(client: &aws_sdk_s3::Client, key: &str, object: &'static [u8]) {
    let request = client.put_object().bucket(BUCKET).key(key);
    request
        .body(ByteStream::from_static(object))
        .send()
        .await
        .unwrap();
}

fn policy(effect: &str, principal: &str, action: &str) -> String {
    format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "{effect}", "Principal": {{"AWS": "{principal}"}},
        "Action": ["{action}"], "Resource": ["arn:aws:s3:::{BUCKET}", "arn:aws:s3:::{BUCKET}/*"]}}]}}"#
    )
}

#[tokio::test]
async fn objects_are_written_read_listed_and_deleted() {
    let (aws, client) = start().await;
    let keys = ["a/b.json", "a/c d+e&f=ü?.json", "z"];
    for key in keys {
        put(&client, key, b"text").await;
    }
    for key in keys {
        let object = client
            .get_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .unwrap();
        assert_eq!(
            object.body.collect().await.unwrap().to_vec(),
            b"text",
            "{key}"
        );
        let head = client
            .head_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .unwrap();
        assert_eq!(head.content_length, Some(4), "{key}");
    }
    let listed = client
        .list_objects_v2()
        .bucket(BUCKET)
        .prefix("a/")
        .send()
        .await
        .unwrap();
    assert_eq!(listed.contents().len(), 2);
    assert_eq!(aws.object_keys(BUCKET, "a/"), &keys[..2]);
    assert_eq!(aws.object(BUCKET, "z").unwrap(), b"text");

    client
        .delete_object()
        .bucket(BUCKET)
        .key("z")
        .send()
        .await
        .unwrap();
    let gone = error_response(client.get_object().bucket(BUCKET).key("z").send().await);
    assert_eq!((gone.status, &*gone.code), (404, "NoSuchKey"));
    let calls = aws.calls();
    assert_eq!(
        calls.last().unwrap().error_code.as_deref(),
        Some("NoSuchKey")
    );
    assert_eq!(aws.call_count("s3", "GetObject"), 4);
}

#[tokio::test]
async fn checksums_behind_the_body_are_verified() {
    let (aws, client) = start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("object");
    std::fs::write(&file, vec![7; 200_000]).unwrap();
    // A body from a file is sent with its checksum in a trailer.
    let request = client.put_object().bucket(BUCKET).key("k");
    let request = request.checksum_algorithm(ChecksumAlgorithm::Sha256);
    let body = ByteStream::from_path(&file).await.unwrap();
    request.body(body).send().await.unwrap();
    assert_eq!(aws.object(BUCKET, "k").unwrap(), vec![7; 200_000]);
}

#[tokio::test]
async fn an_object_is_uploaded_in_parts() {
    let (aws, client) = start().await;
    let upload = client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    let id = upload.upload_id.unwrap();
    let part = client
        .upload_part()
        .bucket(BUCKET)
        .key("k")
        .upload_id(&id)
        .part_number(1);
    let part = part
        .body(ByteStream::from_static(b"part"))
        .send()
        .await
        .unwrap();
    let done = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag)
        .build();
    let done = CompletedMultipartUpload::builder().parts(done).build();
    let request = client
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("k")
        .upload_id(id);
    request.multipart_upload(done).send().await.unwrap();
    assert_eq!(aws.object(BUCKET, "k").unwrap(), b"part");
}

#[tokio::test]
async fn another_account_needs_a_bucket_policy() {
    let (aws, owner) = start().await;
    put(&owner, "k", b"text").await;
    let staging = assume(&aws, dev(), standard::STAGING_ROLE_ARN).await;
    let other = s3(&aws, staging);
    let read = || other.get_object().bucket(BUCKET).key("k").send();
    let denied = error_response(read().await);
    assert_eq!((denied.status, &*denied.code), (403, "AccessDenied"));
    assert!(
        denied
            .message
            .contains("no resource-based policy allows the s3:GetObject")
    );

    let set = |policy: String| {
        owner
            .put_bucket_policy()
            .bucket(BUCKET)
            .policy(policy)
            .send()
    };
    for (policy, allowed) in [
        (policy("Allow", standard::STAGING_ACCOUNT, "s3:Get*"), true),
        (
            policy("Allow", standard::STAGING_ROLE_ARN, "s3:GetObject"),
            true,
        ),
        (policy("Allow", standard::PRODUCTION_ACCOUNT, "s3:*"), false),
        (
            policy("Allow", standard::STAGING_ACCOUNT, "s3:PutObject"),
            false,
        ),
        (policy("Deny", standard::STAGING_ACCOUNT, "s3:*"), false),
    ] {
        set(policy.clone()).await.unwrap();
        assert_eq!(read().await.is_ok(), allowed, "{policy}");
    }
    // A deny applies to the owner as well, and only the owner manages the policy.
    set(policy("Deny", "*", "s3:GetObject")).await.unwrap();
    assert_eq!(
        error_response(owner.get_object().bucket(BUCKET).key("k").send().await).status,
        403
    );
    assert!(
        other
            .delete_bucket_policy()
            .bucket(BUCKET)
            .send()
            .await
            .is_err()
    );
    owner
        .delete_bucket_policy()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    let missing = error_response(owner.get_bucket_policy().bucket(BUCKET).send().await);
    assert_eq!(missing.code, "NoSuchBucketPolicy");
}

#[tokio::test]
async fn a_policy_that_cannot_be_evaluated_is_rejected() {
    let (_aws, client) = start().await;
    let condition =
        policy("Allow", "*", "s3:*").replace("\"Effect\"", r#""Condition": {}, "Effect""#);
    for document in [condition, "{".to_owned()] {
        let set = client.put_bucket_policy().bucket(BUCKET).policy(document);
        assert_eq!(error_response(set.send().await).code, "MalformedPolicy");
    }
}

#[tokio::test]
async fn a_bucket_has_a_default_encryption() {
    use aws_sdk_s3::types::{
        ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
        ServerSideEncryptionRule,
    };
    let (_aws, client) = start().await;
    let default = async || {
        let found = client.get_bucket_encryption().bucket(BUCKET).send().await;
        let found = found.unwrap().server_side_encryption_configuration.unwrap();
        let rule = &found.rules()[0];
        rule.apply_server_side_encryption_by_default()
            .unwrap()
            .clone()
    };
    assert_eq!(
        default().await.sse_algorithm(),
        &ServerSideEncryption::Aes256
    );
    let wanted = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id("alias/files")
        .build()
        .unwrap();
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(wanted.clone())
        .build();
    let rules = ServerSideEncryptionConfiguration::builder().rules(rule);
    let request = client.put_bucket_encryption().bucket(BUCKET);
    let request = request.server_side_encryption_configuration(rules.build().unwrap());
    request.send().await.unwrap();
    assert_eq!(default().await, wanted);
}

#[tokio::test]
async fn the_expected_owner_of_a_bucket_is_checked() {
    let (_aws, client) = start().await;
    let head = |owner| {
        client
            .head_bucket()
            .bucket(BUCKET)
            .expected_bucket_owner(owner)
            .send()
    };
    assert!(head(standard::DEFAULT_ACCOUNT).await.is_ok());
    assert!(head(standard::STAGING_ACCOUNT).await.is_err());
}

#[tokio::test]
async fn bucket_names_are_shared_by_all_accounts() {
    let (aws, owner) = start().await;
    let other = s3(&aws, assume(&aws, dev(), standard::STAGING_ROLE_ARN).await);
    let code = |client: aws_sdk_s3::Client| async move {
        error_response(client.create_bucket().bucket(BUCKET).send().await).code
    };
    assert_eq!(code(owner.clone()).await, "BucketAlreadyOwnedByYou");
    assert_eq!(code(other.clone()).await, "BucketAlreadyExists");
    other.create_bucket().bucket("others").send().await.unwrap();
    let listed = other.list_buckets().send().await.unwrap();
    let names: Vec<_> = listed
        .buckets()
        .iter()
        .map(|bucket| bucket.name().unwrap())
        .collect();
    assert_eq!(names, ["others"]);

    put(&owner, "a/k", b"").await;
    let deleted = || owner.delete_bucket().bucket(BUCKET).send();
    assert_eq!(error_response(deleted().await).code, "BucketNotEmpty");
    owner
        .delete_object()
        .bucket(BUCKET)
        .key("a/k")
        .send()
        .await
        .unwrap();
    deleted().await.unwrap();
    let gone = error_response(owner.list_objects_v2().bucket(BUCKET).send().await);
    assert_eq!((gone.status, &*gone.code), (404, "NoSuchBucket"));
}

#[tokio::test]
async fn requests_of_s3_are_authenticated() {
    let (aws, _) = start().await;
    let wrong = s3(&aws, keys(standard::ACCESS_KEY_ID, "wrong"));
    let answer = error_response(wrong.list_objects_v2().bucket(BUCKET).send().await);
    assert_eq!(
        (answer.status, &*answer.code),
        (403, "SignatureDoesNotMatch")
    );
    let unknown = s3(&aws, keys("AKIAUNKNOWN000000001", "x"));
    let answer = error_response(unknown.list_objects_v2().bucket(BUCKET).send().await);
    assert_eq!(answer.code, "InvalidAccessKeyId");
    let session = s3(&aws, assume(&aws, dev(), standard::STAGING_ROLE_ARN).await);
    aws.clock().advance(std::time::Duration::from_secs(7200));
    let answer = error_response(session.list_objects_v2().bucket(BUCKET).send().await);
    assert_eq!((answer.status, &*answer.code), (400, "ExpiredToken"));
}

#[tokio::test]
async fn s3_fails_as_its_faults_say() {
    let (aws, client) = start().await;
    put(&client, "k", b"text").await;
    let get = || client.get_object().bucket(BUCKET).key("k").send();
    for (fault, status, code) in [
        (Fault::throttling(), 503, "SlowDown"),
        (Fault::internal_error(), 500, "InternalError"),
        (Fault::unavailable(), 503, "ServiceUnavailable"),
        (Fault::expired_token(), 400, "ExpiredToken"),
    ] {
        aws.faults()
            .add(fault.service("s3").operation("GetObject").times(1));
        let answer = error_response(get().await);
        assert_eq!((answer.status, &*answer.code), (status, code));
    }
    aws.faults()
        .add(Fault::truncated_body().operation("GetObject").times(1));
    assert!(get().await.unwrap().body.collect().await.is_err());
    get().await.unwrap();
}

#[tokio::test]
async fn operations_that_are_not_emulated_are_rejected() {
    let (_aws, client) = start().await;
    let answer = error_response(client.get_bucket_acl().bucket(BUCKET).send().await);
    assert_eq!((answer.status, &*answer.code), (501, "NotImplemented"));
}
