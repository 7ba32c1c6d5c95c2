//! What is done with keys: requesting, issuing, caching and delivering them. No clap, and no stream is written here.

pub mod cache;
pub mod kept_key;
pub mod min_ttl;
pub mod policy;
pub mod session_name;
