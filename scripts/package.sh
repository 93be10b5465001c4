#!/usr/bin/env bash
# Builds the Debian packages of this tree, checks them with lintian, and builds them a second time
# in another folder, at another time, in another locale: both must be the same to the bit.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'END'
usage: scripts/package.sh [--once] [--no-lintian] [--output DIR] [--help]

Builds relay, gstreamer1.0-relay, librelay-client0, librelay-client-dev and relay-doc for this
distribution, from the files that git knows. Needs the packages that debian/control names, and
dpkg-dev, debhelper, fakeroot and lintian.

  --once         build once, without the proof that a second build is the same
  --no-lintian   do not check the packages
  --output DIR   where they go (default: build/packages)
  --help         this text
END
}

die() {
    printf 'package: %s\n' "$*" >&2
    exit 1
}

once=no
with_lintian=yes
output=build/packages
while (($# > 0)); do
    case $1 in
    --once) once=yes ;;
    --no-lintian) with_lintian=no ;;
    --output)
        (($# > 1)) || die '--output needs a value (see --help)'
        output=$2
        shift
        ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) die "unknown option $1 (see --help)" ;;
    esac
    shift
done

for program in dpkg-buildpackage dh fakeroot git; do
    command -v "$program" >/dev/null ||
        die "no $program here: apt-get install dpkg-dev debhelper fakeroot git"
done
if [[ $with_lintian == yes ]] && ! command -v lintian >/dev/null; then
    die 'no lintian here: apt-get install lintian, or --no-lintian'
fi
dpkg-checkbuilddeps || die 'build dependencies are missing: apt-get build-dep .'

scratch=$(mktemp -d "${TMPDIR:-/tmp}/relay-package-XXXXXX")
trap 'rm -rf "$scratch"' EXIT

# Files as git knows them, also those changed and not committed yet.
copy_tree() {
    mkdir -p "$1"
    git ls-files -z --cached --others --exclude-standard |
        xargs -0 sh -c 'for file; do test ! -e "$file" || printf "%s\0" "$file"; done' sh |
        tar --null --files-from=- -cf - | tar -C "$1" -xf -
    # The mode in git, not that of this user's umask.
    chmod -R u=rwX,go=rX "$1"
}

build() {
    local folder=$1
    shift
    mkdir -p "$folder"
    cp -a "$scratch/tree" "$folder/relay"
    if ! (cd "$folder/relay" && env "$@" dpkg-buildpackage --unsigned-source --unsigned-changes \
        --build=full --jobs="$(nproc)") >"$folder/log" 2>&1; then
        tail -n 60 "$folder/log" >&2
        die 'the build failed'
    fi
}

printf 'package: building\n'
copy_tree "$scratch/tree"
build "$scratch/first" TZ=UTC LC_ALL=C.UTF-8

if [[ $once == no ]]; then
    printf 'package: building again, elsewhere\n'
    build "$scratch/elsewhere/second" TZ=Pacific/Auckland LC_ALL=C
    for file in "$scratch"/first/*.deb "$scratch"/first/*.tar.* "$scratch"/first/*.dsc; do
        cmp "$file" "$scratch/elsewhere/second/${file##*/}" ||
            die "${file##*/} is not the same in two builds"
    done
    printf 'package: both builds are the same to the bit\n'
fi

if [[ $with_lintian == yes ]]; then
    printf 'package: lintian\n'
    lintian -EviI --pedantic --fail-on error,warning --allow-root \
        "$scratch"/first/*.changes >"$scratch/lintian" || {
        cat "$scratch/lintian" >&2
        die 'lintian complains'
    }
    grep -E '^[EWIPX]:' "$scratch/lintian" || true
fi

mkdir -p "$output"
cp "$scratch"/first/*.deb "$scratch"/first/*.dsc "$scratch"/first/*.tar.* \
    "$scratch"/first/*.buildinfo "$scratch"/first/*.changes "$output/"
printf 'package: done\n'
ls -1 "$output"
