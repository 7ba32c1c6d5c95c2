#!/usr/bin/env bash
# Makes the archive of a release, and the file with its SHA-256: the program, manual pages, completions and licence.
#
# usage: .packaging/archive.sh PROGRAM TARGET PAGES DIRECTORY
# PAGES is what .packaging/pages.sh made; the archive goes to DIRECTORY.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1 target=$2 pages=$3 directory=$4
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
[ -n "$version" ] || { echo "Cargo.toml has no version" >&2; exit 1; }
name=yc-rs-$version-$target

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/$name" "$directory"
cp "$program" LICENSE README.md docs/CHANGELOG.md "$work/$name/"
cp -r "$pages/man" "$pages/completions" "$work/$name/"
directory=$(realpath "$directory")
case $target in
    *windows*) file=$name.zip; (cd "$work" && 7z a -bso0 "$directory/$file" "$name") ;;
    *) file=$name.tar.gz; tar -C "$work" -czf "$directory/$file" "$name" ;;
esac
cd "$directory"
if command -v sha256sum >/dev/null; then sha256sum "$file"; else shasum -a 256 "$file"; fi >"$file.sha256"
