#!/bin/sh
# The server's image takes the database's password from the environment only.
# This reads it from the secret, so that it stands in no container's definition.
set -eu

POSTGRES_PWD=$(cat "${SECRETS:-/run/secrets}/temporal_db_password")
export POSTGRES_PWD
exec "${ENTRYPOINT:-/etc/temporal/entrypoint.sh}"
