module ecs-operator.invalid/testbed/pause

go 1.26.0
