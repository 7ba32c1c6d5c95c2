#!/usr/bin/env bash
# Prints what starting up costs: instructions of `yc-rs version`, of a key from the cache, and of one HTTPS call with an
# IAM token at hand, as multiples of an empty Rust program. Instruction counts repeat to 0.1 % on one machine, whatever else
# it is doing. Fails when one is more than 3 % above what docs/performance.md states.
#
# usage: tests/bench/startup.sh [path of a release build of yc-rs]
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v valgrind >/dev/null; then
    echo "startup: skipped: this machine lacks valgrind (Debian: apt-get install valgrind)" >&2
    # A complete run leaves nothing out.
    [ "${YC_RS_TESTS:-}" != complete ]
    exit
fi
target=${CARGO_TARGET_DIR:-target}
program=${1:-$target/release/yc-rs}
[ -x "$program" ] || cargo build --quiet --release --locked --bin yc-rs
cargo build --quiet --locked --example sandbox

work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT

echo 'fn main() {}' >"$work/empty.rs"
rustc --edition 2024 -C opt-level=3 -C lto=fat -C codegen-units=1 -C panic=abort -C strip=symbols \
    -o "$work/empty" "$work/empty.rs"

# The server is a program of its own; its first lines say how to reach it.
mkfifo "$work/lines"
"$target/debug/examples/sandbox" >"$work/lines" &
server=$!
# Stays open, so that the server can go on printing.
exec 3<"$work/lines"
while read -r line <&3; do
    case $line in
        export*) eval "$line" ;;
    esac
    case $line in
        *SANDBOX_TOKEN=*) break ;;
    esac
done
export YC_IAM_TOKEN=$SANDBOX_TOKEN
# The sandbox's own root among many, as on a machine in use.
cat tests/data/roots.pem "$YC_CA_BUNDLE" >"$work/roots.pem"
export SSL_CERT_FILE=$work/roots.pem
unset SSL_CERT_DIR YC_CA_BUNDLE

instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >"$work/out" | sed -n 's/.*Collected : //p'
}

# The multiple that the page states in the row that begins with this text.
stated() {
    awk -F'|' -v row="$1" 'index($2, row) == 2 { print $4 + 0; exit }' docs/performance.md
}

empty=$(instructions "$work/empty")
failed=0
report() {
    local row=$1 count stated
    shift
    count=$(instructions "$@")
    stated=$(stated "$row")
    [ -n "$stated" ] || { echo "startup: docs/performance.md has no row $row" >&2; exit 1; }
    awk -v row="$row" -v count="$count" -v empty="$empty" -v stated="$stated" 'BEGIN {
        printf "%-52s %10d  %6.2f x empty (stated: %.2f)\n", row, count, count / empty, stated
        exit count / empty > stated * 1.03
    }' || { echo "startup: more than 3 % above what docs/performance.md states: $row" >&2; failed=1; }
}

"$program" version
printf '%-52s %10d\n' "an empty program" "$empty"
report '`yc-rs version`' "$program" version
"$program" iam access-key issue-ephemeral --duration 1h --export process >"$work/key"
report '`--export process` with a cached key' \
    "$program" iam access-key issue-ephemeral --duration 1h --export process
cmp -s "$work/key" "$work/out" || { echo "startup: the key did not come from the cache" >&2; exit 1; }
report 'one HTTPS request with a given IAM token' \
    "$program" iam access-key issue-ephemeral --duration 1h --format json --jq .secret
[ "$(wc -c <"$work/out")" -ge 40 ] || { echo "startup: the call printed no secret" >&2; exit 1; }
exit "$failed"
