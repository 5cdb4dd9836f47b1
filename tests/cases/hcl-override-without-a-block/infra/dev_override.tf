resource "aws_ecs_task_definition" "app" {
  cpu = 512
}
