#!/bin/bash
# Includes point downwards only (docs/ARCHITECTURE.md): base < broker < connect < cdc; web and lab beside on
# public headers; main.c sees all. Prints each line that breaks this, and fails.
set -u
cd "$(dirname "$0")/.."
bad=0
rule() { # folder, what it must not include
    local hits
    hits=$(grep -rnE "^#include \"($2)" "src/$1" --include='*.[ch]' 2>/dev/null) || return 0
    printf '%s\n' "$hits"
    bad=1
}
public='broker/(broker|admin)\.h|broker/proto/|connect/(connect|connector|schema|record|herder|rest/rest)\.h'
rule base '(broker|connect|cdc|web|cli|lab)/'
rule broker '(connect|cdc|web|cli|lab)/'
rule connect '(cdc|web|cli|lab)/'
rule cdc '(web|cli|lab)/'
rule web '(cdc|cli|lab)/'
# connect, cdc and web see of the layers below only the headers meant for them.
for m in connect cdc web; do
    hits=$(grep -rnE '^#include "broker/' "src/$m" --include='*.[ch]' | grep -vE "\"($public)")
    [[ -n $hits ]] && { printf '%s\n' "$hits"; bad=1; }
done
hits=$(grep -rnE '^#include "connect/' src/web --include='*.[ch]' | grep -vE "\"($public)")
[[ -n $hits ]] && { printf '%s\n' "$hits"; bad=1; }
[[ $bad = 0 ]] && echo 'layers: ok'
exit $bad
