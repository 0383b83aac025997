# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts of image-build/: where things are kept, progress, and the machine's own Debian mirror.
# Source it with bash; it sets nothing but functions and the CARREL_* variables below.

CARREL_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CARREL_CACHE=${CARREL_CACHE:-/var/cache/carrel}
CARREL_SUITE=trixie

say() { printf '==> %s\n' "$*" >&2; }
die() {
    printf 'carrel: %s\n' "$*" >&2
    exit 1
}

need_root() { [ "$(id -u)" = 0 ] || die "this makes Debian roots and needs root: run it with sudo"; }

# need_machine: says what a machine lacks before anything is made on it, instead of half an hour later.
need_machine() {
    local free
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || die "this needs Debian 12 or 13: there is no apt-get here"
    [ "$(dpkg --print-architecture)" = amd64 ] || die "this needs a PC (amd64); here is $(dpkg --print-architecture)"
    mkdir -p "$CARREL_CACHE"
    free=$(df --output=avail -BG "$CARREL_CACHE" | tr -dc '0-9')
    [ "$free" -ge 8 ] ||
        die "$CARREL_CACHE has $free GiB free and needs 8: make room, or let CARREL_CACHE name a folder with more"
}

# need_memory GIB WHAT: so much must be free.
need_memory() {
    local free
    free=$(awk '/^MemAvailable/ { print int($2 / 1024 / 1024) }' /proc/meminfo)
    [ "$free" -ge "$1" ] || die "$2 needs $1 GiB of free memory, and $free are: end something, or take a larger machine"
}

# hash_of FILE...: twelve hex digits that name what the files hold.
hash_of() { cat -- "$@" | sha256sum | cut -c1-12; }

# packages_in LIST: the package names of a packages.* file, without comments and prefixes.
packages_in() { sed -e 's/#.*//' -e 's/^backports://' -e '/^[[:space:]]*$/d' "$1"; }
backports_in() { sed -n 's/^backports://p' "$1"; }

# debian_mirror: the archive this machine itself installs Debian from, so that a site's own mirror is used. Inside the build
# root, which keeps no package lists, it is the archive the root was made from.
debian_mirror() {
    local uri
    if [ -n "${CARREL_ROOT:-}" ] && [ / -ef "$CARREL_ROOT" ]; then
        sed -n "s,^deb .*\] \(.*\) $CARREL_SUITE main\$,\1,p" /etc/apt/sources.list
        return
    fi
    uri=$(apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(COMPONENT)' 'Created-By: Packages' |
        awk -F'|' '$1 == "Debian" && $3 == "main" && $2 !~ /security/ { print $2; exit }')
    [ -n "$uri" ] || die "no Debian archive in this machine's apt configuration: add one, run apt-get update, and try again"
    printf '%s\n' "${uri%/}"
}

# progress LABEL COMMAND...: runs COMMAND with its output in a log, shows on a terminal the seconds going by, elsewhere that it
# began, and on failure the log's end.
progress() {
    local label=$1 log started status=0 pid
    shift
    mkdir -p "$CARREL_CACHE/log"
    log=$CARREL_CACHE/log/$(printf '%s' "$label" | tr -c 'A-Za-z0-9' '-').log
    started=$SECONDS
    [ -t 2 ] || say "$label …"
    "$@" >"$log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        [ -t 2 ] && printf '\r==> %s … %ds ' "$label" $((SECONDS - started)) >&2
        sleep 0.5
    done
    wait "$pid" || status=$?
    [ -t 2 ] && printf '\r\033[K' >&2
    if [ "$status" != 0 ]; then
        tail -n 25 "$log" >&2
        die "$label failed; the whole log is $log"
    fi
    say "$label: $((SECONDS - started)) s"
}
