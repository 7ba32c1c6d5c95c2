#!/usr/bin/env bash
# Builds the .deb of a program that is built, and unpacks it into an empty directory to look at what it brings.
#
# usage: .packaging/deb.sh PROGRAM CARGO_DEB
# CARGO_DEB is the program cargo-deb; PROGRAM is a release build. The package is left in the target directory.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "$1") cargo_deb=$2
target=$(realpath "${CARGO_TARGET_DIR:-target}")

# Cargo.toml names the files of the package, which are not under CARGO_TARGET_DIR.
mkdir -p target
.packaging/pages.sh "$program" target/package
package=$target/debian/yc-rs.deb
"$cargo_deb" --no-build --no-strip --output "$package" --quiet
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
dpkg-deb --extract "$package" "$root"

expect() {
    [ -s "$root/$1" ] || { echo "the package has no /$1"; exit 1; }
}
expect usr/share/man/man1/yc-rs.1.gz
expect usr/share/man/man1/yc-rs-iam-access-key-issue-ephemeral.1.gz
expect usr/share/bash-completion/completions/yc-rs
expect usr/share/zsh/vendor-completions/_yc-rs
expect usr/share/fish/vendor_completions.d/yc-rs.fish
expect usr/share/doc/yc-rs/copyright
grep -q "Apache License" "$root/usr/share/doc/yc-rs/copyright"
cmp -s "$root/usr/bin/yc-rs" "$program" || { echo "the package has another program"; exit 1; }
# What a user has who installs the package and nothing else.
env -i HOME="$root/home" PATH="$root/usr/bin" "$root/usr/bin/yc-rs" version
env -i HOME="$root/home" PATH=/usr/bin:/bin bash -ec '
    PATH=$1/usr/bin:$PATH
    source "$1/usr/share/bash-completion/completions/yc-rs"
    COMP_WORDS=(yc-rs iam access-key issue-e) COMP_CWORD=3
    _clap_complete_yc_rs yc-rs issue-e access-key
    [ "${COMPREPLY[*]}" = issue-ephemeral ]
' bash "$root"
dpkg-deb --field "$package" Package Version Architecture Depends Installed-Size
