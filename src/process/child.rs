//! A command that runs as a child in the place of this process: with its terminal, its signals and its exit status.
//!
//! Source of the rules of job control: POSIX.1-2024, section 11.1.4; glibc manual, "Implementing a Job Control Shell".

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::task::Poll;

use nix::sys::signal::{SigSet, SigmaskHow, Signal as NixSignal};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, getpgrp, kill_process, kill_process_group, test_kill_process_group, waitpid,
};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use signal_hook::low_level;
use tokio::signal::unix::{self, SignalKind};

use super::{protect_memory, restore_core_limit};

/// The signals that are passed on to the command.
const FORWARDED: [Signal; 6] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::USR2];

/// How a command has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this exit status.
    Exited(u8),
    /// By this signal.
    Killed(i32),
}

/// What is listened for before the command starts, so that nothing is missed.
pub struct Signals {
    forwarded: Vec<(Signal, unix::Signal)>,
    /// A child has ended, stopped or continued.
    children: unix::Signal,
}

impl Signals {
    /// Listens for the signals that are passed on. One that is ignored stays ignored, in the command too.
    ///
    /// # Errors
    /// The system does not allow it.
    pub fn listen(is_ignored: impl Fn(i32) -> bool) -> io::Result<Self> {
        let mut forwarded = Vec::new();
        for signal in FORWARDED.into_iter().filter(|signal| !is_ignored(signal.as_raw())) {
            forwarded.push((signal, unix::signal(SignalKind::from_raw(signal.as_raw()))?));
        }
        Ok(Self { forwarded, children: unix::signal(SignalKind::child())? })
    }

    /// The next signal to pass on; `None` when there is news of a child.
    async fn next(&mut self) -> Option<Signal> {
        std::future::poll_fn(|task| {
            for (signal, stream) in &mut self.forwarded {
                if stream.poll_recv(task).is_ready() {
                    return Poll::Ready(Some(*signal));
                }
            }
            self.children.poll_recv(task).map(|_| None)
        })
        .await
    }
}

/// A running command.
pub struct Child {
    pid: Pid,
    own_group: Pid,
    terminal: Option<File>,
    /// Whether the command has the terminal from this process.
    has_terminal: Cell<bool>,
    signals: Signals,
    /// The signals that were passed on.
    passed_on: BTreeSet<i32>,
}

impl Child {
    /// Starts a command in a process group of its own, which gets the terminal where this process has it.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn start(mut command: Command, signals: Signals) -> io::Result<Self> {
        let flags = (OFlags::NOCTTY | OFlags::CLOEXEC).bits().cast_signed();
        // Without a controlling terminal it cannot be opened.
        let terminal = OpenOptions::new().read(true).write(true).custom_flags(flags).open("/dev/tty").ok();
        restore_core_limit();
        let started = command.process_group(0).spawn();
        protect_memory();
        let child = Self {
            pid: Pid::from_child(&started?),
            own_group: getpgrp(),
            terminal,
            has_terminal: Cell::new(false),
            signals,
            passed_on: BTreeSet::new(),
        };
        child.give_terminal();
        Ok(child)
    }

    /// Waits for the end of the command. Meanwhile signals are passed on to it, and this process stops when it stops.
    ///
    /// # Errors
    /// The system has lost the command.
    pub async fn wait(mut self) -> io::Result<Ended> {
        loop {
            match waitpid(Some(self.pid), WaitOptions::NOHANG | WaitOptions::UNTRACED) {
                Ok(None) => {
                    if let Some(signal) = self.signals.next().await {
                        self.pass_on(signal);
                    }
                }
                Ok(Some((_, status))) => {
                    if let Some(signal) = status.stopping_signal() {
                        self.stop(signal);
                    } else if let Some(signal) = status.terminating_signal() {
                        let is_foreground = self.foreground_group() == Some(self.pid);
                        self.take_terminal();
                        if is_foreground {
                            self.interrupt_group(signal);
                        }
                        return Ok(Ended::Killed(signal));
                    } else if let Some(code) = status.exit_status() {
                        self.take_terminal();
                        return Ok(Ended::Exited(u8::try_from(code).unwrap_or(u8::MAX)));
                    }
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Passes a signal on. One that a key makes goes to what the command has started, too: the key may have been pressed
    /// before the command got the terminal.
    fn pass_on(&mut self, signal: Signal) {
        self.passed_on.insert(signal.as_raw());
        // The command may have ended meanwhile, which is found out soon.
        let _ = match signal {
            Signal::INT | Signal::QUIT => kill_process_group(self.pid, signal),
            signal => kill_process(self.pid, signal),
        };
    }

    /// The command was stopped by this signal: stops this process likewise, and continues the command afterwards.
    fn stop(&self, signal: i32) {
        let needs_terminal = signal == Signal::TTIN.as_raw() || signal == Signal::TTOU.as_raw();
        // It used the terminal before it got it, or a shell has brought this process to the foreground since then.
        let may_have_terminal =
            self.foreground_group().is_some_and(|group| group == self.own_group || group == self.pid);
        if !(needs_terminal && may_have_terminal) {
            self.take_terminal();
            // Nobody may be there to continue this process: the system then ignores the signal.
            let _ = low_level::raise(signal);
        }
        self.give_terminal();
        let _ = kill_process_group(self.pid, Signal::CONT);
    }

    /// A key such as Ctrl-C has ended the command, as it looks: without a group of its own, the signal would have gone to
    /// all of the group of this process, for example to the shell of a script, which would then go on with its next line.
    fn interrupt_group(&self, signal: i32) {
        let from_keyboard = [Signal::INT, Signal::QUIT].into_iter().find(|key| key.as_raw() == signal);
        if let Some(signal) = from_keyboard.filter(|signal| !self.passed_on.contains(&signal.as_raw())) {
            // This process ends by the signal later.
            let _ = kill_process_group(self.own_group, signal);
        }
    }

    /// Makes the command the foreground of the terminal if this process is.
    fn give_terminal(&self) {
        if self.foreground_group() == Some(self.own_group) {
            self.set_foreground_group(self.pid);
            self.has_terminal.set(true);
        }
    }

    /// Makes this process the foreground of the terminal if the command is, or one that it started and that has ended.
    fn take_terminal(&self) {
        let is_left = |group| group == self.pid || test_kill_process_group(group) == Err(Errno::SRCH);
        if self.has_terminal.take() && self.foreground_group().is_some_and(is_left) {
            self.set_foreground_group(self.own_group);
        }
    }

    fn foreground_group(&self) -> Option<Pid> {
        tcgetpgrp(self.terminal.as_ref()?).ok()
    }

    /// A process in the background that does this is stopped by SIGTTOU, unless that is blocked.
    fn set_foreground_group(&self, group: Pid) {
        let Some(terminal) = &self.terminal else { return };
        let before = SigSet::from(NixSignal::SIGTTOU).thread_swap_mask(SigmaskHow::SIG_BLOCK);
        // The group may have ended.
        let _ = tcsetpgrp(terminal, group);
        if let Ok(before) = before {
            let _ = before.thread_set_mask();
        }
    }
}

/// Ends this process by a signal. Returns the exit status for a signal that does not end a process.
pub fn end_by(signal: i32) -> u8 {
    // What cannot be emulated is told by the exit status, as a shell does.
    let _ = low_level::emulate_default_handler(signal);
    u8::try_from(signal).ok().and_then(|signal| signal.checked_add(128)).unwrap_or(u8::MAX)
}
