// The services' secrets. They read them at start, by their identities; people only by a role of their own.
param location string
param tags object
param token string

@description('Principals that read secrets.')
param readers array
param principalId string
param principalType string

@secure()
param adminPassword string

@secure()
param serviceToken string

@secure()
param amqpUrl string

@secure()
@description('Of the form mongodb+srv://…/?options, into which each service\'s database is put.')
param databaseUrl string
param storageName string

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: storageName
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  name: 'kv-${token}'
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    // No purge protection: the teardown purges the vault, so that nothing stays.
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
  }
}

resource admin 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'admin-password'
  properties: { value: adminPassword }
}

resource service 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'service-token'
  properties: { value: serviceToken }
}

resource amqp 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'amqp-url'
  properties: { value: amqpUrl }
}

resource stores 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = [for name in ['catalog', 'orchestrator', 'watcher']: {
  parent: vault
  name: 'store-url-${name}'
  properties: { value: replace(databaseUrl, '/?', '/${name}?') }
}]

resource storage 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'storage-connection-string'
  properties: {
    value: 'DefaultEndpointsProtocol=https;AccountName=${account.name};AccountKey=${account.listKeys().keys[0].value};EndpointSuffix=${environment().suffixes.storage}'
  }
}

// Key Vault Secrets User
resource reads 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for reader in readers: {
  scope: vault
  name: guid(vault.id, reader, '4633458b-17de-408a-b874-0445c86b69e6')
  properties: {
    principalId: reader
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')
  }
}]

// The same for who deploys, to read the admin's password and to find the secrets again next time.
resource deploys 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(principalId)) {
  scope: vault
  name: guid(vault.id, principalId, '4633458b-17de-408a-b874-0445c86b69e6')
  properties: {
    principalId: principalId
    principalType: principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')
  }
}

output name string = vault.name
output uri string = vault.properties.vaultUri
