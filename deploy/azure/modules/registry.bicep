// The images, near the recorders: what a recorder waits for is pulled from here.
param location string
param tags object
param token string

@description('Principals that pull images.')
param pullers array

@description('Who deletes images that nothing runs any more.')
param cleanerId string

resource registry 'Microsoft.ContainerRegistry/registries@2023-07-01' = {
  name: 'cr${token}'
  location: location
  tags: tags
  sku: { name: 'Basic' }
  properties: { adminUserEnabled: false }
}

// AcrPull
resource pulls 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for puller in pullers: {
  scope: registry
  name: guid(registry.id, puller, '7f951dda-4ed3-4680-a7ca-43fe172d538d')
  properties: {
    principalId: puller
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '7f951dda-4ed3-4680-a7ca-43fe172d538d')
  }
}]

// AcrDelete, and Reader to see how full it is.
resource cleans 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in ['c2f4ef07-c644-48eb-af81-4b1b4947fb11', 'acdd72a7-3385-48ef-bd42-f606fba81ae7']: {
  scope: registry
  name: guid(registry.id, cleanerId, role)
  properties: {
    principalId: cleanerId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
  }
}]

output name string = registry.name
output server string = registry.properties.loginServer
