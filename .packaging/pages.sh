#!/usr/bin/env bash
# Makes the manual pages and completions that packages bring, with the program itself.
#
# usage: .packaging/pages.sh PROGRAM DIRECTORY
set -euo pipefail
program=$(realpath "$1") directory=$2

rm -rf "$directory"
mkdir -p "$directory/man" "$directory/completions"
"$program" man "$directory/man"
"$program" completion bash >"$directory/completions/yc-rs.bash"
"$program" completion zsh >"$directory/completions/_yc-rs"
"$program" completion fish >"$directory/completions/yc-rs.fish"
