// One service as a container app. Its secrets are files that its own names say, as under Compose.
param name string
param location string
param tags object
param environmentId string
param image string
param identityId string
param registryServer string
param vaultUri string

@description('Public over https; or reached by the other apps only.')
param external bool

@description('Setting name to the name of the vault\'s secret.')
param secrets object
param env array
param cpu string = '0.5'
param memory string = '1Gi'
param maxReplicas int = 1

resource app 'Microsoft.App/containerApps@2024-03-01' = {
  name: name
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    environmentId: environmentId
    configuration: {
      activeRevisionsMode: 'Single'
      registries: [{ server: registryServer, identity: identityId }]
      secrets: [for secret in items(secrets): {
        name: secret.value
        keyVaultUrl: '${vaultUri}secrets/${secret.value}'
        identity: identityId
      }]
      ingress: { external: external, targetPort: 8080, transport: 'auto', allowInsecure: !external }
    }
    template: {
      terminationGracePeriodSeconds: 40
      containers: [
        {
          name: name
          image: image
          resources: { cpu: json(cpu), memory: memory }
          env: concat([{ name: 'WENTLIVE_SECRETS_DIR', value: '/run/secrets' }], env)
          volumeMounts: [{ volumeName: 'secrets', mountPath: '/run/secrets' }]
          probes: [
            { type: 'Startup', httpGet: { path: '/livez', port: 8080 }, periodSeconds: 2, failureThreshold: 60 }
            { type: 'Liveness', httpGet: { path: '/livez', port: 8080 }, periodSeconds: 10, failureThreshold: 6 }
            { type: 'Readiness', httpGet: { path: '/readyz', port: 8080 }, periodSeconds: 5, timeoutSeconds: 4, failureThreshold: 3 }
          ]
        }
      ]
      volumes: [
        {
          name: 'secrets'
          storageType: 'Secret'
          secrets: [for secret in items(secrets): { secretRef: secret.value, path: secret.key }]
        }
      ]
      scale: { minReplicas: 1, maxReplicas: maxReplicas }
    }
  }
}

output address string = app.properties.configuration.ingress.fqdn
