//! Recognizes a document by its content.

mod app_runner;
mod assembly;
mod capacity_provider;
mod foreign;
mod form;
mod lists;
mod names;
mod pipeline;
mod request;
mod schedule;
mod terraform;

use assembly::is_assembly;
use foreign::template;
pub(super) use foreign::{COMPOSE, is_foreign, mentions_ecs};
pub(super) use form::{Envelope, Spelling};
pub use form::{Form, Kind};
pub(super) use schedule::starts_tasks;

use self::{
    lists::{LISTS, of_resource},
    request::request,
    schedule::{of_pipe, of_rule, of_scheduler, rule},
    terraform::of_terraform,
};
use super::{
    compose::is_file as is_file_of_compose,
    text::Span,
    tree::{Node, Value},
};
use crate::diagnostic::Message;

/// One step from the root of a text to a document in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a member of an object.
    Member(&'static str),
    /// Into an element of a list.
    Element(usize),
}

/// A document in a text, or the reason why it is not one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) steps: Vec<Step>,
    pub(super) span: Span,
    pub(super) form: Result<Form, Message>,
}

/// Finds the documents in `root`: itself, or the elements of a list.
pub(super) fn find(root: &Node<'_>) -> Vec<Found> {
    let mut search = Search {
        steps: Vec::new(),
        found: Vec::new(),
    };
    search.node(root);
    search.found
}

struct Search {
    steps: Vec<Step>,
    found: Vec<Found>,
}

impl Search {
    fn push(&mut self, span: Span, form: Result<Form, Message>) {
        self.found.push(Found {
            steps: self.steps.clone(),
            span,
            form,
        });
    }

    fn unknown(&mut self, node: &Node<'_>, message: impl Into<String>, advice: &str) {
        self.push(node.span, Err(ambiguous(message, advice)));
    }

    fn node(&mut self, node: &Node<'_>) {
        match &node.value {
            Value::Object(_) => self.object(node),
            Value::List(elements) if elements.iter().any(is_container) => {
                let words = &(
                    "list of container definitions",
                    "its elements have an image",
                );
                let form = Form::new(Kind::TaskDefinition, words).within(Envelope::ContainerList);
                let is_pascal = elements.iter().any(|node| has(node, "Image"));
                let form = if is_pascal {
                    form.cloud_formation()
                } else {
                    form
                };
                self.push(node.span, Ok(form));
            }
            Value::List(elements) if !elements.is_empty() => {
                self.elements(elements, Self::node);
            }
            Value::List(_) => self.unknown(node, "the list is empty", GIVE_A_REQUEST),
            _ => self.unknown(
                node,
                format!("{} is not an ECS request", node.describe()),
                GIVE_A_REQUEST,
            ),
        }
    }

    fn elements(&mut self, elements: &[Node<'_>], mut each: impl FnMut(&mut Self, &Node<'_>)) {
        for (index, element) in elements.iter().enumerate() {
            self.steps.push(Step::Element(index));
            each(self, element);
            self.steps.pop();
        }
    }

