//! Access keys, IAM tokens and short-lived S3 credentials for Yandex Cloud.
//!
//! The library does the work of the program `yc-rs`; only the command line is a public interface. [`run`] is the whole
//! flow: read the command line, resolve the settings, check format and filter, and run the command, which prints its
//! result.

pub mod api;
mod auth;
mod ci;
pub mod commands;
pub mod config;
mod console;
mod context;
pub mod credentials;
mod endpoints;
pub mod env;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[path = "../tests/fuzz/targets/mod.rs"]
pub mod fuzzing;
mod http;
mod input;
mod interrupt;
mod keys;
mod lifetime;
mod lock;
mod log;
mod message;
mod output;
mod private_file;
mod process;
mod secret;
mod status;
mod store;
mod text;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use futures_util::FutureExt;

use auth::tied_process;
use commands::deferred::Deferred;
use commands::local::{self, Local};
use commands::usage::Misunderstood;
use commands::{Command, Outcome, Remote};
use config::settings::{GlobalFlags, Settings};
use config::{Config, Profile};
use console::Console;
use context::Context;
use env::Env;
use error::{Error, Result};
use interrupt::until_interrupted;
use log::{Level, Log, Progress, Style};
use output::{Printer, jq_process, stdout};

/// The program: runs the command line of this process.
pub fn main() -> ExitCode {
    process::protect_memory();
    std::panic::set_hook(Box::new(|panic| {
        // The payload of a panic may hold a secret, so only its place is shown.
        // That of a dependency would name a directory of the machine that built the program.
        let own = panic.location().filter(|at| at.file().starts_with("src/") || at.file().starts_with("src\\"));
        let place = own.map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        let error = Error::internal(format!("internal error{place}"));
        let error = interrupt::advice_of_panic().into_iter().fold(error, Error::urgent_hint);
        let _ = write!(std::io::stderr(), "{}", error.to_text());
        // An abort would leave a core dump with secrets behind.
        exit_after_panic();
    }));
    let args: Vec<_> = std::env::args_os().collect();
    match Env::from_process() {
        Ok(env) => {
            process::catch_file_size_signal(|signal| env.ignored.contains(signal));
            // A script that completes a command line gets its answer before anything else can be printed.
            let answered = commands::completion::answer(&args, &env)
                .or_else(|| jq_process::run_if_requested(&args, &env))
                .or_else(|| tied_process::run_if_requested(&args));
            ExitCode::from(answered.unwrap_or_else(|| run(&args, &env)))
        }
        Err(error) => {
            let _ = write!(std::io::stderr(), "{}", error.to_text());
            ExitCode::from(error.exit_code())
        }
    }
}

#[expect(clippy::exit, reason = "the state of the process is not known any more")]
fn exit_after_panic() -> ! {
    std::process::exit(1)
}

/// Runs a command line, the first of `args` being the name of the program, and returns the exit status. The result goes
/// to standard output, everything else to standard error.
pub fn run(args: &[OsString], env: &Env) -> u8 {
    let mut console = Console::new(args, env);
    let outcome = try_run(args, env, &mut console).unwrap_or_else(Outcome::from);
    for failure in &outcome.failures {
        console.report(failure);
    }
    outcome.exit_code()
}

fn try_run(args: &[OsString], env: &Env, console: &mut Console) -> Result<Outcome> {
    let (flags, command) = match commands::parse(args, console.color_help) {
        Ok(parsed) => parsed,
        Err(error) => {
            let misunderstood = Misunderstood::new(&error, args);
            let requested = misunderstood.requested_help().or_else(|| (!error.use_stderr()).then(|| error.render()));
            if let Some(text) = requested {
                stdout::write(console.styled_help(&text).as_bytes())?;
                return Ok(Outcome::default());
            }
            if misunderstood.requests_version() {
                stdout::write(concat!("yc-rs ", env!("CARGO_PKG_VERSION"), "\n").as_bytes())?;
                return Ok(Outcome::default());
            }
            let error = misunderstood.to_error();
            return match misunderstood.help_of_group() {
                Some(help) => Ok(console.report_with_help(&error, &help)),
                None => Err(error),
            };
        }
    };
    console.apply(&flags, env)?;
    if !matches!(command, Command::Version(_) | Command::Completion(_) | Command::Man(_)) {
        env.check()?;
    }
    match command {
        Command::Version(Deferred(args)) => {
            stdout::write(format!("{}\n", commands::version::line(&args)).as_bytes())?;
        }
        Command::Cache(Deferred(command)) => commands::cache::run(&command, env)?,
        Command::Completion(Deferred(args)) => stdout::write(&commands::completion::script(&args)?)?,
        Command::Man(Deferred(args)) => commands::man::write(&args, env)?,
        Command::Config(Deferred(command)) => run_config(command, &local(&flags, env, console))?,
        Command::Policy(Deferred(command)) => return run_policy(command, &local(&flags, env, console)),
        Command::Doctor(Deferred(args)) => return run_doctor(&args, &local(&flags, env, console)),
        Command::Login(Deferred(args)) => run_login(args, &local(&flags, env, console))?,
        Command::Init(Deferred(args)) => run_init(&args, &local(&flags, env, console))?,
        Command::Remote(command) => return run_remote(command, &flags, env, console),
    }
    Ok(Outcome::default())
}

