// The recorders' own resource group: the orchestrator may make and delete container groups here, and nowhere else.
param orchestratorId string

// Azure Container Instances Contributor Role
resource runs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, orchestratorId, '5d977122-f97e-4b4d-a52f-6b43003ddb4d')
  properties: {
    principalId: orchestratorId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '5d977122-f97e-4b4d-a52f-6b43003ddb4d')
  }
}
