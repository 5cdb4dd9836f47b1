local env = std.native('env');
local must_env = std.native('must_env');
local container = import 'lib/container.libsonnet';

{
  family: 'orders',
  cpu: '256',
  memory: '512',
  networkMode: 'awsvpc',
  requiresCompatibilities: ['FARGATE'],
  executionRoleArn: std.native('tfstate')('aws_iam_role.orders_execution.arn'),
  containerDefinitions: [
    container('orders', '%s:%s' % [must_env('IMAGE'), env('TAG', 'latest')]) {
      portMappings: [{ containerPort: 8080 }],
      environment: [
        { name: name, value: must_env(name) }
        for name in ['DATABASE_HOST', 'LOG_LEVEL']
      ],
    },
  ],
}