/// The surroundings of a command that works on this machine alone.
fn local<'a>(flags: &'a GlobalFlags, env: &'a Env, console: &Console) -> Local<'a> {
    Local { env, flags, log: log(flags, env, console) }
}

fn log(flags: &GlobalFlags, env: &Env, console: &Console) -> Log {
    let is_shown = env.terminal.stderr && flags.no_user_output != Some(true);
    let can_draw = env.var("TERM").is_some_and(|name| name != "dumb") && env.var("NO_COLOR").is_none();
    let style = match (is_shown, can_draw) {
        (false, _) => Style::Hidden,
        (true, false) => Style::Notes,
        (true, true) => Style::Line,
    };
    Log {
        level: match (flags.debug_grpc, flags.debug) {
            (Some(true), _) => Level::Bodies,
            (_, Some(true)) => Level::Requests,
            _ => Level::Off,
        },
        notes: is_shown,
        terminal: env.terminal.stderr,
        masks: console.masks.clone(),
        progress: Progress::new(style),
    }
}

/// Runs a command on the configuration, which needs neither settings nor a client.
fn run_config(command: commands::config::Command, local: &Local<'_>) -> Result<()> {
    let printer = local.printer()?;
    if !printer.has_filter() && !command.may_wait() {
        // Nothing here waits for anything, so a runtime would be for nothing.
        let output = poll_once(commands::config::run(command, local))?;
        return printer.print_now(&output);
    }
    block_on(&without_profile(local, printer.clone())?, async {
        printer.print(commands::config::run(command, local).await?).await
    })
}

/// The result of work that waits for nothing.
fn poll_once<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    work.now_or_never().unwrap_or_else(|| Err(Error::internal("the work waits for something")))
}

fn run_policy(command: commands::policy::Command, local: &Local<'_>) -> Result<Outcome> {
    let context = without_profile(local, local.printer()?)?;
    block_on(&context, commands::policy::run(command, &context))
}

fn run_doctor(args: &commands::doctor::Args, local: &Local<'_>) -> Result<Outcome> {
    block_on(&without_profile(local, local.printer()?)?, commands::doctor::run(args, local))
}

fn run_login(args: commands::login::Args, local: &Local<'_>) -> Result<()> {
    block_on(&without_profile(local, local.printer()?)?, Box::pin(commands::login::run(args, local)))
}

fn run_init(args: &commands::init::Args, local: &Local<'_>) -> Result<()> {
    block_on(&without_profile(local, local.printer()?)?, commands::init::run(args, local))
}

/// A context whose settings come from neither profile nor variables: it serves to interrupt the work.
fn without_profile<'a>(local: &Local<'a>, printer: Printer) -> Result<Context<'a>> {
    let settings = Settings::with_profile(&GlobalFlags::default(), &Env::default(), Profile::default())?;
    Ok(Context::new(local.env, local.flags, settings, local.log.clone(), printer))
}

/// Runs a command that calls the API.
fn run_remote(command: Remote, flags: &GlobalFlags, env: &Env, console: &Console) -> Result<Outcome> {
    let mut settings = Settings::resolve(flags, env, &Config::load(env)?)?;
    if matches!(command, Remote::Sts(_)) {
        settings.ca_bundle = commands::sts::aws_ca_bundle(flags, env)?.or(settings.ca_bundle);
    }
    let printer = local::printer(settings.format, flags, env)?;
    let context = Context::new(env, flags, settings, log(flags, env, console), printer);
    block_on(&context, Box::pin(commands::run(command, &context)))
}

/// How many file descriptors the runtime needs, and some more.
const RUNTIME_DESCRIPTORS: usize = 10;

/// Lets the work run until it is done or interrupted.
fn block_on<T>(context: &Context<'_>, work: impl Future<Output = Result<T>>) -> Result<T> {
    let cannot_start = |error| Error::internal(format!("cannot start: {error}"));
    // The runtime panics when it cannot open the pipe for signals.
    drop(process::SpareDescriptors::reserve(RUNTIME_DESCRIPTORS).map_err(cannot_start)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot_start)?;
    let interrupted = |kind, message: &str| context.interrupted(kind, message);
    let work = until_interrupted(context.flags.timeout, context.env.ignored, interrupted, work);
    let result = runtime.block_on(work);
    // A name resolution or a filter that was given up on may still be running on a thread of its own.
    runtime.shutdown_background();
    private_file::wait_for_writes();
    result
}
