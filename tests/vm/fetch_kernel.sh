#!/bin/sh
# Fetches a stock Debian kernel into the cache and unpacks it: fetch_kernel.sh 6.1|6.12
# Prints the folder with vmlinuz and lib/modules. Nothing is installed, and nothing is kept in the
# repository.
set -eu

series=${1:?usage: fetch_kernel.sh 6.1|6.12}
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
*) echo "unknown series $series: 6.1 or 6.12" >&2; exit 1 ;;
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
echo "fetching $package (about 70 MB)" >&2
(cd "$root/apt" && apt_here download "$package" >&2)
dpkg-deb -x "$root"/apt/"$package"_*.deb "$root/tree"
mv "$root"/tree/boot/vmlinuz-* "$root/vmlinuz"
mv "$root/tree/lib" "$root/lib"
version=$(ls "$root/lib/modules")
depmod -b "$root" "$version"
rm -rf "$root/apt" "$root/tree"
echo "$version" >"$root/version"
touch "$root/ready"
echo "$root"
