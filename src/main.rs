//! The program `yc-rs`: command line and environment in, exit status out.

use std::io::Write;
use std::process::ExitCode;

use yc_rs::env::Env;

fn main() -> ExitCode {
    yc_rs::process::disable_core_dumps();
    std::panic::set_hook(Box::new(|panic| {
        // The payload of a panic may hold a secret, so only its place is shown.
        // That of a dependency would name a folder of the machine that built the program.
        let own = panic.location().filter(|at| at.file().starts_with("src/") || at.file().starts_with("src\\"));
        let place = own.map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        let _ = writeln!(std::io::stderr(), "ERROR: internal error{place}");
        // An abort would leave a core file with secrets behind.
        std::process::exit(1);
    }));
    let args: Vec<_> = std::env::args_os().collect();
    match Env::from_process() {
        Ok(env) => {
            // A script that completes a command line gets its answer before anything else can be printed.
            let answered = yc_rs::commands::completion::answer(&args, &env);
            let answered = answered.or_else(|| yc_rs::output::jq_process::run_if_requested(&args, &env));
            ExitCode::from(answered.unwrap_or_else(|| yc_rs::run(&args, &env)))
        }
        Err(error) => {
            let _ = write!(std::io::stderr(), "{}", error.to_text());
            ExitCode::from(error.exit_code())
        }
    }
}
