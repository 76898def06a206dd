#!/bin/sh
# Makes the namespace, unless it is there. A server that has just started may
# answer that it does not know yet, so it asks for a while.
set -eu

attempt=1
until temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; do
  if temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"; then
    echo "namespace $TEMPORAL_NAMESPACE: made"
    exit 0
  fi
  if [ "$attempt" -ge "${ATTEMPTS:-30}" ]; then
    echo "namespace $TEMPORAL_NAMESPACE: $TEMPORAL_ADDRESS did not make it in $attempt attempts" >&2
    exit 1
  fi
  attempt=$((attempt + 1))
  sleep "${PAUSE:-2}"
done
echo "namespace $TEMPORAL_NAMESPACE: it is there"
