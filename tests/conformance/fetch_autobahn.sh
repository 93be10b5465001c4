#!/bin/sh
# Fetches Autobahn|Testsuite, from PyPI, and the Python 2.7 that it needs, from the packages of
# Debian 11, into the cache: fetch_autobahn.sh. Prints the folder, in which ./wstest runs it.
# Nothing is installed. Where it cannot be had, the last line on standard error says why.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=${RELAY_AUTOBAHN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/relay/autobahn}
root=$cache/25.10.1
export LC_ALL=C

if [ -f "$root/ready" ]; then
    echo "$root"
    exit 0
fi
if [ -f "$root/failed" ] && [ -n "$(find "$root/failed" -mmin -60)" ]; then
    cat "$root/failed" >&2 # do not make each test program wait for the network
    exit 1
fi
give_up() {
    mkdir -p "$root"
    echo "$1" | tee "$root/failed" >&2
    exit 1
}

[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] ||
    give_up "its wheels for Python 2.7 are for Debian on x86-64 only"
rm -rf "$root"
mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial"
uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
    awk '$2 ~ /^(bookworm|trixie)$/ {print $1; exit}')
[ -n "$uri" ] || give_up "no Debian archive among the sources of apt"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keyring arch=amd64] $uri bullseye main" >"$root/apt/sources.list"

apt_here() {
    timeout 120 apt-get -qq -o Dir::Etc::SourceList="$root/apt/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Acquire::Languages=none \
        -o Dir::State::Lists="$root/apt/lists" -o Dir::Cache="$root/apt/cache" \
        -o APT::Architecture=amd64 -o APT::Get::List-Cleanup=false -o APT::Sandbox::User=root "$@"
}
apt_here update >&2 || give_up "the archive does not answer"
packages="python2.7-minimal libpython2.7-minimal libpython2.7-stdlib libssl1.1 libffi7
    python-pip-whl python-setuptools python-pkg-resources"
# shellcheck disable=SC2086  # several names
(cd "$root/apt" && apt_here download $packages >&2) ||
    give_up "the archive has no Python 2.7 of Debian 11"
for file in "$root"/apt/*.deb; do
    dpkg-deb -x "$file" "$root/tree"
done
rm -rf "$root/apt"

cat >"$root/wstest" <<'SCRIPT'
#!/bin/sh
# Python 2.7 of Debian 11 from this folder, with Autobahn|Testsuite: ./wstest ARGUMENT…
root=$(cd "$(dirname "$0")" && pwd)
LD_LIBRARY_PATH=$root/tree/usr/lib/x86_64-linux-gnu PYTHONPATH= \
    PYTHONUSERBASE=$root/site PYTHONDONTWRITEBYTECODE=1 exec "$root/tree/usr/bin/python2.7" \
    -c 'import sys; sys.argv[0] = "wstest"; from autobahntestsuite.wstest import run; run()' "$@"
SCRIPT
chmod +x "$root/wstest"

wheels=$(printf '%s:' "$root"/tree/usr/share/python-wheels/*.whl)
LD_LIBRARY_PATH=$root/tree/usr/lib/x86_64-linux-gnu PYTHONPATH=$wheels PYTHONUSERBASE=$root/site \
    timeout 300 "$root/tree/usr/bin/python2.7" -m pip install --user --no-deps \
    --disable-pip-version-check -r "$here/autobahn.txt" >"$root/pip.log" 2>&1 ||
    give_up "PyPI does not answer, or not with these packages"
"$root/wstest" --autobahnversion >&2 || give_up "it does not start"
touch "$root/ready"
echo "$root"
