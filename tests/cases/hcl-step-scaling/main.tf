resource "aws_ecs_task_definition" "report" {
  family                = "report"
  container_definitions = jsonencode([{ name = "report", image = "registry.example.com/report:3", cpu = 256, memory = 512 }])
}

resource "aws_ecs_service" "report" {
  name            = "report"
  cluster         = "prod"
  task_definition = aws_ecs_task_definition.report.arn
  desired_count   = 2
}

resource "aws_appautoscaling_target" "report" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/prod/${aws_ecs_service.report.name}"
  min_capacity       = 2
  max_capacity       = 6
}

# A policy without policy_type is one of steps.
resource "aws_appautoscaling_policy" "step" {
  for_each = { up = 1, down = -1 }

  name               = "report-${each.key}"
  service_namespace  = "ecs"
  scalable_dimension = aws_appautoscaling_target.report.scalable_dimension
  resource_id        = aws_appautoscaling_target.report.resource_id

  step_scaling_policy_configuration {
    adjustment_type = "ChangeInCapacity"
    cooldown        = 60

    step_adjustment {
      metric_interval_lower_bound = each.value > 0 ? 0 : null
      metric_interval_upper_bound = each.value > 0 ? null : 0
      scaling_adjustment          = each.value
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "cpu" {
  for_each = {
    up   = { comparison = "GreaterThanOrEqualToThreshold", threshold = 75 }
    down = { comparison = "LessThanOrEqualToThreshold", threshold = 25 }
  }

  alarm_name          = "report-cpu-${each.key}"
  namespace           = "AWS/ECS"
  metric_name         = "CPUUtilization"
  statistic           = "Average"
  period              = 60
  evaluation_periods  = 2
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  alarm_actions       = [aws_appautoscaling_policy.step[each.key].arn]

  dimensions = {
    ClusterName = "prod"
    ServiceName = aws_ecs_service.report.name
  }
}
