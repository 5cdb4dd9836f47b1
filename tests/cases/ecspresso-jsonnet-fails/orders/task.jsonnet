{
  family: 'orders',
  memory: std.toString(std.parseInt(std.native('must_env')('MEMORY')) * 2),
  containerDefinitions: (import 'containers.libsonnet').all,
}
