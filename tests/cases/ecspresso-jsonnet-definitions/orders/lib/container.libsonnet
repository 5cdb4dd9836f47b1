// A container that writes its output to CloudWatch.
function(name, image) {
  name: name,
  image: image,
  logConfiguration: {
    logDriver: 'awslogs',
    options: {
      'awslogs-group': '/ecs/' + name,
      'awslogs-region': 'eu-west-1',
      'awslogs-stream-prefix': name,
    },
  },
}
