// The three services, and what each is told.
param location string
param tags object
param environmentId string
param domain string
param registryServer string
param registryName string
param vaultUri string
param identityIds object
param orchestratorClientId string
param recorderGroupName string
param recorderRegions array
param installation string
param catalogImage string
param orchestratorImage string
param recorderImage string
param watcherImage string

module catalog 'app.bicep' = {
  name: 'catalog'
  params: {
    name: 'catalog'
    location: location
    tags: union(tags, { 'azd-service-name': 'catalog' })
    environmentId: environmentId
    image: catalogImage
    identityId: identityIds.catalog
    registryServer: registryServer
    vaultUri: vaultUri
    external: true
    secrets: {
      wentlive_catalog_admin_password: 'admin-password'
      wentlive_catalog_amqp_url: 'amqp-url'
      wentlive_catalog_service_token: 'service-token'
      wentlive_catalog_storage_connection_string: 'storage-connection-string'
      wentlive_catalog_store_url: 'store-url-catalog'
    }
    env: [
      { name: 'WENTLIVE_CATALOG_PUBLIC_URL', value: 'https://catalog.${domain}' }
      { name: 'WENTLIVE_CATALOG_WATCHER_URL', value: 'http://watcher' }
    ]
  }
}

// Recorders report to it from outside, with a token for each attempt. Without a service token of its own it has no
// operator's endpoints that somebody could reach there.
module orchestrator 'app.bicep' = {
  name: 'orchestrator'
  params: {
    name: 'orchestrator'
    location: location
    tags: union(tags, { 'azd-service-name': 'orchestrator' })
    environmentId: environmentId
    image: orchestratorImage
    identityId: identityIds.orchestrator
    registryServer: registryServer
    vaultUri: vaultUri
    external: true
    secrets: {
      wentlive_orchestrator_amqp_url: 'amqp-url'
      wentlive_orchestrator_storage_connection_string: 'storage-connection-string'
      wentlive_orchestrator_store_url: 'store-url-orchestrator'
    }
    env: [
      { name: 'WENTLIVE_ORCHESTRATOR_RUNTIME', value: 'aci' }
      { name: 'WENTLIVE_ORCHESTRATOR_REPORT_BASE_URL', value: 'https://orchestrator.${domain}' }
      { name: 'WENTLIVE_ORCHESTRATOR_ACI__SUBSCRIPTION_ID', value: subscription().subscriptionId }
      { name: 'WENTLIVE_ORCHESTRATOR_ACI__RESOURCE_GROUP', value: recorderGroupName }
      { name: 'WENTLIVE_ORCHESTRATOR_ACI__DEPLOYMENT', value: installation }
      { name: 'WENTLIVE_ORCHESTRATOR_ACI__REGIONS', value: string(recorderRegions) }
      { name: 'WENTLIVE_ORCHESTRATOR_ACI__IMAGE', value: recorderImage }
      { name: 'WENTLIVE_ORCHESTRATOR_ACI__IDENTITY_ID', value: identityIds.recorder }
      { name: 'WENTLIVE_ORCHESTRATOR_ACI__CREDENTIAL', value: 'managed_identity' }
      { name: 'WENTLIVE_ORCHESTRATOR_ACI__CLIENT_ID', value: orchestratorClientId }
      { name: 'WENTLIVE_ORCHESTRATOR_REGISTRY__REPOSITORIES', value: '["wentlive-recorder"]' }
      { name: 'WENTLIVE_ORCHESTRATOR_REGISTRY__NAME', value: registryName }
      { name: 'WENTLIVE_ORCHESTRATOR_REGISTRY__RESOURCE_GROUP', value: resourceGroup().name }
    ]
  }
}

module watcher 'app.bicep' = {
  name: 'watcher'
  params: {
    name: 'watcher'
    location: location
    tags: union(tags, { 'azd-service-name': 'watcher' })
    environmentId: environmentId
    image: watcherImage
    identityId: identityIds.watcher
    registryServer: registryServer
    vaultUri: vaultUri
    external: false
    secrets: {
      wentlive_watcher_amqp_url: 'amqp-url'
      wentlive_watcher_service_token: 'service-token'
      wentlive_watcher_store_url: 'store-url-watcher'
    }
    env: [
      { name: 'WENTLIVE_WATCHER_FOLLOW_SNAPSHOT_URL', value: 'https://catalog.${domain}/internal/v1/follows' }
    ]
  }
}
