//! The calls of the API, as faults name them.

/// The collection of access keys.
pub const KEYS: &str = "/iam/aws-compatibility/v1/accessKeys";

pub const EXCHANGE: &str = "POST /iam/v1/tokens";
pub const CREATE: &str = "POST /iam/aws-compatibility/v1/accessKeys";
pub const LIST: &str = "GET /iam/aws-compatibility/v1/accessKeys";
pub const GET: &str = "GET /iam/aws-compatibility/v1/accessKeys/{accessKeyId}";
pub const UPDATE: &str = "PATCH /iam/aws-compatibility/v1/accessKeys/{accessKeyId}";
pub const DELETE: &str = "DELETE /iam/aws-compatibility/v1/accessKeys/{accessKeyId}";
pub const ISSUE: &str = "POST /iam/aws-compatibility/v1/ephemeralAccessKeys";
pub const OPERATION: &str = "GET /operations/{operationId}";
