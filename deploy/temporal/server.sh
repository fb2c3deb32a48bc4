#!/bin/sh
# Starts Temporal with the database's password from its secret file: the server itself reads it from the environment only.
set -eu

POSTGRES_PWD=$(cat /run/secrets/temporal_db_password)
export POSTGRES_PWD

exec /etc/temporal/entrypoint.sh
