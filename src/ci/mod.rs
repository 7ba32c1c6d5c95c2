//! Keyless CI: the federation and the federated credential by which a job gets IAM tokens of a service account without
//! a stored secret.

pub mod job;
pub mod provider;
pub mod setup;
