resource "aws_iam_role" "this" {
  for_each = toset(["task", "execution"])

  name = "${var.name}-${each.key}"
}

resource "aws_lb_target_group" "shop" {
  port        = var.port
  protocol    = "HTTP"
  target_type = "ip"
}
