#!/usr/bin/env bash
# Prints what starting up costs: instructions of `yc-rs version`, of a key from the cache, and of one HTTPS call with an
# IAM token at hand, as multiples of an empty Rust program. Instruction counts repeat to 0.1 % on one machine, whatever else it is doing.
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
# The system's roots with the sandbox's own among them, as on a machine in use: their number is part of the figure.
cat /etc/ssl/certs/ca-certificates.crt "$YC_CA_BUNDLE" >"$work/roots.pem" 2>/dev/null || cp "$YC_CA_BUNDLE" "$work/roots.pem"
roots=$(grep -c BEGIN "$work/roots.pem")
export SSL_CERT_FILE=$work/roots.pem
unset SSL_CERT_DIR YC_CA_BUNDLE

instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >"$work/out" | sed -n 's/.*Collected : //p'
}

empty=$(instructions "$work/empty")
report() {
    local label=$1 aim=$2 count
    shift 2
    count=$(instructions "$@")
    awk -v label="$label" -v aim="$aim" -v count="$count" -v empty="$empty" 'BEGIN {
        printf "%-52s %10d  %5.1f x empty (aim %s)\n", label, count, count / empty, aim
    }'
}

"$program" version
printf '%-52s %10d\n' "an empty program" "$empty"
report "version" 2.3 "$program" version
"$program" iam access-key issue-ephemeral --duration 1h --export process >"$work/key"
report "--export process, key from the cache" 3.5 \
    "$program" iam access-key issue-ephemeral --duration 1h --export process
cmp -s "$work/key" "$work/out" || { echo "startup: the key did not come from the cache" >&2; exit 1; }
report "one HTTPS call, IAM token at hand ($roots roots)" 15 \
    "$program" iam access-key issue-ephemeral --duration 1h --format json --jq .secret
[ "$(wc -c <"$work/out")" -ge 40 ] || { echo "startup: the call printed no secret" >&2; exit 1; }
