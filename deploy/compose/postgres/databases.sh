#!/bin/sh
# Makes the roles and databases, once, when the volume is new. PostgreSQL's image
# runs it as the administrator. No password stands on a command line: psql's
# back quotes read the files.
set -eu

SECRETS=${SECRETS:-/run/secrets}
export SECRETS
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres <<'SQL'
\set temporal_password `cat "$SECRETS/temporal_db_password"`
\set rewardflow_password `cat "$SECRETS/rewardflow_db_password"`

-- Temporal and rewardflow do not see each other's data.
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE ROLE rewardflow LOGIN PASSWORD :'rewardflow_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
CREATE DATABASE rewardflow OWNER rewardflow;
REVOKE CONNECT ON DATABASE postgres, temporal, temporal_visibility, rewardflow FROM PUBLIC;
SQL
