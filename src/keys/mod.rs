//! What is done with keys: requesting, issuing, caching and delivering them. No clap, and nothing is written to a
//! stream but through [`Context`](crate::context::Context).

pub mod assume_role;
pub mod audit;
pub mod cache;
pub mod concurrent;
pub mod deliver;
pub mod find;
pub mod issue;
pub mod min_ttl;
pub mod policy;
pub mod refresh;
pub mod rotate;
pub mod rotation_marker;
pub mod session_name;
pub mod static_key;
pub mod storage;
pub mod walk;
