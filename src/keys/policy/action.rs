//! The actions that a policy may name.

use Level::{Bucket, Object};

use crate::text::similar;

/// What an action works on, which decides the resource that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `arn:aws:s3:::BUCKET/KEY`
    Object,
    /// `arn:aws:s3:::BUCKET`
    Bucket,
}

/// A documented action.
#[derive(Debug, Clone, Copy)]
pub struct Action {
    /// The name, such as `s3:GetObject`.
    pub name: &'static str,
    /// What it works on.
    pub level: Level,
    /// What it does, as in "allows reading objects".
    pub meaning: &'static str,
}

const fn action(name: &'static str, level: Level, meaning: &'static str) -> Action {
    Action { name, level, meaning }
}

/// The documented actions.
///
/// Source: yandex-cloud/docs, `en/storage/s3/api-ref/policy/actions.md`.
pub const ACTIONS: [Action; 28] = [
    action("s3:GetObject", Object, "reading objects"),
    action("s3:GetObjectVersion", Object, "reading versions of objects"),
    action("s3:PutObject", Object, "writing objects"),
    action("s3:DeleteObject", Object, "deleting objects"),
    action("s3:DeleteObjectVersion", Object, "deleting versions of objects"),
    action("s3:GetObjectAcl", Object, "reading the ACLs of objects"),
    action("s3:GetObjectVersionAcl", Object, "reading the ACLs of versions of objects"),
    action("s3:PutObjectAcl", Object, "changing the ACLs of objects"),
    action("s3:PutObjectVersionAcl", Object, "changing the ACLs of versions of objects"),
    action("s3:AbortMultipartUpload", Object, "aborting multipart uploads"),
    action("s3:ListMultipartUploadParts", Object, "listing the parts of multipart uploads"),
    action("s3:ListBucket", Bucket, "listing objects"),
    action("s3:ListBucketVersions", Bucket, "listing versions of objects"),
    action("s3:ListBucketMultipartUploads", Bucket, "listing multipart uploads"),
    action("s3:GetBucketLocation", Bucket, "reading the location of the bucket"),
    action("s3:GetBucketAcl", Bucket, "reading the ACL of the bucket"),
    action("s3:PutBucketAcl", Bucket, "changing the ACL of the bucket"),
    action("s3:GetBucketCORS", Bucket, "reading the CORS settings of the bucket"),
    action("s3:PutBucketCORS", Bucket, "changing the CORS settings of the bucket"),
    action("s3:GetBucketVersioning", Bucket, "reading whether the bucket keeps versions"),
    action("s3:PutBucketVersioning", Bucket, "changing whether the bucket keeps versions"),
    action("s3:GetBucketWebsite", Bucket, "reading the website settings of the bucket"),
    action("s3:PutBucketWebsite", Bucket, "changing the website settings of the bucket"),
    action("s3:DeleteBucketWebsite", Bucket, "deleting the website settings of the bucket"),
    action("s3:GetEncryptionConfiguration", Bucket, "reading the encryption settings of the bucket"),
    action("s3:PutEncryptionConfiguration", Bucket, "changing the encryption settings of the bucket"),
    action("s3:GetLifecycleConfiguration", Bucket, "reading the lifecycle rules of the bucket"),
    action("s3:PutLifecycleConfiguration", Bucket, "changing the lifecycle rules of the bucket"),
];

/// Names of S3 operations that are taken for actions, and the action that covers each.
///
/// Source: Amazon S3 User Guide, "Required permissions for Amazon S3 API operations".
const OPERATIONS: [(&str, &str); 10] = [
    ("s3:HeadObject", "s3:GetObject"),
    ("s3:CopyObject", "s3:PutObject"),
    ("s3:CreateMultipartUpload", "s3:PutObject"),
    ("s3:UploadPart", "s3:PutObject"),
    ("s3:CompleteMultipartUpload", "s3:PutObject"),
    ("s3:ListParts", "s3:ListMultipartUploadParts"),
    ("s3:ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    ("s3:HeadBucket", "s3:ListBucket"),
    ("s3:ListObjects", "s3:ListBucket"),
    ("s3:ListObjectsV2", "s3:ListBucket"),
];

/// Whether the name stands for every action.
pub fn is_every(name: &str) -> bool {
    matches!(name, "*" | "s3:*")
}

/// The documented action of this name.
pub fn find(name: &str) -> Option<Action> {
    ACTIONS.into_iter().find(|action| action.name == name)
}

/// The documented action that is meant by a name that is none.
pub fn meant(name: &str) -> Option<&'static str> {
    let operation = OPERATIONS.iter().find(|(operation, _)| operation.eq_ignore_ascii_case(name));
    let in_other_case = || ACTIONS.iter().find(|action| action.name.eq_ignore_ascii_case(name));
    match (operation, in_other_case()) {
        (Some((_, action)), _) => Some(action),
        (_, Some(action)) => Some(action.name),
        _ => {
            let with_service = if name.contains(':') { name.to_owned() } else { format!("s3:{name}") };
            similar::near(&with_service, ACTIONS.map(|action| action.name)).first().copied()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_action_behind_a_slip_or_the_name_of_an_operation_is_found() {
        let cases = [
            ("s3:ListParts", Some("s3:ListMultipartUploadParts")),
            ("s3:listobjectsv2", Some("s3:ListBucket")),
            ("s3:getobject", Some("s3:GetObject")),
            ("s3:GetObjct", Some("s3:GetObject")),
            ("GetObject", Some("s3:GetObject")),
            ("s3:CreateBucket", None),
            ("iam:PassRole", None),
        ];
        for (name, expected) in cases {
            assert_eq!(meant(name), expected, "{name}");
        }
        assert!(OPERATIONS.iter().all(|(operation, action)| find(operation).is_none() && find(action).is_some()));
    }
}
