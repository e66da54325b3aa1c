// The recordings: private, read by the browser through expiring links only.
param location string
param tags object
param token string

@description('The web app, whose pages play by byte range.')
param origins array
param coolAfterDays int
param allowSharedKeyAccess bool
param catalogId string
param orchestratorId string

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: 'st${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: allowSharedKeyAccess
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    cors: {
      corsRules: [
        {
          allowedOrigins: origins
          allowedMethods: ['GET', 'HEAD', 'OPTIONS']
          allowedHeaders: ['range', 'x-ms-*']
          exposedHeaders: ['content-range', 'content-length', 'etag', 'accept-ranges']
          maxAgeInSeconds: 3600
        }
      ]
    }
    deleteRetentionPolicy: { enabled: true, days: 7 }
  }
}

resource recordings 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'recordings'
  properties: { publicAccess: 'None' }
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = if (coolAfterDays > 0) {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'cool'
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['recordings/'] }
            actions: { baseBlob: { tierToCool: { daysAfterModificationGreaterThan: coolAfterDays } } }
          }
        }
      ]
    }
  }
}

// Storage Blob Data Contributor: what a grant may let a recorder write; and the catalog erases what its bin held long enough,
// and keeps beside the recordings what it is rebuilt from.
resource writes 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for writer in [catalogId, orchestratorId]: {
  scope: recordings
  name: guid(recordings.id, writer, 'ba92f5b4-2d11-453d-a403-e96b0029c9fe')
  properties: {
    principalId: writer
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'ba92f5b4-2d11-453d-a403-e96b0029c9fe')
  }
}]

// Storage Blob Delegator: to sign links and grants without the account's key.
resource signs 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for signer in [catalogId, orchestratorId]: {
  scope: account
  name: guid(account.id, signer, 'db58b8e5-c6ad-4a2a-8342-4190687cbf4a')
  properties: {
    principalId: signer
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'db58b8e5-c6ad-4a2a-8342-4190687cbf4a')
  }
}]

output name string = account.name
