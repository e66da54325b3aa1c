// Who the parts of Wentlive are. Identities have no passwords; what each may do stands with what it may do it to.
param location string
param tags object
param token string

resource catalog 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-catalog-${token}'
  location: location
  tags: tags
}

resource orchestrator 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-orchestrator-${token}'
  location: location
  tags: tags
}

resource watcher 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-watcher-${token}'
  location: location
  tags: tags
}

// It pulls the recorders' image and may do nothing else: what a recorder may write, each job's grants say.
resource recorder 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-recorder-${token}'
  location: location
  tags: tags
}

// Managed Identity Operator: without it a container group cannot be given the recorders' identity.
resource gives 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: recorder
  name: guid(recorder.id, orchestrator.id, 'f1a07417-d97a-45cb-824c-7a7467783830')
  properties: {
    principalId: orchestrator.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'f1a07417-d97a-45cb-824c-7a7467783830')
  }
}

output catalogPrincipalId string = catalog.properties.principalId
output orchestratorPrincipalId string = orchestrator.properties.principalId
output orchestratorClientId string = orchestrator.properties.clientId
output recorderPrincipalId string = recorder.properties.principalId
output watcherPrincipalId string = watcher.properties.principalId
output ids object = {
  catalog: catalog.id
  orchestrator: orchestrator.id
  recorder: recorder.id
  watcher: watcher.id
}
