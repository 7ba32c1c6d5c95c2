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
    printf '      url "https://github.com/%s/releases/download/v%s/%s"\n' "$repository" "$version" "$file"
    printf '      sha256 "%s"\n' "$sum"
}

cat <<FORMULA
class YcRs < Formula
  desc "Access keys, IAM tokens and short-lived S3 credentials for Yandex Cloud"
  homepage "https://github.com/$repository"
  version "$version"
  license "Apache-2.0"

  on_macos do
    on_arm do
$(block aarch64-apple-darwin)
    end
    on_intel do
$(block x86_64-apple-darwin)
    end
  end

  on_linux do
    on_arm do
$(block aarch64-unknown-linux-musl)
    end
    on_intel do
$(block x86_64-unknown-linux-musl)
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
