#!/bin/sh
# Fetches a stock Debian kernel into the cache and unpacks it: fetch_kernel.sh 6.1|6.12|7
# Prints the folder with vmlinuz and lib/modules. Nothing is installed, and nothing is kept in the
# repository.
set -eu

series=${1:?usage: fetch_kernel.sh 6.1|6.12|7}
cache=${RELAY_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/relay/vm}
root=$cache/linux-$series
export LC_ALL=C

if [ -f "$root/ready" ]; then
    echo "$root"
    exit 0
fi
rm -rf "$root"
mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial"

# The running distribution's own archive, asked for the suite that has this series.
uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    awk '$2 ~ /^(bookworm|trixie|bookworm-updates)$/ {print $1; exit}')
[ -n "$uri" ] || { echo "no Debian archive among the sources of apt" >&2; exit 1; }
case $series in
6.1) suites="bookworm bookworm-updates" ;;
6.12) suites="bookworm-backports" ;;
7) suites="trixie-backports" ;; # the newest there, whichever 7.x it is
*) echo "unknown series $series: 6.1, 6.12 or 7" >&2; exit 1 ;;
esac
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
for suite in $suites; do
    echo "deb [signed-by=$keyring arch=amd64] $uri $suite main"
done >"$root/apt/sources.list"

apt_here() {
    apt-get -qq -o Dir::Etc::SourceList="$root/apt/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$root/apt/lists" -o Dir::Cache="$root/apt/cache" \
        -o APT::Architecture=amd64 -o APT::Get::List-Cleanup=false -o APT::Sandbox::User=root "$@"
}
cache_here() {
    apt-cache -o Dir::Etc::SourceList="$root/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$root/apt/lists" -o Dir::Cache="$root/apt/cache" "$@"
}
apt_here update >&2
package=$(cache_here depends linux-image-amd64 |
    sed -n "s/.*Depends: \(linux-image-${series}[.+][^ ]*-amd64\)\$/\1/p" | sort -V | tail -n 1)
[ -n "$package" ] || { echo "the archive has no kernel $series" >&2; exit 1; }
version=${package#linux-image-}
# From trixie-backports on the image is an empty package above two with the files.
if cache_here show "linux-binary-$version" >/dev/null 2>&1; then
    packages="linux-binary-$version linux-modules-$version"
else
    packages=$package
fi
echo "fetching $packages (70 to 120 MB)" >&2
# shellcheck disable=SC2086  # several names
(cd "$root/apt" && apt_here download $packages >&2)
for file in "$root"/apt/*.deb; do
    dpkg-deb -x "$file" "$root/tree"
done
if [ -d "$root/tree/boot" ]; then
    mv "$root"/tree/boot/vmlinuz-* "$root/vmlinuz"
    mv "$root/tree/lib" "$root/lib"
else
    mv "$root/tree/usr/lib/modules/$version/vmlinuz" "$root/vmlinuz"
    mv "$root/tree/usr/lib" "$root/lib"
fi
version=$(ls "$root/lib/modules")
depmod -b "$root" "$version"
rm -rf "$root/apt" "$root/tree"
echo "$version" >"$root/version"
touch "$root/ready"
echo "$root"
