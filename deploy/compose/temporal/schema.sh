#!/bin/sh
# Makes Temporal's tables, or brings them to this version's. It may run again.
set -eu

SQL_PASSWORD=$(cat "${SECRETS:-/run/secrets}/temporal_db_password")
export SQL_PASSWORD

tool() {
  temporal-sql-tool --plugin postgres12_pgx \
    --endpoint "$POSTGRES_SEEDS" --port "$DB_PORT" --user "$POSTGRES_USER" "$@"
}

schema=${SCHEMA:-/etc/temporal/schema/postgresql/v12}
for pair in temporal:temporal temporal_visibility:visibility; do
  database=${pair%%:*}
  tool --database "$database" setup-schema --version 0.0
  tool --database "$database" update-schema --schema-dir "$schema/${pair##*:}/versioned"
done
