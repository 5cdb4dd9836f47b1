//! The types of Terraform's resources that are documents.

use super::{Envelope, Form, Kind};

/// What all of them are called.
const LABEL: &str = "Terraform resource ";

const RESOURCES: &[(&str, Form)] = &[
    (
        "aws_apprunner_auto_scaling_configuration_version",
        Form::new(
            Kind::AutoScalingConfiguration,
            &(
                "Terraform resource aws_apprunner_auto_scaling_configuration_version",
                "its type is aws_apprunner_auto_scaling_configuration_version",
            ),
        ),
    ),
    (
        "aws_apprunner_service",
        Form::new(
            Kind::AppRunnerService,
            &(
                "Terraform resource aws_apprunner_service",
                "its type is aws_apprunner_service",
            ),
        ),
    ),
    (
        "aws_appautoscaling_policy",
        Form::new(
            Kind::ScalingPolicy,
            &(
                "Terraform resource aws_appautoscaling_policy",
                "its type is aws_appautoscaling_policy",
            ),
        ),
    ),
    (
        "aws_appautoscaling_scheduled_action",
        Form::new(
            Kind::ScheduledAction,
            &(
                "Terraform resource aws_appautoscaling_scheduled_action",
                "its type is aws_appautoscaling_scheduled_action",
            ),
        ),
    ),
    (
        "aws_appautoscaling_target",
        Form::new(
            Kind::ScalableTarget,
            &(
                "Terraform resource aws_appautoscaling_target",
                "its type is aws_appautoscaling_target",
            ),
        ),
    ),
    (
        "aws_cloudwatch_event_rule",
        Form::new(
            Kind::Rule,
            &(
                "Terraform resource aws_cloudwatch_event_rule",
                "its type is aws_cloudwatch_event_rule",
            ),
        ),
    ),
    (
        "aws_cloudwatch_event_target",
        Form::new(
            Kind::RuleTargets,
            &(
                "Terraform resource aws_cloudwatch_event_target",
                "its type is aws_cloudwatch_event_target",
            ),
        ),
    ),
    (
        "aws_cloudwatch_metric_alarm",
        Form::new(
            Kind::Alarm,
            &(
                "Terraform resource aws_cloudwatch_metric_alarm",
                "its type is aws_cloudwatch_metric_alarm",
            ),
        ),
    ),
    (
        "aws_ecs_capacity_provider",
        Form::new(
            Kind::CapacityProvider,
            &(
                "Terraform resource aws_ecs_capacity_provider",
                "its type is aws_ecs_capacity_provider",
            ),
        ),
    ),
    (
        "aws_ecs_service",
        Form::new(
            Kind::Service,
            &(
                "Terraform resource aws_ecs_service",
                "its type is aws_ecs_service",
            ),
        ),
    ),
    (
        "aws_ecs_task_definition",
        Form::new(
            Kind::TaskDefinition,
            &(
                "Terraform resource aws_ecs_task_definition",
                "its type is aws_ecs_task_definition",
            ),
        ),
    ),
    (
        "aws_pipes_pipe",
        Form::new(
            Kind::Pipe,
            &(
                "Terraform resource aws_pipes_pipe",
                "its type is aws_pipes_pipe",
            ),
        ),
    ),
    (
        "aws_scheduler_schedule",
        Form::new(
            Kind::Schedule,
            &(
                "Terraform resource aws_scheduler_schedule",
                "its type is aws_scheduler_schedule",
            ),
        ),
    ),
];

/// Returns the form of a resource of this type. Its properties are spelled as in `CloudFormation`.
pub(super) fn of_terraform(name: &str) -> Option<Form> {
    let mut resources = RESOURCES.iter();
    let (_, form) = resources.find(|(known, _)| *known == name)?;
    Some(form.within(Envelope::Properties).cloud_formation())
}

impl Form {
    /// Whether the document is a resource of Terraform, whose members nobody has spelled.
    pub(in crate::source) fn is_of_terraform(&self) -> bool {
        self.label().starts_with(LABEL)
    }
}
