//! Access keys, IAM tokens and short-lived S3 credentials for Yandex Cloud.
//!
//! The library does the work of the program `yc-rs`; only the command line is a public interface. [`run`] is the whole
//! flow: read the command line, settle the settings, check format and filter, run the command, write the result.

pub mod api;
pub mod auth;
pub mod commands;
pub mod config;
pub mod console;
pub mod context;
pub mod credentials;
pub mod endpoints;
pub mod env;
pub mod error;
pub mod http;
pub mod input;
pub mod keys;
pub mod log;
pub mod message;
pub mod output;
pub mod private_file;
pub mod process;
pub mod secret;
pub mod status;
pub mod store;
pub mod text;

use std::ffi::OsString;
use std::pin::pin;

use futures_util::FutureExt;
use futures_util::future::{Either, poll_immediate, select};

use commands::deferred::Deferred;
use commands::local::Local;
use commands::{Command, Outcome, Remote};
use config::settings::{GlobalFlags, Settings};
use config::{Config, Profile};
use console::Console;
use context::Context;
use env::Env;
use error::{Error, Kind, Result};
use log::{Level, Log};
use output::{Filter, Output, Render, jq_process, stdout};

/// Runs a command line, the first of `args` being the name of the program, and returns the exit status. The result goes
/// to standard output, everything else to standard error.
pub fn run(args: &[OsString], env: &Env) -> u8 {
    let mut console = Console::new(args, env);
    match try_run(args, env, &mut console) {
        Ok(()) => 0,
        Err(failures) => {
            for failure in &failures {
                console.report(failure);
            }
            let mut codes = failures.iter().map(Error::exit_code);
            let first = codes.next().unwrap_or(1);
            if codes.all(|code| code == first) { first } else { 1 }
        }
    }
}

fn try_run(args: &[OsString], env: &Env, console: &mut Console) -> Result<(), Vec<Error>> {
    let (flags, command) = match commands::parse(args, console.color_help) {
        Ok(parsed) => parsed,
        Err(error) if error.use_stderr() => return Err(vec![commands::usage_error(&error)]),
        Err(help) => return stdout::write(console.help(&help).as_bytes()).map_err(|error| vec![error]),
    };
    let run = || -> Result<Vec<Error>> {
        console.settle(&flags, env)?;
        match command {
            Command::Version(Deferred(args)) => {
                stdout::write(format!("{}\n", commands::version::line(&args)).as_bytes())?;
            }
            Command::Cache(Deferred(command)) => commands::cache::run(&command, env)?,
            Command::Completion(Deferred(args)) => stdout::write(&commands::completion::script(&args)?)?,
            Command::Man(Deferred(args)) => commands::man::write(&args)?,
            Command::Config(Deferred(command)) => run_config(command, &local(&flags, env, console))?,
            Command::Init(Deferred(args)) => run_init(&args, &local(&flags, env, console))?,
            Command::Remote(command) => return run_remote(command, &flags, env, console),
        }
        Ok(Vec::new())
    };
    match run() {
        Ok(failures) if failures.is_empty() => Ok(()),
        Ok(failures) => Err(failures),
        Err(error) => Err(vec![error]),
    }
}

/// The surroundings of a command that works on this machine alone.
fn local<'a>(flags: &'a GlobalFlags, env: &'a Env, console: &Console) -> Local<'a> {
    Local { env, flags, log: log(flags, env, console) }
}

fn log(flags: &GlobalFlags, env: &Env, console: &Console) -> Log {
    Log {
        level: match (flags.debug_grpc, flags.debug) {
            (Some(true), _) => Level::Bodies,
            (_, Some(true)) => Level::Requests,
            _ => Level::Off,
        },
        notes: env.terminal.stderr && flags.no_user_output != Some(true),
        terminal: env.terminal.stderr,
        masks: console.masks.clone(),
    }
}

/// Runs a command on the configuration, which needs neither settings nor a client.
fn run_config(command: commands::config::Command, local: &Local<'_>) -> Result<()> {
    let render = local.render()?;
    if render.filter.is_none() && !command.reads_stdin() {
        // Nothing here waits for anything, so a runtime would be for nothing.
        let output = now(commands::config::run(command, local))?;
        return stdout::write(&render.render(&output)?);
    }
    block_on(&without_profile(local)?, async {
        let output = commands::config::run(command, local).await?;
        write_output(output, render, false).await
    })
}

