//! Reads the documents of App Runner.

use super::{
    entry::{CONFIGURATION, CONFIGURATION_SUMMARY},
    envelope::{has_text, set},
    kind::Envelope,
    request::{Reader, Request},
    sink::{Sink, Trail},
    tree::{Node, Value},
    walk::Walk,
};
use crate::{crd, diagnostic::Message, ecs, fields::Api};

/// The member of an AppRunnerService that has the auto scaling configuration itself.
pub(super) const OWN_CONFIGURATION: &str = "AutoScalingConfiguration";

/// The maps that CloudFormation writes as lists of `Name` and `Value`
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-apprunner-service-imageconfiguration.html>).
const MAPS: &[&str] = &["RuntimeEnvironmentVariables", "RuntimeEnvironmentSecrets"];

/// The objects around them.
const AROUND_MAPS: &[&[&str]] = &[
    &[
        "SourceConfiguration",
        "ImageRepository",
        "ImageConfiguration",
    ],
    &[
        "SourceConfiguration",
        "CodeRepository",
        "CodeConfiguration",
        "CodeConfigurationValues",
    ],
];

impl Reader<'_> {
    /// Reads a service. `is_scaled` says that its auto scaling configuration is among the documents.
    pub(super) fn app_runner_service(
        &self,
        document: Node<'_>,
        is_scaled: bool,
    ) -> (Request<ecs::AppRunnerService>, crd::AppRunnerExtensions) {
        let mut sink = Sink::default();
        let (mut body, annotations) = self.open(document, &mut sink);
        let root = Trail::Root(&self.root);
        if body.get("Status").and_then(Node::text) == Some("PAUSED") {
            let at = Trail::Key(&root, "Status");
            sink.note(at, Message::AppRunnerServicePaused);
        }
        // An update names the service by its ARN, and so does nothing else that has no name.
        let is_update = body.get("ServiceName").is_none() && body.take("ServiceArn").is_some();
        if is_update {
            let at = Trail::Key(&root, "ServiceArn");
            sink.note(at, Message::UpdateLeavesOut);
        }
        if let Some(name) = &self.entry.name
            && !has_text(&body, "ServiceName", self.entry.form.spelling)
        {
            let name = Value::String(name.to_string().into());
            set(&mut body, "ServiceName", name);
        }
        lift_configuration(&mut body);
        if is_scaled {
            // It is no longer needed, and may be a function of CloudFormation: the configuration was linked by it.
            self.take_function(&mut body, &mut sink);
        }
        for path in AROUND_MAPS {
            let around = path
                .iter()
                .try_fold(&mut body, |node, key| inner(node, key));
            if let Some(around) = around {
                for map in MAPS {
                    list_to_map(around, map);
                }
            }
        }
        let extensions = if self.entry.form.envelope == Envelope::Resource {
            self.app_runner_extensions(&mut body, &mut sink)
        } else {
            crd::AppRunnerExtensions::default()
        };
        let body = self.body(body, Api::AppRunnerService, &mut sink);
        let extensions = self.check_built(&body, extensions, &mut sink);
        (self.finish(body, annotations, sink), extensions)
    }

    /// Reads what CreateService does not have.
    fn app_runner_extensions(
        &self,
        body: &mut Node<'_>,
        sink: &mut Sink,
    ) -> crd::AppRunnerExtensions {
        crd::AppRunnerExtensions {
            auto_scaling_configuration: self.own_configuration(body, sink),
            paused: self.boolean(body, "paused", sink),
            built_by: self.built_by(body, sink),
            custom_domains: self.custom_domains(body, sink),
            kubernetes: self.kubernetes_of_pods(body, sink),
        }
    }

    fn own_configuration(
        &self,
        body: &mut Node<'_>,
        sink: &mut Sink,
    ) -> Option<ecs::AutoScalingConfiguration> {
        const NAME: &str = "AutoScalingConfigurationName";
        let mut node = body.take(OWN_CONFIGURATION)?.value;
        if matches!(node.value, Value::Object(_))
            && !has_text(&node, NAME, self.entry.form.spelling)
        {
            // Nothing refers to it by its name, which the request has to have.
            set(&mut node, NAME, Value::String("inline".into()));
        }
        let mut walk = self.walk(Api::AutoScalingConfiguration, sink);
        let root = Trail::Root(&self.root);
        let trail = Trail::Field(&root, OWN_CONFIGURATION);
        let node = walk.node(node, Api::AutoScalingConfiguration.tree(), trail)?;
        Some(self.fit(Some(node), sink))
    }

    /// Takes a member that is true or false.
    pub(super) fn boolean(
        &self,
        body: &mut Node<'_>,
        name: &'static str,
        sink: &mut Sink,
    ) -> Option<bool> {
        let value = body.take(name)?.value;
        let read = match &value.value {
            Value::Null => return None,
            Value::Bool(text) => text.parse().ok(),
            _ => None,
        };
        if read.is_none() {
            let message = Message::InvalidValue {
                value: value.text().unwrap_or_else(|| value.describe()).to_owned(),
                allowed: "must be true or false".to_owned(),
            };
            let root = Trail::Root(&self.root);
            sink.reject(Trail::Field(&root, name), message);
        }
        read
    }

    /// Removes the reference to the auto scaling configuration if it is no text.
    fn take_function(&self, body: &mut Node<'_>, sink: &mut Sink) {
        let is_text = body.get(CONFIGURATION).and_then(Node::text).is_some();
        if !is_text && let Some(member) = body.take(CONFIGURATION) {
            let mut ignored = Sink::default();
            let mut walk = Walk {
                spelling: self.entry.form.spelling,
                fill: self.fill,
                api: Api::AppRunnerService,
                sink: &mut ignored,
            };
            let root = Trail::Root(&self.root);
            let trail = Trail::Field(&root, CONFIGURATION);
            if !walk.is_absent(&member.value) && !walk.is_intrinsic(&member.value, None, trail) {
                let message = Message::InvalidValue {
                    value: member.value.describe().to_owned(),
                    allowed: "must be a text".to_owned(),
                };
                sink.reject(trail, message);
            }
        }
    }

    pub(super) fn auto_scaling_configuration(
        &self,
        document: Node<'_>,
    ) -> Request<ecs::AutoScalingConfiguration> {
        self.request(document, Api::AutoScalingConfiguration, |_, _| {})
    }
}

