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

# progress LABEL COMMAND...: runs COMMAND with its output in a log, shows the seconds going by, and on failure the log's end.
progress() {
    local label=$1 log started status=0 pid
    shift
    mkdir -p "$CARREL_CACHE/log"
    log=$CARREL_CACHE/log/$(printf '%s' "$label" | tr -c 'A-Za-z0-9' '-').log
    started=$SECONDS
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
