module ecs-operator.invalid/testbed/example

go 1.26.0
