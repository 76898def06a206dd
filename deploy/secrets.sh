#!/bin/sh
# Makes the secrets of docker-compose.yml in deploy/compose/secrets, which git
# ignores. What is there already stays as it is, so it may run again; to change a
# secret, see docs/compose.md.
#
#   FIRSTPROMOTER_API_KEY=... deploy/secrets.sh     or it asks for the key
#
# The directory is for you alone (0700). The files in it are 0644, because Compose
# hands a secret to a container as the file that it is, and the programs in the
# containers run under accounts of their own.
set -eu

cd "$(dirname "$0")"
directory=${SECRETS_DIR:-compose/secrets}
umask 077
mkdir -p "$directory"
chmod 700 "$directory"
cd "$directory"

made=
# keep NAME MODE CONTENT: writes a file whole or not at all.
keep() {
  printf %s "$3" >"$1.new"
  chmod "$2" "$1.new"
  mv "$1.new" "$1"
  made="$made $1"
}
random() { od -An -v -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }
sha256() {
  if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

if [ ! -e firstpromoter_api_key ]; then
  if [ -z "${FIRSTPROMOTER_API_KEY:-}" ] && [ -t 0 ]; then
    printf 'API key of FirstPromoter (Settings, Integrations, Manage API keys): ' >&2
    trap 'stty echo' EXIT
    stty -echo
    read -r FIRSTPROMOTER_API_KEY || true
    stty echo
    trap - EXIT
    echo >&2
  fi
  if [ -z "${FIRSTPROMOTER_API_KEY:-}" ]; then
    echo "There is no API key of FirstPromoter yet: FIRSTPROMOTER_API_KEY=... $0" >&2
    exit 1
  fi
  keep firstpromoter_api_key 644 "$FIRSTPROMOTER_API_KEY"
fi

for name in postgres_password temporal_db_password rewardflow_db_password webhook_secret; do
  [ -e "$name" ] || keep "$name" 644 "$(random 24)"
done
[ -e database_url ] || keep database_url 644 \
  "postgres://rewardflow:$(cat rewardflow_db_password)@postgres:5432/rewardflow?sslmode=disable"

# The first operator. The token is for people and stays here; the processes know
# its SHA-256.
[ -e operator_token ] || keep operator_token 600 "rf_$(random 32)"
# Encrypts what goes to Temporal. Keep a copy elsewhere: without it nobody reads
# the workflows that were written with it.
[ -e encryption_key ] || keep encryption_key 644 "$(head -c 32 /dev/urandom | base64 | tr -d '\n')"

[ -e rewardflow.env ] || keep rewardflow.env 644 "REWARDFLOW_OPERATORS_0_NAME=admin
REWARDFLOW_OPERATORS_0_TOKEN_SHA256=$(sha256 <operator_token)
REWARDFLOW_OPERATORS_0_ROLES=viewer,approver,finance,operator,admin
REWARDFLOW_ENCRYPTION_KEYS_0_ID=$(date -u +%Y%m%d)-$(random 3)
"

if [ -z "$made" ]; then
  echo "All secrets are there already: $(pwd)"
else
  echo "Made in $(pwd):$made"
fi
echo "Next: docker compose up --detach --wait"
