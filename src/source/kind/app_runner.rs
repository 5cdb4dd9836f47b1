//! Recognizes the documents of App Runner.

use super::{
    super::{reference::of_app_runner, tree::Node},
    Envelope, Form, Kind, Search, has,
};

/// A custom resource of this operator.
pub(super) const RESOURCE: Form = Form::new(
    Kind::AppRunnerService,
    &("AppRunnerService", "its kind is AppRunnerService"),
);

/// Recognizes a request of App Runner by its members
/// (<https://docs.aws.amazon.com/apprunner/latest/api/API_CreateService.html>).
pub(super) fn of_app_runner_request(node: &Node<'_>) -> Option<Form> {
    let arn = |key| node.get(key).and_then(Node::text).unwrap_or_default();
    if has(node, "SourceConfiguration") || of_app_runner(arn("ServiceArn")).is_some() {
        let words = &(
            "CreateService request of App Runner",
            "it has SourceConfiguration",
        );
        return Some(Form::new(Kind::AppRunnerService, words));
    }
    if has(node, "AutoScalingConfigurationName") {
        let words = &(
            "CreateAutoScalingConfiguration request",
            "it has AutoScalingConfigurationName",
        );
        return Some(Form::new(Kind::AutoScalingConfiguration, words));
    }
    None
}

impl Search {
    /// Finds what a create, describe or update call of App Runner answers; returns `false` if this is not one.
    pub(super) fn app_runner_output(&mut self, node: &Node<'_>) -> bool {
        let service = node.get("Service");
        let configuration = node.get("AutoScalingConfiguration");
        let form = if service.is_some_and(|inner| has(inner, "SourceConfiguration")) {
            let words = &(
                "DescribeService output of App Runner",
                "its member Service has SourceConfiguration",
            );
            Form::new(Kind::AppRunnerService, words).within(Envelope::AppRunnerService)
        } else if configuration.is_some_and(|it| has(it, "AutoScalingConfigurationName")) {
            let words = &(
                "DescribeAutoScalingConfiguration output",
                "its member AutoScalingConfiguration has AutoScalingConfigurationName",
            );
            Form::new(Kind::AutoScalingConfiguration, words)
                .within(Envelope::AutoScalingConfiguration)
        } else {
            return false;
        };
        self.push(node.span, Ok(form));
        true
    }
}