/// Names the auto scaling configuration where a request does; the answer of a describe call has a summary of it.
fn lift_configuration(body: &mut Node<'_>) {
    let Some(mut summary) = body.take(CONFIGURATION_SUMMARY) else {
        return;
    };
    if body.get(CONFIGURATION).is_none()
        && let Some(arn) = summary.value.take(CONFIGURATION)
        && let Value::Object(members) = &mut body.value
    {
        members.push(arn);
    }
}

fn inner<'n, 'a>(node: &'n mut Node<'a>, key: &str) -> Option<&'n mut Node<'a>> {
    let Value::Object(members) = &mut node.value else {
        return None;
    };
    let mut members = members.iter_mut();
    let member = members.find(|member| member.key == key)?;
    Some(&mut member.value)
}

/// Replaces a list of names and values by an object; one that is not such a list is left for the reader to reject.
fn list_to_map(around: &mut Node<'_>, key: &str) {
    let Some(list) = inner(around, key) else {
        return;
    };
    let Value::List(elements) = &mut list.value else {
        return;
    };
    let is_pair = |node: &Node<'_>| node.get("Name").and_then(Node::text).is_some();
    if !elements.iter().all(is_pair) {
        return;
    }
    let pairs = elements.iter_mut().filter_map(|element| {
        let mut name = element.take("Name")?;
        let mut value = element.take("Value")?;
        value.key = match name.value.take_value() {
            Value::String(name) => name,
            _ => return None,
        };
        value.key_span = name.value.span;
        Some(value)
    });
    list.value = Value::Object(pairs.collect());
}
