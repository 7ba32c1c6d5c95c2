//! `version`

use std::env::consts::{ARCH, OS};

/// Print the version
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the number alone
    #[arg(long)]
    pub semantic: bool,
}

/// The version, in the form of `yc version`.
pub fn line(args: &Args) -> String {
    let version = env!("CARGO_PKG_VERSION");
    if args.semantic { version.to_owned() } else { format!("yc-rs {version} {OS}/{ARCH}") }
}
