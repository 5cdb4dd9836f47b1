//! Reads the request in a document's tree.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    container_list::{self, Images},
    de::from_node,
    deployment::lift_primary_deployment,
    entry::Entry,
    envelope::{annotations_of, drop_system_tags, has_text, set},
    kind::{Envelope, Spelling},
    placeholder::Fill,
    sink::{Sink, Trail},
    spelling::find,
    tree::{Node, Value},
    walk::Walk,
};
use crate::{
    crd,
    diagnostic::{Diagnostics, FieldPath, Message},
    ecs,
    fields::Api,
};

/// The member of an EcsTask that is specific to this operator.
const KEPT_SECONDS: &str = "ttlSecondsAfterFinished";

/// A request and the reader's findings in its document.
#[derive(Debug)]
pub(super) struct Request<T> {
    pub(super) body: T,
    pub(super) diagnostics: Diagnostics,
    /// The members that were removed from the body.
    pub(super) left_out: Vec<FieldPath>,
    /// The `metadata.annotations` of a custom resource.
    pub(super) annotations: BTreeMap<String, String>,
    /// Whether it is an AWS response.
    pub(super) described: bool,
}

/// Reads the documents of one unit.
pub(super) struct Reader<'c> {
    pub(super) entry: &'c Entry,
    pub(super) fill: &'c Fill,
    pub(super) images: &'c Images,
    /// The position of the document among those of its unit.
    pub(super) root: FieldPath,
}

/// The name of a service that CloudFormation would name and nothing is made of.
const UNNAMED: &str = "unnamed";

