#!/bin/sh
# Wentlive into the subscription that the Azure CLI is signed in to. Run it again to upgrade.
#   deploy/azure/up.sh NAME REGION            shows what would change, asks, and does it
#   deploy/azure/up.sh NAME REGION --what-if  shows it and ends
# Environment: WENTLIVE_BROKER_URL for a broker of yours, WENTLIVE_DATABASE_URL for a MongoDB of yours.
set -eu
[ $# -ge 2 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(dirname "$0")
name=$1 region=$2 mode=${3:-}
umask 077
state=${WENTLIVE_AZURE_STATE:-.azure}/$name
mkdir -p "$state"
state=$(cd "$state" && pwd)
"$here/secrets.sh" "$state/secrets.env"
[ -f "$state/images.env" ] || : >"$state/images.env"

# The parameters in a file of yours alone: a command line can be read by everybody on the machine.
parameters() {
  set -a
  . "$state/secrets.env"
  . "$state/images.env"
  set +a
  AZURE_ENV_NAME=$name AZURE_LOCATION=$region AZURE_PRINCIPAL_ID=$(az ad signed-in-user show --query id --output tsv) \
    python3 "$here/fill_parameters.py" >"$state/parameters.json"
}

deploy() {
  parameters
  az deployment sub "$1" --name "wentlive-$name" --location "$region" --template-file "$here/main.bicep" \
    --parameters "@$state/parameters.json" --only-show-errors
}

deploy what-if
[ "$mode" = --what-if ] && exit 0
printf 'Do this? [y/N] '
read -r answer
[ "$answer" = y ] || exit 1

for provider in App ContainerInstance ContainerRegistry DocumentDB KeyVault ManagedIdentity OperationalInsights Storage; do
  az provider register --namespace "Microsoft.$provider" --wait --only-show-errors
done
deploy create >/dev/null
# Azure changes the case of an output's name.
output() {
  az deployment sub show --name "wentlive-$name" --query properties.outputs --output json |
    python3 -c 'import json, sys; print({k.upper(): v["value"] for k, v in json.load(sys.stdin).items()}[sys.argv[1]])' "$1"
}
: >"$state/images.env"
"$here/images.sh" "$(output AZURE_CONTAINER_REGISTRY_NAME)" "$state/images.env"
deploy create >/dev/null
echo "Wentlive is at $(output WENTLIVE_URL); sign in as admin with WENTLIVE_ADMIN_PASSWORD from $state/secrets.env."
