#!/usr/bin/env bash
# Prints the Homebrew formula of a release.
#
# usage: .packaging/homebrew.sh VERSION REPOSITORY DIRECTORY
# REPOSITORY is OWNER/NAME on GitHub; DIRECTORY has the archives with their .sha256 files.
set -euo pipefail
version=$1 repository=$2 directory=$3

block() {
    local file=yc-rs-$version-$1.tar.gz sum
    sum=$(cut -d' ' -f1 "$directory/$file.sha256")
    if [[ ! $sum =~ ^[0-9a-f]{64}$ ]]; then
        echo "$directory/$file.sha256 has no SHA-256 checksum" >&2
        return 1
    fi
    printf '      url "https://github.com/%s/releases/download/v%s/%s"\n' "$repository" "$version" "$file"
    printf '      sha256 "%s"\n' "$sum"
}

# Variables of their own: a failure in a here-document would not stop the script.
mac_arm=$(block aarch64-apple-darwin)
mac_intel=$(block x86_64-apple-darwin)
linux_arm=$(block aarch64-unknown-linux-musl)
linux_intel=$(block x86_64-unknown-linux-musl)

cat <<FORMULA
class YcRs < Formula
  desc "Access keys, IAM tokens and short-lived S3 credentials for Yandex Cloud"
  homepage "https://github.com/$repository"
  version "$version"
  license "Apache-2.0"

  on_macos do
    on_arm do
$mac_arm
    end
    on_intel do
$mac_intel
    end
  end

  on_linux do
    on_arm do
$linux_arm
    end
    on_intel do
$linux_intel
    end
  end

  def install
    bin.install "yc-rs"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/yc-rs.bash" => "yc-rs"
    zsh_completion.install "completions/_yc-rs"
    fish_completion.install "completions/yc-rs.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/yc-rs version")
  end
end
FORMULA
