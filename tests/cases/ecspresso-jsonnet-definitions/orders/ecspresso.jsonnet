{
  region: 'eu-west-1',
  cluster: 'production',
  service: 'orders',
  service_definition: 'service.jsonnet',
  task_definition: 'task.jsonnet',
}
