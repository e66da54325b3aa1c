// Wentlive in a subscription: two resource groups, one for everything and one that holds nothing but recorders.
// Without images only what they need is made; deploy/azure/up.sh builds them in between and says everything again.
targetScope = 'subscription'

@minLength(1)
@maxLength(40)
@description('Names this installation; several may share a subscription.')
param environmentName string

@description('The region of everything, and the first one that recorders start in.')
param location string

@description('Further regions for recorders, in the order of preference, for when one is full.')
param moreRecorderRegions array = []

@description('Who deploys: may read and write the secrets in the vault. Empty leaves that to others.')
param principalId string = ''

@allowed(['User', 'ServicePrincipal'])
param principalType string = 'User'

@allowed(['container', 'external'])
@description('A RabbitMQ in a container of its own, which may lose its queues (the services say everything again), or a broker of yours.')
param broker string = 'container'

@secure()
@description('amqps://user:password@host/vhost of a broker of yours.')
param brokerUrl string = ''

@allowed(['documentdb', 'external'])
@description('Azure DocumentDB (with vCores), or a MongoDB of yours, such as Atlas.')
param database string = 'documentdb'

@secure()
@description('mongodb+srv://user:password@host/?options of a MongoDB of yours; each service takes a database of its own there.')
param databaseUrl string = ''

@description('The size of the DocumentDB cluster.')
param databaseTier string = 'M10'

@secure()
@minLength(16)
param adminPassword string

@secure()
@minLength(16)
param serviceToken string

@secure()
@minLength(16)
param brokerPassword string

@secure()
@minLength(16)
param databasePassword string

@description('Days until a recording moves to the cool tier; 0 leaves it where it is.')
param coolAfterDays int = 30

@description('The services sign links and grants with the account key, since they do not yet do so by identity.')
param allowSharedKeyAccess bool = true

@description('Of the form registry.azurecr.io/repository@sha256:…; empty before they are built.')
param catalogImage string = ''
param orchestratorImage string = ''
param recorderImage string = ''
param watcherImage string = ''

@description('RabbitMQ, when it runs in a container here.')
param rabbitmqImage string = 'docker.io/library/rabbitmq:4.3-management'

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var complete = !empty(catalogImage) && !empty(orchestratorImage) && !empty(recorderImage) && !empty(watcherImage)

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

resource recorderGroup 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}-recorders'
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  scope: group
  name: 'identities'
  params: { location: location, tags: tags, token: token }
}

module platform 'modules/environment.bicep' = {
  scope: group
  name: 'platform'
  params: { location: location, tags: tags, token: token }
}

module registry 'modules/registry.bicep' = {
  scope: group
  name: 'registry'
  params: {
    location: location
    tags: tags
    token: token
    pullers: [
      identities.outputs.catalogPrincipalId
      identities.outputs.orchestratorPrincipalId
      identities.outputs.recorderPrincipalId
      identities.outputs.watcherPrincipalId
    ]
    cleanerId: identities.outputs.orchestratorPrincipalId
  }
}

module storage 'modules/storage.bicep' = {
  scope: group
  name: 'storage'
  params: {
    location: location
    tags: tags
    token: token
    origins: ['https://catalog.${platform.outputs.domain}']
    coolAfterDays: coolAfterDays
    allowSharedKeyAccess: allowSharedKeyAccess
    catalogId: identities.outputs.catalogPrincipalId
    orchestratorId: identities.outputs.orchestratorPrincipalId
  }
}

module recorders 'modules/recorders.bicep' = {
  scope: recorderGroup
  name: 'recorders'
  params: { orchestratorId: identities.outputs.orchestratorPrincipalId }
}

module documentdb 'modules/documentdb.bicep' = if (database == 'documentdb') {
  scope: group
  name: 'documentdb'
  params: { location: location, tags: tags, token: token, tier: databaseTier, password: databasePassword }
}

module rabbitmq 'modules/rabbitmq.bicep' = if (broker == 'container') {
  scope: group
  name: 'rabbitmq'
  params: {
    location: location
    tags: tags
    environmentId: platform.outputs.id
    image: rabbitmqImage
    password: brokerPassword
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  name: 'vault'
  params: {
    location: location
    tags: tags
    token: token
    readers: [
      identities.outputs.catalogPrincipalId
      identities.outputs.orchestratorPrincipalId
      identities.outputs.watcherPrincipalId
    ]
    principalId: principalId
    principalType: principalType
    adminPassword: adminPassword
    serviceToken: serviceToken
    amqpUrl: broker == 'container' ? 'amqp://wentlive:${brokerPassword}@rabbitmq:5672/' : brokerUrl
    databaseUrl: database == 'documentdb' ? replace(replace(documentdb.outputs.url, '<user>', 'wentlive'), '<password>', databasePassword) : databaseUrl
    storageName: storage.outputs.name
  }
}

module apps 'modules/apps.bicep' = if (complete) {
  scope: group
  name: 'apps'
  params: {
    location: location
    tags: tags
    environmentId: platform.outputs.id
    domain: platform.outputs.domain
    registryServer: registry.outputs.server
    registryName: registry.outputs.name
    vaultUri: vault.outputs.uri
    identityIds: identities.outputs.ids
    orchestratorClientId: identities.outputs.orchestratorClientId
    recorderGroupName: recorderGroup.name
    recorderRegions: concat([location], moreRecorderRegions)
    installation: token
    catalogImage: catalogImage
    orchestratorImage: orchestratorImage
    recorderImage: recorderImage
    watcherImage: watcherImage
  }
}

output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.server
output AZURE_CONTAINER_REGISTRY_NAME string = registry.outputs.name
output AZURE_RESOURCE_GROUP string = group.name
output WENTLIVE_RECORDER_GROUP string = recorderGroup.name
output WENTLIVE_VAULT string = vault.outputs.name
output WENTLIVE_URL string = 'https://catalog.${platform.outputs.domain}'
