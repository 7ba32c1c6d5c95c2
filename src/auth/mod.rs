//! Authentication: which credential is used, and the IAM token that it is exchanged for.
//!
//! A way to authenticate is one file here that implements [`credential::Credential`], and one row of the table in
//! [`sign_in`], which holds the sources of credentials in their order. [`token_source`] gives the token of a run, from
//! memory, from [`token_cache`] or by an exchange; [`iam_token`] has the calls of `IamTokenService`.

pub mod browser;
pub mod credential;
pub mod iam_token;
pub mod jwt;
pub mod key_document;
pub mod metadata;
pub mod oauth;
pub mod plain_token;
pub mod service_account_key;
pub mod session;
pub mod sign_in;
pub mod subject_jwt;
pub mod tied_process;
pub mod token;
pub mod token_cache;
pub mod token_command;
pub mod token_endpoint;
pub mod token_source;
pub mod userinfo;
pub mod workload_identity;