    /// Finds the elements of a list in a describe output.
    fn described(&mut self, elements: &[Node<'_>], member: &'static str, form: Form) {
        self.steps.push(Step::Member(member));
        self.elements(elements, |search, element| match &element.value {
            Value::Object(_) => search.push(element.span, Ok(form)),
            _ => search.unknown(
                element,
                format!(
                    "an element of {member} is an object, this is {}",
                    element.describe()
                ),
                GIVE_A_REQUEST,
            ),
        });
        self.steps.pop();
    }

    fn object(&mut self, node: &Node<'_>) {
        if has(node, "apiVersion") && has(node, "kind") {
            self.kubernetes(node);
        } else if template(node) == Some(COMPOSE) && !is_file_of_compose(node) {
            let part = ambiguous(
                "this is a part of a Compose file: none of its services has an image",
                "put it together with the other parts: docker compose -f FILE -f FILE config",
            );
            self.push(node.span, Err(part));
        } else if is_assembly(node) {
            let part = ambiguous(
                "this is a part of what the CDK writes beside its templates",
                "give the *.template.json beside it, or the folder",
            );
            self.push(node.span, Err(part));
        } else if let Some(format) = template(node) {
            self.push(
                node.span,
                Err(Message::WholeTemplate {
                    format: format.to_owned(),
                    or: String::new(),
                }),
            );
        } else if let Some(properties) = node.get("Properties") {
            self.cloud_formation(node, properties);
        } else if !self.outputs(node) {
            match request(node) {
                Ok(form) => self.push(node.span, Ok(form)),
                Err(message) => self.push(node.span, Err(message)),
            }
        }
    }

    fn kubernetes(&mut self, node: &Node<'_>) {
        let version = node.get("apiVersion").and_then(Node::text).unwrap_or("");
        let kind = node.get("kind").and_then(Node::text).unwrap_or("");
        if kind == "List"
            && let Some(items) = node.get("items").and_then(Node::elements)
        {
            self.steps.push(Step::Member("items"));
            self.elements(items, Self::node);
            self.steps.pop();
            return;
        }
        let form = match (version, kind) {
            ("ecs-operator.dev/v1alpha1", "EcsTaskDefinition") => Form::new(
                Kind::TaskDefinition,
                &("EcsTaskDefinition", "its kind is EcsTaskDefinition"),
            ),
            ("ecs-operator.dev/v1alpha1", "EcsService") => {
                Form::new(Kind::Service, &("EcsService", "its kind is EcsService"))
            }
            ("ecs-operator.dev/v1alpha1", "EcsTask") => {
                Form::new(Kind::Task, &("EcsTask", "its kind is EcsTask"))
            }
            ("ecs-operator.dev/v1alpha1", "EcsCapacityProvider") => capacity_provider::RESOURCE,
            ("ecs-operator.dev/v1alpha1", "EcsPipe") => schedule::PIPE_RESOURCE,
            ("ecs-operator.dev/v1alpha1", "EcsRule") => schedule::RULE_RESOURCE,
            ("ecs-operator.dev/v1alpha1", "EcsSchedule") => schedule::RESOURCE,
            ("ecs-operator.dev/v1alpha1", "AppRunnerService") => app_runner::RESOURCE,
            ("ecs-operator.dev/v1alpha1", "EcsCluster") => {
                let advice = "only the operator reads it: give services launchType or capacityProviderStrategy of \
                              their own, and leave the cluster out";
                return self.unknown(node, "this is an EcsCluster", advice);
            }
            _ => {
                let advice = if version.starts_with("ecs-operator.dev/") {
                    "EcsTaskDefinition, EcsService, EcsTask, EcsPipe, EcsRule, EcsSchedule, EcsCapacityProvider and AppRunnerService of ecs-operator.dev/v1alpha1 are converted"
                } else {
                    "it is a Kubernetes object already and needs no conversion"
                };
                return self.unknown(node, format!("this is a {kind} of {version}"), advice);
            }
        };
        self.push(node.span, Ok(form.within(Envelope::Resource)));
    }

    fn cloud_formation(&mut self, node: &Node<'_>, properties: &Node<'_>) {
        let resource_type = node.get("Type").and_then(Node::text);
        if let Some(form) = resource_type.and_then(of_terraform) {
            return self.push(node.span, Ok(form));
        }
        let form = match resource_type {
            Some("AWS::ECS::CapacityProvider") => capacity_provider::TEMPLATE,
            Some(name) if let Some(form) = of_resource(name) => form,
            Some("AWS::Scheduler::Schedule") if let Some(form) = of_scheduler(properties) => {
                match form {
                    Ok(form) => form,
                    Err(message) => return self.push(node.span, Err(message)),
                }
            }
            Some("AWS::Pipes::Pipe") if let Some(form) = of_pipe(properties) => match form {
                Ok(form) => form,
                Err(message) => return self.push(node.span, Err(message)),
            },
            Some("AWS::Events::Rule")
                if let Some(form) = of_rule(properties, Spelling::CloudFormation)
                    && form.kind == Kind::Rule =>
            {
                form
            }
            Some("AWS::Events::Rule") if let Some(message) = rule(properties) => {
                return self.push(node.span, Err(message));
            }
            Some(other) => {
                return self.unknown(
                    node,
                    format!("this is a CloudFormation resource of type {other}"),
                    "AWS::ECS::TaskDefinition, AWS::ECS::Service and the scaling of a service are converted",
                );
            }
            None => match request(properties) {
                Ok(form) if form.kind == Kind::RuleTargets => {
                    let advice = "leave out Properties, which PutTargets does not have";
                    return self.unknown(node, "these are the targets of a rule", advice);
                }
                Ok(form) => form,
                Err(message) => return self.push(node.span, Err(message)),
            },
        };
        let form = form.within(Envelope::Properties).cloud_formation();
        self.push(node.span, Ok(form));
        if form.kind == Kind::ScalableTarget {
            self.steps.push(Step::Member("Properties"));
            self.scheduled_actions(properties);
            self.steps.pop();
        }
    }

    /// Finds the scheduled actions that CloudFormation keeps inside their scalable target.
    fn scheduled_actions(&mut self, target: &Node<'_>) {
        if let Some(actions) = target.get("ScheduledActions").and_then(Node::elements) {
            let form = Form::new(
                Kind::ScheduledAction,
                &(
                    "scheduled action of a scalable target",
                    "it is in ScheduledActions",
                ),
            );
            self.described(actions, "ScheduledActions", form.cloud_formation());
        }
    }

    /// Finds the outputs of describe and create calls; returns `false` if this is not one.
    fn outputs(&mut self, node: &Node<'_>) -> bool {
        // An intrinsic function in a request is also an object.
        let output = |key, members: &[&str]| {
            let inner = node.get(key);
            inner.is_some_and(|inner| members.iter().any(|member| has(inner, member)))
        };
        if output(
            "taskDefinition",
            &["containerDefinitions", "family", "revision"],
        ) {
            let form = Form::new(
                Kind::TaskDefinition,
                &(
                    "DescribeTaskDefinition output",
                    "its member taskDefinition is an object",
                ),
            );
            self.push(node.span, Ok(form.within(Envelope::TaskDefinition)));
            return true;
        }
        if output("service", &["serviceName", "serviceArn"]) {
            let form = Form::new(
                Kind::Service,
                &("CreateService output", "its member service is an object"),
            );
            self.push(node.span, Ok(form.within(Envelope::Service)));
            return true;
        }
        if self.app_runner_output(node) {
            return true;
        }
        if output("capacityProvider", &["name", "capacityProviderArn"]) {
            self.push(node.span, Ok(capacity_provider::CREATED));
            return true;
        }
        let mut any = self.capacity_providers(node);
        for (member, form) in LISTS {
            if let Some(elements) = node.get(member).and_then(Node::elements) {
                any = true;
                if elements.is_empty() {
                    self.unknown(node, format!("{member} is empty"), GIVE_A_REQUEST);
                }
                self.described(elements, member, *form);
            }
        }
        if any {
            self.failures(node);
        }
        any
    }
}

impl Search {
    /// Reports the names that AWS could not find
    /// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Failure.html>).
    fn failures(&mut self, node: &Node<'_>) {
        let failures = node.get("failures").and_then(Node::elements);
        for failure in failures.unwrap_or_default() {
            let text = |key: &str| failure.get(key).and_then(Node::text);
            let message = Message::DescribeFailure {
                name: text("arn").unwrap_or("something").to_owned(),
                reason: text("reason").unwrap_or("no reason is given").to_owned(),
            };
            self.push(failure.span, Err(message));
        }
    }
}

const GIVE_A_REQUEST: &str = "give RegisterTaskDefinition, CreateService, RunTask or Application Auto Scaling \
                              requests, or the output of describe calls";

fn has(node: &Node<'_>, key: &str) -> bool {
    node.get(key).is_some()
}

fn ambiguous(message: impl Into<String>, advice: &str) -> Message {
    Message::AmbiguousDocument {
        message: message.into(),
        advice: advice.to_owned(),
    }
}

fn is_container(node: &Node<'_>) -> bool {
    (has(node, "image") && !has(node, "containerDefinitions"))
        || (has(node, "Image") && !has(node, "ContainerDefinitions"))
}

/// Whether a resource of a template becomes a document. `properties` may have functions.
pub(super) fn is_converted(type_: &str, properties: Option<&Node<'_>>) -> bool {
    let spelling = Spelling::CloudFormation;
    match type_ {
        "AWS::ECS::CapacityProvider" => true,
        "AWS::Events::Rule" => {
            let targets = properties.and_then(|it| it.get("Targets")?.elements());
            let mut targets = targets.into_iter().flatten();
            targets.any(|target| starts_tasks(target, spelling))
        }
        "AWS::Scheduler::Schedule" => {
            let target = properties.and_then(|it| it.get("Target"));
            target.is_some_and(|target| starts_tasks(target, spelling))
        }
        "AWS::Pipes::Pipe" => {
            let parameters = properties.and_then(|it| it.get("TargetParameters"));
            parameters.is_some_and(|it| has(it, "EcsTaskParameters"))
        }
        _ => of_resource(type_).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::json::JsonDocuments, *};

    fn found(text: &str) -> Vec<Found> {
        let parsed = JsonDocuments::new(text).next_document().unwrap().unwrap();
        find(&parsed.root)
    }

    #[test]
    fn documents_are_known_by_their_content() {
        use Envelope::{Bare, ContainerList, Properties, Resource};
        use Kind::{
            Alarm, Rule, RuleTargets, ScalableTarget, ScalingPolicy, Schedule, ScheduledAction,
            Service, Task, TaskDefinition,
        };
        use Spelling::{Api, CloudFormation};
        let table: &[(&str, &[(Kind, Envelope, Spelling)])] = &[
            (
                r#"{"family":"web","containerDefinitions":[]}"#,
                &[(TaskDefinition, Bare, Api)],
            ),
            (
                r#"{"family":"web","networkMode":"awsvpc"}"#,
                &[(TaskDefinition, Bare, Api)],
            ),
            (
                r#"{"taskDefinition":{"revision":3},"tags":[]}"#,
                &[(TaskDefinition, Envelope::TaskDefinition, Api)],
            ),
            (
                r#"[{"name":"a","image":"b"}]"#,
                &[(TaskDefinition, ContainerList, Api)],
            ),
            (
                r#"[{"Name":"a","Image":"b"}]"#,
                &[(TaskDefinition, ContainerList, CloudFormation)],
            ),
            (
                r#"{"ContainerDefinitions":[{"Name":"a"}]}"#,
                &[(TaskDefinition, Bare, CloudFormation)],
            ),
            (
                r#"{"Type":"AWS::ECS::TaskDefinition","Properties":{}}"#,
                &[(TaskDefinition, Properties, CloudFormation)],
            ),
            (
                r#"{"serviceName":"web","taskDefinition":"web"}"#,
                &[(Service, Bare, Api)],
            ),
            (r#"{"desiredCount":2}"#, &[(Service, Bare, Api)]),
            (
                r#"{"service":"web","forceNewDeployment":true}"#,
                &[(Service, Bare, Api)],
            ),
            (
                r#"{"service":{"serviceName":"web"}}"#,
                &[(Service, Envelope::Service, Api)],
            ),
            (
                r#"{"services":[{"serviceName":"a"},{"serviceName":"b"}],"failures":[]}"#,
                &[(Service, Bare, Api), (Service, Bare, Api)],
            ),
            (
                r#"{"ServiceName":"web","PlacementStrategies":[]}"#,
                &[(Service, Bare, CloudFormation)],
            ),
            (
                r#"{"Type":"AWS::ECS::Service","Properties":{}}"#,
                &[(Service, Properties, CloudFormation)],
            ),
            (
                r#"{"taskDefinition":"job","count":2}"#,
                &[(Task, Bare, Api)],
            ),
            (
                r#"{"Rule":"r","Targets":[{"EcsParameters":{"TaskDefinitionArn":"nightly:3"}}]}"#,
                &[(RuleTargets, Bare, Api)],
            ),
            (
                r#"{"Targets":[{"Id":"x","Arn":"arn:aws:ecs:eu-west-1:111122223333:cluster/shop"}]}"#,
                &[(RuleTargets, Bare, Api)],
            ),
            (
                r#"{"Name":"r","ScheduleExpression":"rate(1 day)"}"#,
                &[(Rule, Bare, Api)],
            ),
            (
                r#"{"cluster":"a","taskDefinition":"b","launchType":"EC2"}"#,
                &[(Task, Bare, Api)],
            ),
            (
                r#"{"taskDefinition":"job","overrides":{},"launchType":"EC2"}"#,
                &[(Task, Bare, Api)],
            ),
            (
                r#"{"ResourceId":"service/a/b","MinCapacity":1}"#,
                &[(ScalableTarget, Bare, Api)],
            ),
            (
                r#"{"PolicyName":"x","PolicyType":"StepScaling"}"#,
                &[(ScalingPolicy, Bare, Api)],
            ),
            (
                r#"{"PolicyName":"x","ScalingTargetId":"y"}"#,
                &[(ScalingPolicy, Bare, CloudFormation)],
            ),
            (
                r#"{"ScheduledActionName":"x","Schedule":"rate(1 day)"}"#,
                &[(ScheduledAction, Bare, Api)],
            ),
            (
                r#"{"AlarmName":"x","MetricName":"y"}"#,
                &[(Alarm, Bare, Api)],
            ),
            (
                r#"{"Name":"s","ScheduleExpression":"rate(1 day)","Target":{"EcsParameters":{"TaskDefinitionArn":"b"}}}"#,
                &[(Schedule, Bare, Api)],
            ),
            (
                r#"{"Name":"s","Target":{"Arn":"arn:aws:ecs:eu-west-1:111122223333:cluster/shop"}}"#,
                &[(Schedule, Bare, Api)],
            ),
            (
                r#"{"Type":"AWS::Scheduler::Schedule","Properties":{"Target":{"EcsParameters":{}}}}"#,
                &[(Schedule, Properties, CloudFormation)],
            ),
            (
                r#"{"MetricAlarms":[{}],"CompositeAlarms":[]}"#,
                &[(Alarm, Bare, Api)],
            ),
            (
                r#"{"Type":"AWS::CloudWatch::Alarm","Properties":{}}"#,
                &[(Alarm, Properties, CloudFormation)],
            ),
            (
                r#"{"ScalingPolicies":[{}],"ScalableTargets":[{}]}"#,
                &[(ScalableTarget, Bare, Api), (ScalingPolicy, Bare, Api)],
            ),
            (
                r#"{"Type":"AWS::ApplicationAutoScaling::ScalableTarget","Properties":{"ScheduledActions":[{}]}}"#,
                &[
                    (ScalableTarget, Properties, CloudFormation),
                    (ScheduledAction, Bare, CloudFormation),
                ],
            ),
            (
                r#"{"apiVersion":"ecs-operator.dev/v1alpha1","kind":"EcsService","spec":{}}"#,
                &[(Service, Resource, Api)],
            ),
            (
                r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"ecs-operator.dev/v1alpha1","kind":"EcsTask"}]}"#,
                &[(Task, Resource, Api)],
            ),
            (
                r#"[{"family":"a","containerDefinitions":[]},{"serviceName":"b"}]"#,
                &[(TaskDefinition, Bare, Api), (Service, Bare, Api)],
            ),
        ];
        for (text, expected) in table {
            let forms: Vec<_> = found(text)
                .into_iter()
                .map(|found| found.form.unwrap())
                .map(|form| (form.kind, form.envelope, form.spelling))
                .collect();
            assert_eq!(forms, *expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_request_is_called_by_its_name() {
        let table = [
            ("[]", "the list is empty"),
            ("3", "a number is not an ECS request"),
            ("{}", "the document is empty"),
            (
                r#"{"taskDefinitionArns":[]}"#,
                "this is the output of a list call: taskDefinitionArns has names only",
            ),
            (r#"{"services":[]}"#, "services is empty"),
            (
                r#"{"failures":[{"arn":"arn:aws:ecs:eu-west-1:111122223333:service/c/b","reason":"MISSING"}],"services":[{"serviceName":"a"}]}"#,
                "AWS could not describe arn:aws:ecs:eu-west-1:111122223333:service/c/b: MISSING",
            ),
            (
                r#"{"services":["web"]}"#,
                "an element of services is an object, this is a string",
            ),
            (
                r#"{"services":{"web":{"image":"x"}}}"#,
                "whole Docker Compose templates are not supported yet",
            ),
            (
                r#"{"services":{"web":{"restart":"always"}}}"#,
                "this is a part of a Compose file: none of its services has an image",
            ),
            (
                r#"{"resource":{}}"#,
                "whole Terraform templates are not supported yet",
            ),
            (
                r#"{"Type":"AWS::ECS::Cluster","Properties":{}}"#,
                "this is a CloudFormation resource of type AWS::ECS::Cluster",
            ),
            (
                r#"{"apiVersion":"apps/v1","kind":"Deployment"}"#,
                "this is a Deployment of apps/v1",
            ),
            (
                r#"{"container_definitions":"x"}"#,
                "container_definitions is Terraform's spelling",
            ),
            (
                r#"{"taskDefinition":"b","desiredCount":1,"group":"c"}"#,
                "only a service has desiredCount, and only RunTask has group",
            ),
            (
                r#"{"Rule":"r","Targets":[{"Id":"x","Arn":"arn:aws:lambda:eu-west-1:111122223333:function:f"}]}"#,
                "this is a rule of EventBridge, without a target that runs tasks",
            ),
            (
                r#"{"Name":"s","ScheduleExpression":"rate(1 day)","Target":{"Arn":"arn:aws:lambda:eu-west-1:111122223333:function:f"}}"#,
                "only schedules that run tasks of ECS are converted, with the ARN of a cluster and EcsParameters",
            ),
            (
                r#"{"Type":"AWS::Events::Rule","Properties":{"ScheduleExpression":"rate(1 day)","Targets":[{"Id":"x","Arn":"y"}]}}"#,
                "this is a rule of EventBridge, without a target that runs tasks",
            ),
            (
                r#"{"name":"web","image":"nginx","memory":128}"#,
                "this is a container definition alone",
            ),
            (
                r#"{"name":"x","version":"1","scripts":{}}"#,
                "no ECS request has the members name, version, scripts",
            ),
            (
                r#"{"region":"x","service_definition":"y"}"#,
                "this is an ecspresso configuration",
            ),
            (
                r#"{"version":1,"task_definition":{"ecs_network_mode":"awsvpc"}}"#,
                "these are parameters of the Amazon ECS CLI, which belong to a Compose file",
            ),
        ];
        for (text, expected) in table {
            let found = found(text);
            let message = found.iter().find_map(|found| found.form.as_ref().err());
            let message = message.unwrap();
            assert_eq!(message.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn elements_are_found_by_steps() {
        let text = r#"{"ScalingPolicies":[{},{"a":1}]}"#;
        let second = &found(text)[1];
        assert_eq!(
            second.steps,
            [Step::Member("ScalingPolicies"), Step::Element(1)]
        );
        assert_eq!(&text[second.span.range()], r#"{"a":1}"#);
    }
}