impl Reader<'_> {
    pub(super) fn task_definition(
        &self,
        document: Node<'_>,
    ) -> (Request<ecs::TaskDefinition>, crd::TaskDefinitionExtensions) {
        let mut sink = Sink::default();
        let (mut body, annotations) = self.open(document, &mut sink);
        let described = drop_system_tags(&mut body, &mut sink);
        container_list::read_text(&mut body, self.entry.form.spelling);
        container_list::set_images(&mut body, self.entry.form.spelling, self.images, self.fill);
        let extensions = crd::TaskDefinitionExtensions {
            kubernetes: self.kubernetes_of_pods(&mut body, &mut sink),
        };
        if let Some(name) = &self.entry.name
            && matches!(body.value, Value::Object(_))
            && !has_text(&body, "family", self.entry.form.spelling)
        {
            let name = name.to_string();
            set(&mut body, "family", Value::String(name.clone().into()));
            match self.entry.form.envelope {
                Envelope::ContainerList => sink
                    .diagnostics
                    .report(self.root.clone(), Message::ContainerListOnly { name }),
                Envelope::Resource => {}
                _ => sink
                    .diagnostics
                    .report(self.root.field("family"), Message::FamilyAssumed { name }),
            }
        }
        let body = self.body(body, Api::TaskDefinition, &mut sink);
        let request = Request {
            described,
            ..self.finish(body, annotations, sink)
        };
        (request, extensions)
    }

    /// Reads the request of a service, which is named after `family` if it has no name.
    pub(super) fn service(
        &self,
        document: Node<'_>,
        family: Option<&str>,
    ) -> (Request<ecs::Service>, crd::ServiceExtensions) {
        let mut sink = Sink::default();
        let (mut body, annotations) = self.open(document, &mut sink);
        let described = drop_system_tags(&mut body, &mut sink);
        let mut extensions = crd::ServiceExtensions::default();
        if self.entry.form.envelope == Envelope::Resource {
            extensions.auto_scaling = body
                .take("autoScaling")
                .and_then(|member| self.auto_scaling(member.value, &mut sink));
            extensions.kubernetes = body
                .take("kubernetes")
                .and_then(|member| self.kubernetes(member.value, &mut sink));
        }
        match self.entry.form.spelling {
            Spelling::Api => lift_primary_deployment(&mut body),
            Spelling::CloudFormation => {
                self.unwrap_force_new_deployment(&mut body, &mut sink);
                set_default_count(&mut body);
            }
        }
        let name = self.entry.name.as_deref().or(family);
        // CloudFormation requires no name. Nothing is made of a service without a task definition to take it from.
        let gets_name = self.entry.form.spelling == Spelling::CloudFormation;
        let name = name.or_else(|| gets_name.then_some(UNNAMED));
        if let Some(name) = name.filter(|name| !name.is_empty())
            && !has_text(&body, "serviceName", self.entry.form.spelling)
        {
            set(
                &mut body,
                "serviceName",
                Value::String(name.to_owned().into()),
            );
        }
        let body = self.body(body, Api::Service, &mut sink);
        let request = Request {
            described,
            ..self.finish(body, annotations, sink)
        };
        (request, extensions)
    }

    pub(super) fn task(&self, document: Node<'_>) -> (Request<ecs::Task>, crd::TaskExtensions) {
        let mut sink = Sink::default();
        let (mut body, annotations) = self.open(document, &mut sink);
        let mut extensions = crd::TaskExtensions {
            kubernetes: self.kubernetes_of_pods(&mut body, &mut sink),
            ..crd::TaskExtensions::default()
        };
        if self.entry.form.envelope == Envelope::Resource
            && let Some(member) = body.take(KEPT_SECONDS)
        {
            extensions.ttl_seconds_after_finished = self.kept_seconds(&member.value, &mut sink);
        }
        let body = self.body(body, Api::Task, &mut sink);
        (self.finish(body, annotations, sink), extensions)
    }

    /// Reads a request that stands for itself; `check` sees it before what many values have in common is reported.
    pub(super) fn request<'a, T: Deserialize<'a> + Default>(
        &self,
        document: Node<'a>,
        api: Api,
        check: impl FnOnce(&T, &mut Sink),
    ) -> Request<T> {
        let mut sink = Sink::default();
        let (body, annotations) = self.open(document, &mut sink);
        let body = self.body(body, api, &mut sink);
        check(&body, &mut sink);
        self.finish(body, annotations, sink)
    }

    pub(super) fn cluster(&self, document: Node<'_>) -> Request<ecs::Cluster> {
        self.request(document, Api::Cluster, |_, _| {})
    }

    pub(super) fn capacity_provider(&self, document: Node<'_>) -> Request<ecs::CapacityProvider> {
        let mut sink = Sink::default();
        let (mut body, annotations) = self.open(document, &mut sink);
        if let Some(name) = &self.entry.name
            && matches!(body.value, Value::Object(_))
            && !has_text(&body, "name", self.entry.form.spelling)
        {
            set(&mut body, "name", Value::String(name.to_string().into()));
        }
        let body = self.body(body, Api::CapacityProvider, &mut sink);
        self.finish(body, annotations, sink)
    }

    fn kept_seconds(&self, node: &Node<'_>, sink: &mut Sink) -> Option<i64> {
        let (Value::Number(text) | Value::String(text)) = &node.value else {
            return None;
        };
        let seconds: Option<i32> = text.parse().ok().filter(|seconds| *seconds >= 0);
        if seconds.is_none() {
            let message = Message::InvalidValue {
                value: text.to_string(),
                allowed: "must be a number of seconds".to_owned(),
            };
            let root = Trail::Root(&self.root);
            sink.reject(Trail::Field(&root, KEPT_SECONDS), message);
        }
        seconds.map(i64::from)
    }

    pub(super) fn scalable_target(&self, document: Node<'_>) -> Request<ecs::ScalableTarget> {
        self.scaling(document, Api::ScalableTarget)
    }

    pub(super) fn scaling_policy(&self, document: Node<'_>) -> Request<ecs::ScalingPolicy> {
        self.scaling(document, Api::ScalingPolicy)
    }

    pub(super) fn scheduled_action(&self, document: Node<'_>) -> Request<ecs::ScheduledAction> {
        self.scaling(document, Api::ScheduledAction)
    }

    pub(super) fn alarm(&self, document: Node<'_>) -> Request<ecs::MetricAlarm> {
        self.scaling(document, Api::MetricAlarm)
    }

    fn scaling<'a, T: Deserialize<'a> + Default>(
        &self,
        document: Node<'a>,
        api: Api,
    ) -> Request<T> {
        let mut sink = Sink::default();
        let (mut body, annotations) = self.open(document, &mut sink);
        if api == Api::ScalingPolicy {
            drop_alarms_of_aws(&mut body, &mut sink);
        }
        if self.entry.form.spelling == Spelling::CloudFormation {
            // These are separate documents.
            if api == Api::ScalableTarget {
                body.take("ScheduledActions");
            }
            // It is no longer needed: the policy was linked by it.
            if let Some(target) = body.take("ScalingTargetId") {
                let mut walk = self.walk(api, &mut sink);
                let root = Trail::Root(&self.root);
                let trail = Trail::Field(&root, "ScalingTargetId");
                walk.is_intrinsic(&target.value, None, trail);
            }
        }
        let body = self.body(body, api, &mut sink);
        self.finish(body, annotations, sink)
    }

    pub(super) fn walk<'s>(&'s self, api: Api, sink: &'s mut Sink) -> Walk<'s> {
        Walk {
            spelling: self.entry.form.spelling,
            fill: self.fill,
            api,
            sink,
        }
    }

    /// Takes the request out of its envelope.
    pub(super) fn open<'a>(
        &self,
        mut document: Node<'a>,
        sink: &mut Sink,
    ) -> (Node<'a>, BTreeMap<String, String>) {
        let mut annotations = BTreeMap::new();
        let form = self.entry.form;
        if form.spelling == Spelling::CloudFormation && !form.is_of_terraform() {
            sink.diagnostics
                .report(self.root.clone(), Message::PascalCaseRead);
        }
        if form.envelope == Envelope::ContainerList {
            let span = document.span;
            let mut body = Node {
                value: Value::Object(Vec::new()),
                span,
            };
            set(&mut body, "containerDefinitions", document.take_value());
            return (body, annotations);
        }
        let Some(member) = form.envelope.member() else {
            return (document, annotations);
        };
        let mut body = match document.take(member) {
            Some(member) => member.value,
            None => Node {
                value: Value::Object(Vec::new()),
                span: document.span,
            },
        };
        match form.envelope {
            Envelope::Resource => {
                annotations = annotations_of(&document, &self.root, self.fill, sink);
                self.beside(
                    &document,
                    &["apiVersion", "kind", "metadata", "status"],
                    sink,
                );
            }
            Envelope::TaskDefinition => {
                if body.get("tags").is_none()
                    && let Some(tags) = document.take("tags")
                    && let Value::Object(members) = &mut body.value
                {
                    members.push(tags);
                }
                self.beside(&document, &["tags", "ResponseMetadata"], sink);
            }
            Envelope::Service | Envelope::CapacityProvider | Envelope::AutoScalingConfiguration => {
                self.beside(&document, &["ResponseMetadata"], sink);
            }
            Envelope::AppRunnerService => {
                self.beside(&document, &["OperationId", "ResponseMetadata"], sink);
            }
            // What is beside the properties of a resource is CloudFormation's, except for what a whole template adds.
            Envelope::Properties => {
                annotations = annotations_of(&document, &self.root, self.fill, sink);
            }
            Envelope::Bare | Envelope::ContainerList => {}
        }
        (body, annotations)
    }

    /// Reports unexpected members beside the request.
    pub(super) fn beside(&self, document: &Node<'_>, known: &[&str], sink: &mut Sink) {
        for member in document.members().unwrap_or_default() {
            if !known.contains(&&*member.key) {
                let path = self.root.field(member.key.to_string());
                let message = Message::UnknownField {
                    name: member.key.to_string(),
                    advice: String::new(),
                };
                sink.diagnostics.report(path, message);
            }
        }
    }

    pub(super) fn body<'a, T: Deserialize<'a> + Default>(
        &self,
        body: Node<'a>,
        api: Api,
        sink: &mut Sink,
    ) -> T {
        let mut walk = self.walk(api, sink);
        let node = walk.node(body, api.tree(), Trail::Root(&self.root));
        self.fit(node, sink)
    }

    pub(super) fn fit<'a, T: Deserialize<'a> + Default>(
        &self,
        node: Option<Node<'a>>,
        sink: &mut Sink,
    ) -> T {
        match node.map(from_node).transpose() {
            Ok(value) => value.unwrap_or_default(),
            Err(error) => {
                let message = Message::InvalidValue {
                    value: self.entry.form.kind().name().to_owned(),
                    allowed: error.to_string(),
                };
                sink.reject(Trail::Root(&self.root), message);
                T::default()
            }
        }
    }

    pub(super) fn finish<T>(
        &self,
        body: T,
        annotations: BTreeMap<String, String>,
        mut sink: Sink,
    ) -> Request<T> {
        sink.finish(&self.root);
        Request {
            body,
            left_out: sink.left_out,
            diagnostics: sink.diagnostics,
            annotations,
            described: false,
        }
    }
}

/// Leaves out the alarms of a policy that are those of AWS: only step scaling has alarms of its owner.
pub(super) fn drop_alarms_of_aws(policy: &mut Node<'_>, sink: &mut Sink) {
    const ALARMS: &str = "Alarms";
    let is_step = policy.get("PolicyType").and_then(Node::text) == Some("StepScaling");
    if !is_step && policy.take(ALARMS).is_some() {
        sink.ignore_read_only(ALARMS);
    }
}

/// Sets the count that CloudFormation sends for a new service that has none
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-service.html>).
fn set_default_count(body: &mut Node<'_>) {
    let spelling = Spelling::CloudFormation;
    let strategy = find(body, "schedulingStrategy", spelling);
    let is_daemon = strategy.is_some_and(|member| member.value.text() == Some("DAEMON"));
    if !is_daemon && find(body, "desiredCount", spelling).is_none() {
        set(body, "desiredCount", Value::Number("1".into()));
    }
}
