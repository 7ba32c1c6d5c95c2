#!/usr/bin/env python3
"""Prints how long Tab takes in bash, zsh and fish: from the key to the completed word on the terminal, beside the shell's
own completion of a path. Medians of 20 presses in an interactive shell.

usage: tests/bench/completion.py [path of a release build of yc-rs]
"""

import os
import pty
import re
import select
import shutil
import signal
import statistics
import sys
import tempfile
import time

PRESSES = 20
PATIENCE = 20
ESCAPE_SEQUENCE = re.compile(rb"\x1b\[[0-9;?<>=]*[A-Za-z]")
QUESTION = re.compile(rb"\x1b\[0?c")

# How to start a shell without anybody's settings, and what it reads first.
SHELLS = {
    "bash": (["bash", "--noprofile", "--norc", "-i"], "bind 'set bell-style none'; source <(yc-rs completion bash)"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit && compinit -D; source <(yc-rs completion zsh)"),
    "fish": (["fish", "-N", "-i"], "yc-rs completion fish | source"),
}

# What is typed, and what Tab adds to it.
LINES = {
    "yc-rs, a command": ("yc-rs iam access-key list-o", "perations"),
    "yc-rs, a profile": ("yc-rs --profile st", "aging"),
    "a path": ("ls /usr/sha", "re/"),
}


class Shell:
    """A shell at a terminal."""

    def __init__(self, arguments, environment):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvpe(arguments[0], arguments, environment)

    def write(self, text):
        os.write(self.terminal, text.encode())

    def read_until(self, text):
        """Reads until the terminal shows the text, and returns how many seconds that took."""
        begun, shown, wanted = time.perf_counter(), b"", text.encode()
        while wanted not in ESCAPE_SEQUENCE.sub(b"", shown):
            ready, _, _ = select.select([self.terminal], [], [], PATIENCE)
            if not ready:
                sys.exit(f"completion: {text!r} was not shown, but: {shown.decode(errors='replace')!r}")
            shown += os.read(self.terminal, 65536)
            # fish asks what the terminal is, and waits for the answer.
            if QUESTION.search(shown):
                self.write("\x1b[?62c")
                shown = QUESTION.sub(b"", shown)
        return time.perf_counter() - begun

    def settle(self):
        """Reads what is still to come."""
        while select.select([self.terminal], [], [], 0.1)[0]:
            os.read(self.terminal, 65536)

    def press(self, line, added):
        self.write(line)
        self.settle()
        self.write("\t")
        seconds = self.read_until(added)
        self.settle()
        self.write("\x15")
        self.settle()
        return seconds

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


def main():
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/yc-rs")
    with tempfile.TemporaryDirectory() as home:
        bin_directory = os.path.join(home, "bin")
        os.mkdir(bin_directory)
        os.symlink(program, os.path.join(bin_directory, "yc-rs"))
        configuration = os.path.join(home, ".config", "yc-rs")
        os.makedirs(configuration, 0o700)
        path = os.path.join(configuration, "config.toml")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write("current = 'prod'\n[profiles.prod]\n[profiles.staging]\n")
        environment = {"HOME": home, "PATH": f"{bin_directory}:{os.environ['PATH']}", "TERM": "xterm", "LANG": "C.UTF-8"}
        for name, (arguments, setup) in SHELLS.items():
            if shutil.which(name) is None:
                print(f"{name}: skipped: it is not installed")
                continue
            shell = Shell(arguments, environment)
            shell.settle()
            shell.write(f"{setup}; echo REA''DY\n")
            shell.read_until("READY")
            shell.settle()
            medians = {}
            for title, (line, added) in LINES.items():
                shell.press(line, added)
                medians[title] = statistics.median(shell.press(line, added) for _ in range(PRESSES))
            shell.end()
            own = medians["a path"]
            for title, median in medians.items():
                print(f"{name:5} {title:18} {median * 1000:7.1f} ms  {median / own:6.2f} x a path")


main()
