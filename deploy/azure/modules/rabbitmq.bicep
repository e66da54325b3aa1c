// A broker for small installations: one node without a disk. What it loses, the services say again within a minute.
param location string
param tags object
param environmentId string
param image string

@secure()
param password string

resource app 'Microsoft.App/containerApps@2024-03-01' = {
  name: 'rabbitmq'
  location: location
  tags: tags
  properties: {
    environmentId: environmentId
    configuration: {
      activeRevisionsMode: 'Single'
      secrets: [{ name: 'password', value: password }]
      ingress: { external: false, transport: 'tcp', targetPort: 5672, exposedPort: 5672 }
    }
    template: {
      containers: [
        {
          name: 'rabbitmq'
          image: image
          resources: { cpu: json('0.5'), memory: '1Gi' }
          env: [
            { name: 'RABBITMQ_DEFAULT_USER', value: 'wentlive' }
            { name: 'RABBITMQ_DEFAULT_PASS', secretRef: 'password' }
          ]
          probes: [
            { type: 'Startup', tcpSocket: { port: 5672 }, periodSeconds: 5, failureThreshold: 36 }
            { type: 'Liveness', tcpSocket: { port: 5672 }, periodSeconds: 15, failureThreshold: 4 }
          ]
        }
      ]
      scale: { minReplicas: 1, maxReplicas: 1 }
    }
  }
}
