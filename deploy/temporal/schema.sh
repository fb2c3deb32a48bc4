#!/bin/sh
# Brings the tables of both of Temporal's databases to the version of this image. Runs in temporalio/admin-tools.
set -eu

SQL_PASSWORD=$(cat /run/secrets/temporal_db_password)
export SQL_PASSWORD

schemas=/etc/temporal/schema/postgresql/v12

# Both commands change nothing where their work is done already.
bring_up_to_date() {
    temporal-sql-tool --database "$1" setup-schema -v 0.0
    temporal-sql-tool --database "$1" update-schema -d "$schemas/$2/versioned"
}

bring_up_to_date temporal temporal
bring_up_to_date temporal_visibility visibility
