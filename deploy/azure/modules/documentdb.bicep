// Azure DocumentDB (MongoDB's protocol, with vCores), one cluster for the three services' databases.
param location string
param tags object
param token string
param tier string

@secure()
param password string

resource cluster 'Microsoft.DocumentDB/mongoClusters@2024-07-01' = {
  name: 'db-${token}'
  location: location
  tags: tags
  properties: {
    administrator: { userName: 'wentlive', password: password }
    serverVersion: '8.0'
    compute: { tier: tier }
    storage: { sizeGb: 32 }
    sharding: { shardCount: 1 }
    highAvailability: { targetMode: 'Disabled' }
    publicNetworkAccess: 'Enabled'
  }
}

// What runs in Azure may connect, with the password; the services have no fixed addresses outside a virtual network.
resource azure 'Microsoft.DocumentDB/mongoClusters/firewallRules@2024-07-01' = {
  parent: cluster
  name: 'azure'
  properties: { startIpAddress: '0.0.0.0', endIpAddress: '0.0.0.0' }
}

// With <user> and <password> where these belong.
output url string = cluster.properties.connectionString
