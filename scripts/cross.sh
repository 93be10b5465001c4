#!/usr/bin/env bash
# Builds what stands at experiments for another machine, with the cross compiler of Debian and that
# machine's packages in a folder of their own, and runs its unit tests under QEMU. The last line is
# the result: "N passed, N failed, N skipped".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'END'
usage: scripts/cross.sh [--install] [--no-tests] [--jobs N] ARCHITECTURE

Builds base, wire, client, relay host, the GStreamer elements and the tools for armhf, arm64 or i386
in build/cross-ARCHITECTURE, and runs their unit tests under QEMU. The packages of that machine are
unpacked below $RELAY_CROSS (~/.cache/relay/cross), and this machine's own are left alone.

  --install   install the cross compiler and QEMU, with apt-get as root or through sudo; without it
              everything is skipped, with the reason, where they are missing
  --no-tests  build only
  --jobs N    at a time (default: the processors)
  --help      this text
END
}

# Nothing could be checked: a skip with its reason, or a failure.
skip() {
    printf 'cross: skipped: %s\n0 passed, 0 failed, 1 skipped\n' "$1"
    exit 0
}

fail() {
    printf 'cross: %s\n0 passed, 1 failed, 0 skipped\n' "$1"
    exit 1
}

install=no tests=yes jobs=$(nproc) architecture=
while (($# > 0)); do
    case $1 in
    --install) install=yes ;;
    --no-tests) tests=no ;;
    --jobs)
        (($# > 1)) || fail '--jobs needs a number (see --help)'
        jobs=$2
        shift
        ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) architecture=$1 ;;
    esac
    shift
done
# The machine as its compiler names it, and as QEMU does.
case $architecture in
armhf) target=arm-linux-gnueabihf emulator=qemu-arm compiler=gcc-arm-linux-gnueabihf ;;
arm64) target=aarch64-linux-gnu emulator=qemu-aarch64 compiler=gcc-aarch64-linux-gnu ;;
i386) target=i686-linux-gnu emulator=qemu-i386 compiler=gcc-i686-linux-gnu ;;
*) fail "give an architecture, armhf, arm64 or i386, not \"$architecture\" (see --help)" ;;
esac
folder=${RELAY_CROSS:-${HOME:-/root}/.cache/relay/cross}/$architecture
root=$folder/root
libraries=(libc6-dev libssl-dev libwslay-dev libjansson-dev libgstreamer1.0-dev)

have_tools() {
    command -v "$target-gcc" >/dev/null &&
        { [[ $tests == no ]] || command -v "$emulator" >/dev/null; }
}

install_tools() {
    local as_root=()
    ((EUID == 0)) || as_root=(sudo)
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 \
        install -y --no-install-recommends "$compiler" qemu-user </dev/null
}

# apt with lists, status and cache of its own, for the foreign architecture alone.
foreign_apt() {
    apt-get -q -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture" \
        -o "Dir::State=$folder/state" -o "Dir::State::status=$folder/status" \
        -o "Dir::Cache=$folder/cache" -o "Dir::Etc::sourcelist=$sources" \
        -o Dir::Etc::sourceparts=/dev/null -o Debug::NoLocking=true \
        -o APT::Sandbox::User=root "$@" </dev/null
}

# Unpacks the packages; their scripts never run.
make_root() {
    local package sources=/etc/apt/sources.list.d/debian.sources
    [[ -e $sources ]] || sources=/etc/apt/sources.list
    rm -rf "$folder"
    mkdir -p "$folder/state/lists/partial" "$folder/cache/archives/partial" "$folder/root.new"
    : >"$folder/status"
    foreign_apt update # a list that cannot be had may not be needed
    foreign_apt install -y --no-install-recommends --download-only "${libraries[@]}" ||
        return 1
    for package in "$folder"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$folder/root.new" || return 1
    done
    rm -rf "$folder/cache" "$folder/state"
    mv "$folder/root.new" "$root"
}

if ! have_tools && [[ $install == yes ]]; then
    install_tools || printf 'cross: %s cannot be installed\n' "$compiler and qemu-user"
fi
have_tools || skip "no $target-gcc or $emulator here: scripts/cross.sh --install $architecture"
if [[ ! -d $root ]]; then
    printf 'cross: fetching the packages of %s into %s\n' "$architecture" "$folder"
    mkdir -p "${folder%/*}"
    make_root >"$folder.log" 2>&1 || {
        tail -n 5 "$folder.log"
        skip "the packages of $architecture cannot be fetched ($folder.log)"
    }
fi

multiarch=${target/i686/i386}
export PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_LIBDIR=$root/usr/lib/$multiarch/pkgconfig:$root/usr/share/pkgconfig
build=build/cross-$architecture
printf 'cross: configuring and building in %s\n' "$build"
cmake -G Ninja -B "$build" -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/cross.cmake" \
    -DRELAY_CROSS_TARGET="$target" -DRELAY_CROSS_ROOT="$root" \
    -DRELAY_CROSS_EMULATOR="$emulator;-L;$root" -DCMAKE_BUILD_TYPE=Debug -DRELAY_WERROR=ON \
    -DRELAY_SERVER=OFF || fail "configuring for $architecture failed"
cmake --build "$build" -j "$jobs" || fail "building for $architecture failed"
if [[ $tests == no ]]; then
    printf '1 passed, 0 failed, 0 skipped\n'
    exit 0
fi
# Those that promise milliseconds, that take minutes when emulated, and one that counts on an error
# of posix_spawn, which QEMU does not pass on.
left_out='^unit/(base/log_output|client/connection|client/net/http_get|host/device/endpoint)$'
left_out+='|^unit/(host-gst/sink/message_assembler|wire/utf8_stream)$'
printf 'cross: left out under QEMU: %s\n' "$left_out"
results=$PWD/$build/test-results.xml
rm -f "$results"
status=0
ctest --test-dir "$build" -j "$jobs" -L '^unit$' -E "$left_out" --output-on-failure \
    --repeat until-pass:3 --no-tests=error --output-junit "$results" </dev/null || status=$?
[[ -s $results ]] || fail "ctest ended with status $status and no results"
exec /usr/bin/python3 scripts/test_summary.py "$results" "$status"
