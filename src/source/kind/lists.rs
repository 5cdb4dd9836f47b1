//! The lists that the answers of AWS have documents in, and the types of resources that are documents.

use super::{Form, Kind};

/// The lists in outputs of describe calls.
pub(super) const LISTS: &[(&str, Form)] = &[
    (
        "services",
        Form::new(
            Kind::Service,
            &("DescribeServices output", "it is in the list services"),
        ),
    ),
    (
        "taskDefinitions",
        Form::new(
            Kind::TaskDefinition,
            &(
                "task definition of a list",
                "it is in the list taskDefinitions",
            ),
        ),
    ),
    (
        "ScalableTargets",
        Form::new(
            Kind::ScalableTarget,
            &(
                "DescribeScalableTargets output",
                "it is in the list ScalableTargets",
            ),
        ),
    ),
    (
        "ScalingPolicies",
        Form::new(
            Kind::ScalingPolicy,
            &(
                "DescribeScalingPolicies output",
                "it is in the list ScalingPolicies",
            ),
        ),
    ),
    (
        "ScheduledActions",
        Form::new(
            Kind::ScheduledAction,
            &(
                "DescribeScheduledActions output",
                "it is in the list ScheduledActions",
            ),
        ),
    ),
    (
        "MetricAlarms",
        Form::new(
            Kind::Alarm,
            &("DescribeAlarms output", "it is in the list MetricAlarms"),
        ),
    ),
];

/// The types of CloudFormation that are requests.
const RESOURCES: &[(&str, Form)] = &[
    (
        "AWS::ECS::TaskDefinition",
        Form::new(
            Kind::TaskDefinition,
            &(
                "CloudFormation resource AWS::ECS::TaskDefinition",
                "its Type is AWS::ECS::TaskDefinition",
            ),
        ),
    ),
    (
        "AWS::ECS::Service",
        Form::new(
            Kind::Service,
            &(
                "CloudFormation resource AWS::ECS::Service",
                "its Type is AWS::ECS::Service",
            ),
        ),
    ),
    (
        "AWS::ApplicationAutoScaling::ScalableTarget",
        Form::new(
            Kind::ScalableTarget,
            &(
                "CloudFormation resource AWS::ApplicationAutoScaling::ScalableTarget",
                "its Type is AWS::ApplicationAutoScaling::ScalableTarget",
            ),
        ),
    ),
    (
        "AWS::ApplicationAutoScaling::ScalingPolicy",
        Form::new(
            Kind::ScalingPolicy,
            &(
                "CloudFormation resource AWS::ApplicationAutoScaling::ScalingPolicy",
                "its Type is AWS::ApplicationAutoScaling::ScalingPolicy",
            ),
        ),
    ),
    (
        "AWS::AppRunner::Service",
        Form::new(
            Kind::AppRunnerService,
            &(
                "CloudFormation resource AWS::AppRunner::Service",
                "its Type is AWS::AppRunner::Service",
            ),
        ),
    ),
    (
        "AWS::AppRunner::AutoScalingConfiguration",
        Form::new(
            Kind::AutoScalingConfiguration,
            &(
                "CloudFormation resource AWS::AppRunner::AutoScalingConfiguration",
                "its Type is AWS::AppRunner::AutoScalingConfiguration",
            ),
        ),
    ),
    (
        "AWS::CloudWatch::Alarm",
        Form::new(
            Kind::Alarm,
            &(
                "CloudFormation resource AWS::CloudWatch::Alarm",
                "its Type is AWS::CloudWatch::Alarm",
            ),
        ),
    ),
];

/// Returns the form of a resource of this type.
pub(super) fn of_resource(name: &str) -> Option<Form> {
    let mut resources = RESOURCES.iter();
    let found = resources.find(|(known, _)| *known == name);
    found.map(|(_, form)| *form)
}
