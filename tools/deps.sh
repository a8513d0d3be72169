#!/bin/bash
# deps.sh demo | test | all [--list]
# Installs what is missing on Debian 12, and says what: `demo` is what `make` and `make demo` need, `test` adds
# what `make test` needs, `all` adds the tools for benchmarks and packaging. --list only prints the names.
# Needs root or sudo only when something is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

build=(gcc make pkg-config libc6-dev libevent-dev libsqlite3-dev libjansson-dev libmariadb-dev libssl-dev zlib1g-dev
       liblz4-dev libzstd-dev libsnappy-dev libpcre2-dev libmongoc-dev)
demo=(mariadb-server-core mariadb-client-core)          # the demo's private database
tests=(clang clang-format libclang-rt-14-dev libcunit1-dev librdkafka-dev python3 python3-pip python3-venv kcat iproute2 curl
       util-linux procps chromium openssl tzdata)
bench=(linux-perf)

case ${1:-} in
demo) want=("${build[@]}" "${demo[@]}") ;;
test) want=("${build[@]}" "${demo[@]}" "${tests[@]}") ;;
all) want=("${build[@]}" "${demo[@]}" "${tests[@]}" "${bench[@]}") ;;
*) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
# Node.js bundles the web page (and runs kafkajs in the tests); any version from 18 on, from anywhere, will do.
command -v npm >/dev/null || want+=(nodejs npm)
# Go builds the programs of the client tests; from 1.19 on, which is Debian 12's.
command -v go >/dev/null || [[ $1 == demo ]] || want+=(golang-go)
# The compiler is for the Java programs of the client tests.
command -v javac >/dev/null || [[ $1 == demo ]] || want+=(openjdk-17-jdk-headless)
command -v mvn >/dev/null || [[ $1 == demo ]] || want+=(maven)
[[ ${2:-} == --list ]] && { printf '%s\n' "${want[@]}"; exit; }

missing=()
for p in "${want[@]}"; do
    dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

printf 'weir: installing for "%s": %s\n' "$1" "${missing[*]}"
sudo=
if [[ $(id -u) != 0 ]]; then
    command -v sudo >/dev/null || { echo "weir: run as root, or install sudo; missing: ${missing[*]}" >&2; exit 1; }
    sudo=sudo
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
{ $sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 ||
    { tail -20 "$log" >&2; echo "weir: apt-get could not install the packages above" >&2; exit 1; }
