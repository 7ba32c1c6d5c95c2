//! The program `yc-rs`: command line and environment in, exit status out.

use std::process::ExitCode;

fn main() -> ExitCode {
    yc_rs::main()
}