/// What work that waits for nothing comes to.
fn now<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    work.now_or_never().unwrap_or_else(|| Err(Error::internal("the work waits for something")))
}

fn run_init(args: &commands::init::Args, local: &Local<'_>) -> Result<()> {
    block_on(&without_profile(local)?, commands::init::run(args, local))
}

/// A context that neither profile nor variables have a say in: it serves to cut work short.
fn without_profile<'a>(local: &Local<'a>) -> Result<Context<'a>> {
    let settings = Settings::with_profile(&GlobalFlags::default(), &Env::default(), Profile::default())?;
    Ok(Context::new(local.env, local.flags, settings, local.log.clone()))
}

/// Runs a command that works on the cloud; returns what failed beside its result.
fn run_remote(command: Remote, flags: &GlobalFlags, env: &Env, console: &Console) -> Result<Vec<Error>> {
    let settings = Settings::resolve(flags, env, &Config::load(env)?)?;
    let render = Render {
        format: settings.format,
        filter: flags.jq.as_deref().map(|filter| Filter::compile(filter, &env.vars)).transpose()?,
        terminal: env.terminal.stdout,
    };
    let context = Context::new(env, flags, settings, log(flags, env, console));
    block_on(&context, execute(command, render, &context))
}

/// Lets the work run until it is done or cut short.
fn block_on<T>(context: &Context<'_>, work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_stack_size(output::STACK_BYTES)
        .build()
        .map_err(|error| Error::internal(format!("cannot start: {error}")))?;
    let result = runtime.block_on(until_cut_short(context, work));
    // A name resolution or a filter that was given up on may still be running on a thread of its own.
    runtime.shutdown_background();
    result
}

/// Runs the command and writes its result; returns what failed beside it.
async fn execute(command: Remote, render: Render, context: &Context<'_>) -> Result<Vec<Error>> {
    let Outcome { output, failures, only_copy } = Box::pin(commands::run(command, context)).await?;
    match only_copy {
        Some(advice) => {
            let finish = async {
                let output = filtered_apart(output, &render, context).await?;
                write_output(output, render, true).await
            };
            context.printing(advice, finish).await?;
        }
        None => write_output(output, render, false).await?,
    }
    Ok(failures)
}

/// Runs a filter that may break down where it takes nothing else with it, and leaves the rest as it is.
async fn filtered_apart(output: Output, render: &Render, context: &Context<'_>) -> Result<Output> {
    let Some(program) = &context.env.program else { return Ok(output) };
    let Some((expression, document)) = render.risky_filter(&output)? else { return Ok(output) };
    Ok(match jq_process::run(program, expression, &document).await? {
        Some(text) => Output::Verbatim(render.escape(text)),
        None => output,
    })
}

/// Writes a result. The filter may run for ever and standard output may block for ever: neither may hold up Ctrl-C or
/// `--timeout`.
async fn write_output(output: Output, render: Render, must_arrive: bool) -> Result<()> {
    let written = tokio::task::spawn_blocking(move || stdout::write_result(&render.render(&output)?, must_arrive));
    written.await.unwrap_or_else(|_| Err(Error::internal("printing the result failed")))
}

/// Lets the work run until it is done, or Ctrl-C is pressed, or the time given by `--timeout` has passed.
async fn until_cut_short<T>(context: &Context<'_>, work: impl Future<Output = Result<T>>) -> Result<T> {
    let work = pin!(work);
    let mut interrupt = pin!(async {
        if context.env.ignores_interrupt {
            // Not to be listened to, so that it stays ignored in a command that takes our place.
            std::future::pending().await
        } else {
            tokio::signal::ctrl_c().await
        }
    });
    let limited = async {
        match context.flags.timeout {
            None => work.await,
            Some(limit) => tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
                let message = format!("not done within the {} of --timeout", text::duration::human(limit));
                Err(context.cut_short(Kind::Timeout, &message))
            }),
        }
    };
    // Ctrl-C is listened for from the first moment; a result that is there wins over it all the same.
    if poll_immediate(interrupt.as_mut()).await.is_some() {
        return Err(context.cut_short(Kind::Interrupted, "interrupted"));
    }
    match select(pin!(limited), interrupt).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(context.cut_short(Kind::Interrupted, "interrupted")),
    }
}
