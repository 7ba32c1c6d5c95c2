//! The program as its users meet it: command lines in, exit status and output out, requests counted by the emulator.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    missing_docs,
    unreachable_pub,
    reason = "a panic is a failed test, and nobody imports a test"
)]

mod access_key;
mod ambiguity;
mod architecture;
#[cfg(unix)]
mod audit;
mod auth;
#[cfg(unix)]
mod aws_files;
mod bad_input;
#[cfg(unix)]
mod broken_output;
mod certificates;
mod ci;
#[cfg(unix)]
mod ci_steps;
mod clocks;
mod completion;
mod config;
#[cfg(unix)]
mod crashes;
mod debug_log;
mod docs;
#[cfg(unix)]
mod doctor;
mod drop_in;
mod endpoints;
mod errors;
#[cfg(unix)]
mod exec;
#[cfg(unix)]
mod exec_refresh;
mod export;
mod features;
#[cfg(unix)]
mod flags;
mod foreign_responses;
mod help;
mod hints;
mod identity;
mod init;
#[cfg(unix)]
mod input_files;
#[cfg(unix)]
mod interrupts;
mod jq;
mod key_cache;
mod key_id;
#[cfg(target_os = "linux")]
mod limits;
mod load;
#[cfg(unix)]
mod locks;
mod login;
mod mistakes;
mod network;
mod never_shown;
mod operations;
mod output;
#[cfg(unix)]
mod packaging;
mod pictures;
mod policy;
mod programs;
mod proxies;
#[cfg(unix)]
mod refresh_docs;
#[cfg(unix)]
mod request_files;
mod retries;
#[cfg(target_os = "linux")]
mod rotate;
mod route;
mod secrets;
#[cfg(unix)]
mod serve;
mod settings;
mod source;
mod sources;
#[cfg(unix)]
mod streaming;
mod sts;
mod support;
#[cfg(unix)]
mod tables;
mod terminal;
mod time_outs;
mod tls;
#[cfg(unix)]
mod token_cache;
mod usage;
mod vocabulary;
