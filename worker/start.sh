#!/usr/bin/env bash
# Starts the worker:  ./worker/start.sh [flags of the worker]
#
# With Go it is built first (seconds, when nothing changed); without, bin/worker is run if somebody put it there. Settings
# come from the environment, and from the file .env in the repository's folder (or the one that ENV_FILE names) if there
# is one: lines like NAME=value. What is set in the environment already wins. Ctrl-C and SIGTERM reach the worker itself,
# which finishes the sends that are under way.
set -euo pipefail

fail() {
    printf 'start.sh: %s\n' "$@" >&2
    exit 1
}

here=${BASH_SOURCE[0]%/*}
[[ $here == "${BASH_SOURCE[0]}" ]] && here=.
cd "$here/.."

# read_settings FILE: takes over NAME=value lines. Nothing in the file is run: $(…) is just text.
read_settings() {
    local line name value number=0
    while IFS= read -r line || [[ -n $line ]]; do
        number=$((number + 1))
        line=${line%$'\r'}
        [[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
        [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] ||
            fail "$1, line $number: not NAME=value"
        name=${BASH_REMATCH[2]} value=${BASH_REMATCH[3]}
        if [[ $value =~ ^\"(.*)\"[[:space:]]*$ || $value =~ ^\'(.*)\'[[:space:]]*$ ]]; then
            value=${BASH_REMATCH[1]}
        fi
        [[ -n ${!name+set} ]] || export "$name=$value"
    done <"$1"
}

settings=${ENV_FILE:-.env}
if [[ -f $settings ]]; then
    read_settings "$settings"
elif [[ -n ${ENV_FILE:-} ]]; then
    fail "ENV_FILE names $ENV_FILE, which is not there"
fi

worker=bin/worker
if command -v go >/dev/null; then
    go build -o "$worker" ./worker || fail "the worker could not be built: see above"
elif [[ ! -x $worker ]]; then
    fail "neither Go nor $worker is here." \
        "Install Go (https://go.dev/dl/; go.mod says which version), or build it elsewhere:" \
        "  CGO_ENABLED=0 GOOS=linux go build -o $worker ./worker"
fi

# In place of this script, so that signals need no forwarding.
exec "$worker" "$@"
