#!/bin/sh
# Creates the namespace, and lets finished workflows be looked at for a week. Runs in temporalio/admin-tools, which finds
# the server and the namespace's name in TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.
set -eu

tries=30
until temporal operator cluster health >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ "$tries" -le 0 ]; then
        echo "Temporal at $TEMPORAL_ADDRESS does not answer: see 'docker compose logs temporal'" >&2
        exit 1
    fi
    sleep 2
done

if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
    echo "namespace $TEMPORAL_NAMESPACE is there"
    exit 0
fi
temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 168h
