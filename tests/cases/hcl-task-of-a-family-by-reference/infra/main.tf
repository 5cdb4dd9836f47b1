resource "aws_ecs_task_definition" "blue" {
  family                   = "shop"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  container_definitions    = jsonencode([{ name = "app", image = "example.com/shop:blue" }])
}

resource "aws_ecs_task_definition" "green" {
  family                   = "shop"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  container_definitions    = jsonencode([{ name = "app", image = "example.com/shop:green" }])
}

data "aws_ecs_task_definition" "newest" {
  task_definition = aws_ecs_task_definition.green.family
}

resource "aws_ecs_service" "web" {
  name            = "web"
  task_definition = data.aws_ecs_task_definition.newest.arn
  launch_type     = "FARGATE"
  desired_count   = 2
  network_configuration {
    subnets = ["subnet-1"]
  }
}

resource "aws_ecs_service" "worker" {
  name            = "worker"
  task_definition = "arn:aws:ecs:eu-west-1:123456789012:task-definition/${aws_ecs_task_definition.green.family}:${aws_ecs_task_definition.green.revision}"
  launch_type     = "FARGATE"
  desired_count   = 1
  network_configuration {
    subnets = ["subnet-1"]
  }
}

resource "aws_ecs_task_definition" "old" {
  family                   = "mail"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  container_definitions    = jsonencode([{ name = "app", image = "example.com/mail:1" }])
}

resource "aws_ecs_task_definition" "new" {
  family                   = "mail"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  container_definitions    = jsonencode([{ name = "app", image = "example.com/mail:2" }])
}

# The name alone does not tell which of the two it runs.
resource "aws_ecs_service" "mail" {
  name            = "mail"
  task_definition = "mail"
  launch_type     = "FARGATE"
  desired_count   = 1
  network_configuration {
    subnets = ["subnet-1"]
  }
}
