#!/bin/bash
# Includes point downwards only (docs/ARCHITECTURE.md): base < broker < connect < cdc; web, cli and lab beside
# on public headers, lab also on cli; main.c sees all. Prints each line that breaks this, and fails.
set -u
cd "$(dirname "$0")/.."
bad=0
rule() { # folder, what it must not include
    local hits
    hits=$(grep -rnE "^#include \"($2)" "src/$1" --include='*.[ch]' 2>/dev/null) || return 0
    printf '%s\n' "$hits"
    bad=1
}
rule base '(broker|connect|cdc|web|cli|lab)/'
rule broker '(connect|cdc|web|cli|lab)/'
rule connect '(cdc|web|cli|lab)/'
rule cdc '(broker|web|cli|lab)/'
rule web '(cdc|cli|lab)/'
rule cli 'lab/'
# Of the layers below only the headers meant for them are seen.
public_only() { # folders, layer, its public headers
    local m hits
    for m in $1; do
        hits=$(grep -rnE "^#include \"$2/" "src/$m" --include='*.[ch]' | grep -vE "\"$2/($3)\"") || continue
        printf '%s\n' "$hits"
        bad=1
    done
}
public_only 'connect web cli lab' broker '(broker|admin|member)\.h|proto/[a-z_]+\.h'
public_only cdc connect '(connector|inspect|schema|record|kclient|json_out|javatext|transforms/smt)\.h'
public_only 'web cli lab' connect '(connect|connector|schema|record|kclient|herder|inspect|config_check)\.h'
public_only cli cdc 'cdc\.h'
public_only lab cdc '(cdc|mongo_shell)\.h'
public_only 'cli lab' web 'web\.h'
[[ $bad = 0 ]] && echo 'layers: ok'
exit $bad
