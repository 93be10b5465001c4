#!/usr/bin/env bash
# Installs, runs, upgrades, removes and purges the Debian packages in a fresh root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'END'
usage: scripts/package_test.sh [--suite NAME] [--sources FILE] [--packages DIR] [--root DIR]
                               [--help]

Makes a root with mmdebstrap, as root, and tests in it the packages that scripts/package.sh built
for the same suite: they install, the server starts, an upgrade keeps secret and options, a full
disk leaves no half secret, a removal keeps them, and a purge leaves nothing behind.

  --suite NAME     a distribution (default: that of this machine)
  --sources FILE   its sources of packages (default: those of this machine)
  --packages DIR   what to test (default: build/packages)
  --root DIR       make the root there, and leave it for tests/vm/service.py
  --help           this text
END
}

die() {
    printf 'package_test: %s\n' "$*" >&2
    exit 1
}

say() {
    printf 'package_test: %s\n' "$*"
}

suite=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
sources=
packages=build/packages
root=
while (($# > 0)); do
    case $1 in
    --suite | --sources | --packages | --root)
        (($# > 1)) || die "$1 needs a value (see --help)"
        case $1 in
        --suite) suite=$2 ;;
        --sources) sources=$2 ;;
        --packages) packages=$2 ;;
        --root) root=$2 ;;
        esac
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

((EUID == 0)) || die 'needs root, for chroot'
command -v mmdebstrap >/dev/null || die 'no mmdebstrap here: apt-get install mmdebstrap'
compgen -G "$packages/relay_*.deb" >/dev/null || die "no packages in $packages: scripts/package.sh"
if [[ -z $sources ]]; then
    for sources in /etc/apt/sources.list.d/{debian,ubuntu}.sources /etc/apt/sources.list; do
        [[ ! -s $sources ]] || break
    done
fi

server= scratch=
if [[ -z $root ]]; then
    root=$(mktemp -d "${TMPDIR:-/tmp}/relay-root-XXXXXX")
    scratch=$root
elif [[ -e $root ]]; then
    die "$root is there already"
fi

finish() {
    [[ -z $server ]] || kill "$server" 2>/dev/null || true
    umount "$root/proc" 2>/dev/null || true
    [[ -z $scratch ]] || rm -rf "$scratch"
}
trap finish EXIT

inside() {
    chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
        LC_ALL=C.UTF-8 "$@"
}

install_all() {
    inside sh -c "dpkg -i $1/*.deb" >"$root/apt.log" 2>&1 || {
        tail -n 30 "$root/apt.log" >&2
        die "cannot install $1"
    }
}

list_files() {
    (cd "$root" && find etc usr var -path var/lib/apt -prune -o -path var/cache -prune -o -print) |
        sort
}

expect() {
    local what=$1
    shift
    "$@" || die "not so: $what"
}

# The packages that ours need, which the root has from the beginning: nothing is downloaded later.
dependencies() {
    local name
    for name in "$packages"/*.deb; do
        dpkg-deb -f "$name" Depends
    done | tr ',' '\n' | sed -E 's/[|(].*//; s/:any//; s/ //g' | grep -v relay | sort -u |
        paste -sd,
}

# A copy of a package with a higher version, as the next release will be.
raise_version() {
    local name
    for name in "$packages"/*.deb; do
        rm -rf "$root/raised"
        dpkg-deb -R "$name" "$root/raised"
        sed -i -E 's/^(Version: .*)$/\1+next/; s/\(= ([^)]*)\)/(= \1+next)/' \
            "$root/raised/DEBIAN/control"
        dpkg-deb --root-owner-group -b "$root/raised" "$root/next/" >/dev/null
    done
    rm -rf "$root/raised"
}

say "making a root of $suite"
for_service=systemd-sysv,kmod,curl,openssl
mmdebstrap --quiet --variant=minbase \
    --include="ca-certificates,gstreamer1.0-tools,$for_service,$(dependencies)" "$suite" \
    "$root" "$sources"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
mkdir "$root/new" "$root/next"
cp "$packages"/*.deb "$root/new/"
rm -f "$root"/new/*-dbgsym_*
mount -t proc proc "$root/proc"
list_files >"$root/before"

say 'installing on a full disk'
mkdir -p "$root/etc/relay"
mount -t tmpfs -o size=4k,nr_inodes=8 full "$root/etc/relay"
head -c 4096 /dev/zero >"$root/etc/relay/ballast" || true
if inside sh -c 'dpkg -i /new/*.deb' >"$root/apt.log" 2>&1; then
    umount "$root/etc/relay"
    die 'an installation on a full disk went well'
fi
expect 'no half secret' test ! -s "$root/etc/relay/secret"
umount "$root/etc/relay"
rmdir "$root/etc/relay"

say 'installing'
install_all /new
expect 'a secret of 64 characters' test "$(stat -c %s:%a:%U "$root/etc/relay/secret")" = 64:600:root
expect 'the folder of certificates' \
    test "$(stat -c %a "$root/etc/relay/tls")" = 750
expect 'the group' inside getent group relay-tls >/dev/null
wants=$root/etc/systemd/system
expect 'the service is enabled' test -L "$wants/multi-user.target.wants/relay.service"
expect 'port 443 is not' test ! -e "$wants/sockets.target.wants/relay.socket"
inside relay version
inside gst-inspect-1.0 relaysink >"$root/apt.log" || die 'GStreamer does not find relaysink'

say 'starting the server with the options of the package'
mkdir -p "$root/run/credentials"
cp "$root/etc/relay/secret" "$root/run/credentials/secret"
readarray -t options < <(grep -E '^RELAY_' "$root/etc/relay/relay.env")
(exec chroot "$root" env -i "${options[@]}" RELAY_LOG_FILE=stderr RELAY_SECRET_FILE=secret \
    RELAY_STORE=memory CREDENTIALS_DIRECTORY=/run/credentials RELAY_PORT_ACCESS=0 \
    RELAY_PORT_RELAY=0 /usr/bin/relay serve) 2>"$root/relay.log" &
server=$!
for _ in $(seq 100); do
    ! grep -qs '"msg":"listening"' "$root/relay.log" || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
done
grep -q '"msg":"listening"' "$root/relay.log" ||
    die "the server does not start: $(cat "$root/relay.log")"
kill "$server"
wait "$server" || die 'the server did not end well'
server=

say 'upgrading'
raise_version
secret=$(cat "$root/etc/relay/secret")
printf 'RELAY_LOG_LEVEL=info\n' >>"$root/etc/relay/relay.env"
rm "$root"/next/*-dbgsym_* 2>/dev/null || true
install_all /next
expect 'the secret stays' test "$(cat "$root/etc/relay/secret")" = "$secret"
expect 'options stay' grep -q '^RELAY_LOG_LEVEL=info' "$root/etc/relay/relay.env"
inside dpkg-query -W -f '${Package} ${Version}\n' relay | grep -q '+next$' || die 'not upgraded'

say 'removing'
names=(relay gstreamer1.0-relay librelay-client0 librelay-client-dev relay-doc)
inside dpkg -r "${names[@]}" >"$root/apt.log" 2>&1
expect 'the secret stays' test -s "$root/etc/relay/secret"
expect 'the program is gone' test ! -e "$root/usr/bin/relay"

say 'purging'
inside dpkg -P "${names[@]}" >"$root/apt.log" 2>&1
left=$(list_files | comm -13 "$root/before" - | grep -i relay || true)
[[ -z $left ]] || die "left behind: $left"
printf 'package_test: all went well in %s\n' "$suite"
