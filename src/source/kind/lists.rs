//! The lists that the answers of AWS have documents in.

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
