variable "tag" {
  default = "v1"
}

resource "aws_ecs_task_definition" "job" {
  family                = "job"
  container_definitions = <<-DEFINITIONS
    [
      {
        "name": "job",
        "image": "example/job:${var.tag}",
        "essential": true,
        "memory": ${512 * 2},
        "cpu": "128"
      }
    ]
  DEFINITIONS
}

resource "aws_cloudwatch_event_rule" "nightly" {
  name                = "nightly"
  schedule_expression = "cron(0 3 * * ? *)"
}

resource "aws_cloudwatch_event_target" "nightly" {
  rule     = aws_cloudwatch_event_rule.nightly.name
  arn      = aws_ecs_cluster.main.arn
  role_arn = "arn:aws:iam::123456789012:role/events"

  ecs_target {
    task_definition_arn = aws_ecs_task_definition.job.arn
    task_count          = 1
  }
}

resource "aws_ecs_cluster" "main" {
  name = "jobs"
}
