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

# What is made is kept in the cache as NAME-KEY; a folder's time is when it was last used. NAME.lock is held by whoever makes
# one; cache.lock for moments, by all who look whether one is there (shared) and by those who remove some.
CACHE_GENERATIONS=3 # of each NAME, whatever their age
CACHE_DAYS=14       # unused, after which even those go
CACHE_BUSY_DAYS=1   # within which nothing goes: several checkouts may take turns

# cache_make NAME FOLDER COMMAND...: unless FOLDER, one of NAME, is there: COMMAND fills FOLDER.partial, which becomes it.
cache_make() {
    local name=$1 folder=$2
    shift 2
    mkdir -p "$CARREL_CACHE"
    ! cache_has "$folder" || return 0
    exec 9>"$CARREL_CACHE/$name.lock"
    flock 9 # two builds at once would write the same folder
    if ! cache_has "$folder"; then
        cache_prune "$name"
        mkdir -p "$folder.partial"
        "$@"
        mv "$folder.partial" "$folder"
    fi
    exec 9>&-
}

# cache_has FOLDER: whether it is there; from now on it was used now.
cache_has() {
    (
        flock -s 8
        [ -d "$1" ] && touch "$1"
    ) 8>"$CARREL_CACHE/cache.lock"
}

# cache_prune NAME: removes what is no longer wanted of NAME, whose lock is held. What is half made was left by a run that died.
cache_prune() {
    (
        flock 8
        cache_unwanted "$1" | while IFS= read -r folder; do
            mv "$folder" "$folder.partial" # never half there under its own name
        done
    ) 8>"$CARREL_CACHE/cache.lock"
    rm -rf --one-file-system "$CARREL_CACHE/$1"-*.partial
}

# cache_unwanted NAME: the folders to remove.
cache_unwanted() {
    local folder idle newer=0
    find "$CARREL_CACHE" -maxdepth 1 -name "$1-*" ! -name '*.partial' -printf '%T@ %p\n' | sort -rn | cut -d' ' -f2- |
        while IFS= read -r folder; do
            idle=$((($(date +%s) - $(stat -c %Y "$folder")) / 86400))
            newer=$((newer + 1))
            [ "$idle" -ge "$CACHE_DAYS" ] || { [ "$idle" -ge "$CACHE_BUSY_DAYS" ] && [ "$newer" -gt "$CACHE_GENERATIONS" ]; } ||
                continue
            cache_in_use "$folder" || printf '%s\n' "$folder"
        done
}

# cache_in_use FOLDER: whether a process lives in it, as those of `enter` do, or has a file of it open.
cache_in_use() {
    local process
    for process in /proc/[0-9]*; do
        [ "$process/root" -ef "$1" ] && return
    done
    [ -n "$(find /proc/[0-9]*/fd -maxdepth 1 -lname "$1/*" -print -quit 2>/dev/null)" ]
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
