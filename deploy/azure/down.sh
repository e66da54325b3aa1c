#!/bin/sh
# Removes an installation, its recordings too, and leaves nothing behind that costs or keeps a name.
#   deploy/azure/down.sh NAME
set -eu
[ $# -eq 1 ] || { sed -n '2,3s/^# \{0,1\}//p' "$0" >&2; exit 2; }
name=$1
group=rg-$name
printf 'This deletes %s and %s-recorders with every recording in them. Type %s to go on: ' "$group" "$group" "$name"
read -r answer
[ "$answer" = "$name" ] || exit 1

exists() { [ "$(az group exists --name "$1")" = true ]; }

# The orchestrator first, or it would start recorders while they are deleted. Then the recorders: a container group
# whose identity is gone cannot be deleted any more.
if exists "$group"; then
  az containerapp delete --resource-group "$group" --name orchestrator --yes --only-show-errors || true
fi
if exists "$group-recorders"; then
  for id in $(az container list --resource-group "$group-recorders" --query '[].id' --output tsv); do
    az container delete --ids "$id" --yes --only-show-errors --output none
  done
  az group delete --name "$group-recorders" --yes
fi

vaults=
if exists "$group"; then
  vaults=$(az keyvault list --resource-group "$group" --query '[].name' --output tsv)
  az group delete --name "$group" --yes
fi
# A deleted vault keeps its name for days, and a second installation of this name would need it.
for vault in $vaults; do
  az keyvault purge --name "$vault" --only-show-errors
done
az deployment sub delete --name "wentlive-$name" --only-show-errors || true

left=$(az resource list --tag "azd-env-name=$name" --query '[].id' --output tsv)
[ -z "$left" ] || { echo "Still there, delete by hand:" >&2; echo "$left" >&2; exit 1; }
echo "Nothing of $name is left. Its secrets and parameters are still in ${WENTLIVE_AZURE_STATE:-.azure}/$name."
