#!/usr/bin/env bash
# get-jj.sh DIR    Put a real jj into DIR/bin/jj on a Debian machine that has none, without root.
#
# jj is in Debian, but only in newer suites than most machines run. This asks apt where the machine gets its
# packages from, fetches jj from the newer suite of that same mirror, with all libraries it needs, and unpacks
# them in DIR. apt works in a state of its own there: nothing on the machine changes. What comes out can be
# moved, since jj starts on the loader and the libraries that lie beside it.
#
# JJ_SUITES overrides the suites to look in (default: "testing unstable"). Does nothing where DIR/bin/jj works.
set -euo pipefail

suites=${JJ_SUITES:-testing unstable}
dir=$(realpath -m -- "${1:?usage: get-jj.sh DIR}")

give_up() {
    printf 'get-jj: %s\n' "$1" >&2
    printf 'Install jj yourself (https://jj-vcs.github.io) so that it is on PATH.\n' >&2
    exit 1
}

if "$dir/bin/jj" --version >/dev/null 2>&1; then exit 0; fi
for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || give_up "there is no $tool here, so this is no Debian machine."
done

work=$dir/work
rm -rf -- "$work" "$dir/root" "$dir/bin"
mkdir -p -- "$work/lists/partial" "$work/archives/partial" "$dir/root" "$dir/bin"
trap 'rm -rf -- "$work"' EXIT
: > "$work/nothing-installed"

# The machine's own settings (proxies, say) hold, but not its hooks, pins and lists of suites.
cat > "$work/apt.conf" <<CONF
#clear APT::Update;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear APT::Default-Release;
Dir::Cache "$work";
Dir::State::lists "$work/lists";
Dir::State::status "$work/nothing-installed";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
CONF
own_apt() { apt-get -c "$work/apt.conf" "$@"; }
own_sources() { own_apt -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null "$@"; }

# `update --print-uris` reads the machine's sources without network, and even where no list was ever fetched.
mirrors() { own_apt update --print-uris | sed -n "s|^'\(.*\)/dists/.*|\1|p" | grep -v security | sort -u; }

fetch_from() { # MIRROR SUITE
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg options=target=Packages
    [ ! -r "$keyring" ] || options+=" signed-by=$keyring"
    printf 'deb [%s] %s %s main\n' "$options" "$1" "$2" > "$work/sources.list"
    own_sources update && own_sources install --yes --download-only jujutsu >/dev/null
} 2>> "$work/errors"

unpack() {
    local deb
    for deb in "$work"/archives/*.deb; do dpkg-deb -x "$deb" "$dir/root"; done
}

write_starter() {
    local loader libraries
    loader=$(find "$dir/root" -name 'ld-linux*.so.*' -print -quit)
    libraries=$(dirname "$(find "$dir/root" -name 'libc.so.6' -print -quit)")
    cat > "$dir/bin/jj" <<STARTER
#!/bin/sh
root=\${0%/*}/../root
exec "\$root/${loader#"$dir/root/"}" --library-path "\$root/${libraries#"$dir/root/"}" "\$root/usr/bin/jj" "\$@"
STARTER
    chmod +x "$dir/bin/jj"
}

for mirror in $(mirrors); do
    for suite in $suites; do
        if fetch_from "$mirror" "$suite"; then
            unpack
            write_starter
            "$dir/bin/jj" --version >/dev/null || give_up "the jj of Debian $suite does not start here."
            exit 0
        fi
    done
done
cat "$work/errors" 2>/dev/null >&2 || :
give_up "no mirror that apt is set up with has jj in one of the suites: $suites."
