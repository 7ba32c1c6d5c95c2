#!/bin/sh
# Fuzzes the parsers: each target gets random changes of its seeds for this many seconds, with overflow checks and debug
# assertions. Prints the runs of each target. An input that fails is printed, kept in target/fuzz/findings, and makes the
# exit status 1.
#
#   tests/fuzz/run.sh [SECONDS] [TARGET...]     5 seconds for each of all targets by default
#   tests/fuzz/run.sh again TARGET FILE         runs a target on one input
set -eu
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}/fuzz
cargo build --quiet --locked --release --manifest-path tests/fuzz/Cargo.toml --target-dir "$target"
# Files that the targets write are on a disk in memory where there is one.
[ ! -d /dev/shm ] || export TMPDIR=/dev/shm
exec "$target/release/yc-rs-fuzz" --findings "$target/findings" "$@"
