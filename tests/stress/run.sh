#!/bin/sh
# Many processes at once against the emulator, and botocore with many threads and processes. Prints how many processes
# ran, how many of their calls reached the emulator, and the seconds that it took. The tests run a tenth of this.
#
#   tests/stress/run.sh [SCALE]     1, the default, is all of it, 0.25 a quarter
set -eu
cd "$(dirname "$0")/../.."
scale=${1:-1}
cargo test --quiet --locked --test stress -- "$scale"
YC_RS_STRESS=$scale tests/clients/run.sh -k threads_and_processes -k CredentialsFile
