#!/bin/bash
# All tests, as `make test` and CI run them. Each stage writes build/test/STAGE.log; a failed one is printed.
# STAGES="unit live" runs some. Closes with 'N passed, N failed': the sum of all stages.
set -uo pipefail
cd "$(dirname "$0")/.."
logs=build/test
mkdir -p "$logs"
passed=0 failed=0 jobs=-j$(nproc)
make="make --no-print-directory"

stage() { # name, command...: counts its last 'N passed, N failed', or 1 for its exit status
    local name=$1 t0=$SECONDS status p f
    shift
    [[ -n ${STAGES:-} && " $STAGES " != *" $name "* ]] && return
    "$@" >"$logs/$name.log" 2>&1 </dev/null
    status=$?
    read -r p f < <(grep -oE '^[0-9]+ passed, [0-9]+ failed' "$logs/$name.log" | tail -1 | awk '{print $1, $3}')
    if [[ -z ${p:-} ]]; then p=$((status == 0)) f=$((status != 0)); fi
    [[ $status != 0 && $f = 0 ]] && f=1
    passed=$((passed + p)) failed=$((failed + f))
    printf '%-12s %5d ok %3d failed  %4d s\n' "$name" "$p" "$f" $((SECONDS - t0))
    grep -iE '^(skipped|.*: skipped)' "$logs/$name.log" | sort | uniq -c | sed 's/^ *[0-9]* /    /' | head -5
    [[ $f = 0 ]] || { echo "--- $logs/$name.log (tail)"; tail -n 60 "$logs/$name.log"; echo "---"; }
}

stage build $make $jobs DEVELOPER=1 all
stage layers $make layers
stage headers $make headers
stage format $make format-check
stage clang $make $jobs CC=clang DEVELOPER=1 BUILD=build/clang all
stage unit $make $jobs DEVELOPER=1 unit
stage asan-unit $make $jobs VARIANT=asan unit
stage fuzz-replay $make $jobs VARIANT=asan fuzz-replay
stage tsan-unit env TSAN_OPTIONS="suppressions=$PWD/tools/tsan.supp halt_on_error=1" $make $jobs VARIANT=tsan unit
stage live tools/live.sh -m 'not torture and not slow' -n 3 --dist loadfile # most of them wait most of the time
stage torture tools/torture.sh "${ROUNDS:-50}"
stage asan-live $make $jobs VARIANT=asan all
stage asan-run env WEIR="$PWD/build/asan/weir" ASAN_OPTIONS=detect_leaks=1 tools/live.sh -m sanitizer -n 2 --dist loadfile
stage tsan-live $make $jobs VARIANT=tsan all
stage tsan-run env WEIR="$PWD/build/tsan/weir" TSAN_OPTIONS="suppressions=$PWD/tools/tsan.supp" tools/live.sh -m sanitizer -n 2 --dist loadfile
ln -sfn release/weir build/weir
stage golden tools/golden.sh
stage demo tools/demo-check.sh
stage ui tools/check-ui.sh --short
echo "$passed passed, $failed failed"
[[ $failed = 0 ]]
