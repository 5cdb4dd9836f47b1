resource "aws_ecr_repository" "web" {
  name = "web"
}

resource "aws_sqs_queue" "jobs" {
  name = "jobs"
}

resource "aws_security_group" "web" {
  name_prefix = "web-"
}

resource "aws_lb_target_group" "web" {
  name        = "web"
  port        = 8080
  protocol    = "HTTP"
  target_type = "ip"
  deregistration_delay = 20
}

resource "aws_lb_listener" "web" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
}

resource "aws_lb" "web" {
  name = "web"
}
