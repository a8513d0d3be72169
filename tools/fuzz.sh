#!/bin/bash
# Fuzz targets over their corpora; called by the Makefile.
#
#   tools/fuzz.sh replay BUILDDIR NAME...       each stored input once; closes with 'N passed, N failed'
#   tools/fuzz.sh run BUILDDIR SECONDS NAME...  libFuzzer, SECONDS a target; a crasher is kept in the
#                                               corpus as crash-*, so that the replay shows it from then on
#
# BUILDDIR holds the programs fuzz-NAME; the corpus of NAME is tests/fuzz/corpus/NAME, an optional
# dictionary tests/fuzz/NAME.dict.
set -u
cd "$(dirname "$0")/.." || exit 2
mode=${1:?replay or run} build=${2:?build directory}
shift 2
corpus=tests/fuzz/corpus

replay() {
    local passed=0 failed=0 name out file
    for name in "$@"; do
        if [[ ! -d $corpus/$name ]] || [[ -z $(ls -A "$corpus/$name") ]]; then
            echo "fuzz $name: no corpus in $corpus/$name"
            failed=$((failed + 1))
            continue
        fi
        if out=$("$build/fuzz-$name" "$corpus/$name" 2>&1); then
            out=$(grep -c . <(find "$corpus/$name" -maxdepth 1 -type f ! -name '.*'))
            echo "fuzz $name: $out inputs"
            passed=$((passed + out))
            continue
        fi
        # Something ends the program: find out which of them, one by one.
        for file in "$corpus/$name"/*; do
            if out=$("$build/fuzz-$name" "$file" 2>&1); then
                passed=$((passed + 1))
            else
                failed=$((failed + 1))
                echo "fuzz $name: $file"
                tail -n 40 <<<"$out"
            fi
        done
    done
    echo "$passed passed, $failed failed"
    [[ $failed -eq 0 ]]
}

run() {
    local seconds=$1 name failed=0 new options
    shift
    for name in "$@"; do
        mkdir -p "$corpus/$name"
        new=$build/corpus-$name # what libFuzzer collects stays out of the tree
        mkdir -p "$new"
        options=()
        [[ -f tests/fuzz/$name.dict ]] && options+=("-dict=tests/fuzz/$name.dict")
        echo "fuzz $name: $seconds s"
        if ! "$build/fuzz-$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
            -print_final_stats=0 -verbosity=0 -artifact_prefix="$corpus/$name/" "${options[@]}" "$new" "$corpus/$name"; then
            failed=$((failed + 1))
            echo "fuzz $name: found something, see $corpus/$name"
        fi
    done
    echo "$(($# - failed)) passed, $failed failed"
    [[ $failed -eq 0 ]]
}

case $mode in
replay) replay "$@" ;;
run) run "$@" ;;
*) echo "tools/fuzz.sh: $mode?" >&2; exit 2 ;;
esac
