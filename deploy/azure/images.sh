#!/bin/sh
# Builds the four images inside the registry, without Docker here, and says which they are, by digest.
#   images.sh REGISTRY FILE    writes WENTLIVE_…_IMAGE=… lines to FILE
#   images.sh azd              puts them into the environment of the Azure Developer CLI
set -eu
cd "$(dirname "$0")/../.."
version=$(git describe --tags --always --dirty 2>/dev/null || echo unversioned)
registry=$1
[ "$1" = azd ] && registry=$AZURE_CONTAINER_REGISTRY_NAME
for service in catalog orchestrator recorder watcher; do
  az acr build --registry "$registry" --image "wentlive-$service:$version" --file "services/$service/Dockerfile" \
    --build-arg "VERSION=$version" --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
    --platform linux/amd64 --only-show-errors . >&2
  digest=$(az acr repository show --name "$registry" --image "wentlive-$service:$version" --query digest --output tsv)
  image="$registry.azurecr.io/wentlive-$service@$digest"
  name=WENTLIVE_$(echo "$service" | tr '[:lower:]' '[:upper:]')_IMAGE
  if [ "$1" = azd ]; then azd env set "$name" "$image"; else echo "$name=$image" >>"$2"; fi
done
