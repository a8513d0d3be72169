#!/bin/bash
# Prints the C table of the web page's files: embed.sh DIR, where DIR/dist is the bundle and DIR/stub.html
# what is served when there is none.
set -eu
dir=$1
bytes() { od -An -v -tu1 -w24 "$1" | sed 's/  *\([0-9]\)/\1/; s/  */,/g; s/$/,/'; }
mime() {
    case $1 in
    *.html) echo 'text/html; charset=utf-8' ;; *.js) echo 'text/javascript; charset=utf-8' ;;
    *.css) echo 'text/css; charset=utf-8' ;; *.svg) echo image/svg+xml ;; *.json) echo application/json ;;
    *.png) echo image/png ;; *.woff2) echo font/woff2 ;; *.txt) echo 'text/plain; charset=utf-8' ;;
    *) echo application/octet-stream ;;
    esac
}
if [[ -f $dir/dist/index.html ]]; then root=$dir/dist; mapfile -t files < <(cd "$root" && find . -type f ! -name '*.map' | sed 's/^\.\///' | LC_ALL=C sort)
else root=$dir; files=(stub.html); fi
echo '/* Made by tools/embed.sh; not edited by hand. */'
echo '#include "web/assets.h"'
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
rows= i=0
for f in "${files[@]}"; do
    gzip -9nc "$root/$f" >"$tmp/gz"
    printf 'static const unsigned char plain_%d[] = {\n' $i; bytes "$root/$f"; echo '0};'
    printf 'static const unsigned char gz_%d[] = {\n' $i; bytes "$tmp/gz"; echo '0};'
    name=$f; [[ $f == stub.html ]] && name=index.html
    rows+=$(printf '    {"%s", "%s", "\\"%s\\"", plain_%d, sizeof plain_%d - 1, gz_%d, sizeof gz_%d - 1},' \
        "$name" "$(mime "$f")" "$(sha256sum "$root/$f" | cut -c1-20)" $i $i $i $i)$'\n'
    i=$((i + 1))
done
printf 'const struct asset assets[] = {\n%s    {0}};\n' "$rows"
