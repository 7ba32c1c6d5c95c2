//! The emulator's own tests: it must refuse what it says it refuses, or tests against it prove little.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a panic in a test is how it fails"
)]

mod access_keys;
mod client;
mod endpoints;
mod faults;
mod federation;
mod metadata;
#[path = "../../../cli/programs.rs"]
#[expect(unreachable_pub, reason = "shared with the tests of the program")]
mod programs;
mod requests;
mod resource_manager;
mod storage;
mod sts;
mod tls;
mod tokens;
