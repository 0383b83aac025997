#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# image-build/lib.sh: what the cache keeps and what it lets go.
set -euo pipefail
CARREL_CACHE=$(mktemp -d)
trap 'rm -rf "$CARREL_CACHE"' EXIT
. "$(dirname "$0")/../../../image-build/lib.sh"
number=0

# made NAME-KEY DAYS: a folder of the cache that was last used so many days ago.
made() {
    mkdir -p "$CARREL_CACHE/$1"
    echo content >"$CARREL_CACHE/$1/file"
    touch -d "$2 days ago" "$CARREL_CACHE/$1"
}

# expect WHAT NAME-KEY...: these are left, and nothing else.
expect() {
    local what=$1 left wanted
    shift
    left=$(cd "$CARREL_CACHE" && rm -f cache.lock && echo *)
    wanted=$(printf '%s\n' "$@" | LC_ALL=C sort | paste -sd' ')
    number=$((number + 1))
    [ "$left" = "$wanted" ] || printf 'not '
    echo "ok $number - $what # '$left'"
    rm -rf "${CARREL_CACHE:?}"/*
}

echo 1..8

for each in 0 1 2 3 4; do made guest-new$each 0; done
cache_prune guest
expect "used today, however many" guest-new0 guest-new1 guest-new2 guest-new3 guest-new4

for day in 2 3 4 5; do made guest-$day $day; done
cache_prune guest
expect "the last three generations" guest-2 guest-3 guest-4

made guest-13 13
made guest-14 14
cache_prune guest
expect "not after two weeks" guest-13

made guest-30 30
made host-30 30
made guest-killed.partial 0
mkdir "$CARREL_CACHE/guest.lock"
cache_prune guest
expect "others are left alone, what is half made is not" guest.lock host-30

made guest-30 30
exec 7<"$CARREL_CACHE/guest-30/file"
cache_prune guest
exec 7<&-
expect "a file of it is open" guest-30

cache_prune guest
expect "an empty cache" '*'

make_one() {
    made=yes
    echo content >"$CARREL_CACHE/guest-1.partial/file"
}
made=no
cache_make guest "$CARREL_CACHE/guest-1" make_one
[ "$made" = yes ] && rm "$CARREL_CACHE/guest.lock"
expect "made" guest-1

made guest-1 30
made=no
cache_make guest "$CARREL_CACHE/guest-1" make_one
cache_prune guest
[ "$made" = no ] || touch "$CARREL_CACHE/made again"
expect "found, and by that used" guest-1
