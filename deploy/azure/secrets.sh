#!/bin/sh
# Makes the four secrets that an installation starts with, once.
#   secrets.sh FILE    appends what is missing to FILE, which only you can read
#   secrets.sh azd     puts what is missing into the environment of the Azure Developer CLI
set -eu
umask 077
for name in WENTLIVE_ADMIN_PASSWORD WENTLIVE_SERVICE_TOKEN WENTLIVE_BROKER_PASSWORD WENTLIVE_DATABASE_PASSWORD; do
  if [ "$1" = azd ]; then
    azd env get-values | grep -q "^$name=" || azd env set "$name" "$(openssl rand -hex 16)"
  else
    touch "$1"
    grep -q "^$name=" "$1" || printf '%s=%s\n' "$name" "$(openssl rand -hex 16)" >>"$1"
  fi
done
