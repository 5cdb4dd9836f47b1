//! What a manifest is about.

use std::sync::Arc;

use super::{
    super::{text::Span, tree::Node, values::Values},
    workspace::Beside,
};

/// The types of manifests (<https://aws.github.io/copilot-cli/docs/concepts/services/>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    LoadBalanced,
    Backend,
    Worker,
    ScheduledJob,
    RequestDriven,
    StaticSite,
    Environment,
}

const NAMES: &[(Kind, &str)] = &[
    (Kind::LoadBalanced, "Load Balanced Web Service"),
    (Kind::Backend, "Backend Service"),
    (Kind::Worker, "Worker Service"),
    (Kind::ScheduledJob, "Scheduled Job"),
    (Kind::RequestDriven, "Request-Driven Web Service"),
    (Kind::StaticSite, "Static Site"),
    (Kind::Environment, "Environment"),
];

impl Kind {
    /// Returns the type of a name.
    pub(super) fn of(name: &str) -> Option<Self> {
        let mut names = NAMES.iter();
        names
            .find(|(_, known)| *known == name)
            .map(|(kind, _)| *kind)
    }

    /// Returns its name.
    pub(super) fn name(self) -> &'static str {
        let mut names = NAMES.iter();
        names
            .find(|(known, _)| *known == self)
            .map_or("", |(_, name)| name)
    }
}

/// The service or job of a manifest.
#[derive(Debug)]
pub(super) struct Workload<'a> {
    pub(super) kind: Kind,
    /// Its name, which its family and its main container have too.
    pub(super) name: String,
    pub(super) name_node: Node<'a>,
    /// The application, or the placeholder of its name.
    application: String,
    /// The environment, or the placeholder of its name.
    environment: String,
    region: String,
    account_id: String,
    partition: String,
    pub(super) beside: Arc<Beside>,
}

impl<'a> Workload<'a> {
    /// Returns the workload of this name, whose manifest is in `file`.
    pub(super) fn new(kind: Kind, name: Node<'a>, file: &str, values: &Values) -> Option<Self> {
        let known = |name: &str| {
            let value = values.fill.get(name);
            value.map_or_else(|| format!("${{{name}}}"), String::clone)
        };
        let environment = values.environment.clone();
        Some(Self {
            kind,
            name: name.text()?.to_owned(),
            name_node: name,
            application: known("COPILOT_APPLICATION_NAME"),
            environment: environment.unwrap_or_else(|| known("COPILOT_ENVIRONMENT_NAME")),
            region: values.region().to_owned(),
            account_id: values.account_id().to_owned(),
            partition: values.partition().to_owned(),
            beside: values.workspace.beside(file),
        })
    }

    pub(super) const fn span(&self) -> Span {
        self.name_node.span
    }

    /// Returns the name of the stack that Copilot makes: `shop-prod-web`.
    pub(super) fn stack(&self) -> String {
        format!("{}-{}-{}", self.application, self.environment, self.name)
    }

    /// Returns what is known of the stack that Copilot makes, to which what changes its template may refer.
    pub(super) fn known_of_stack(&self) -> [(&'static str, String); 6] {
        let placeholder = |what| format!("${{{}}}", self.placeholder(what));
        [
            ("AppName", self.application.clone()),
            ("EnvName", self.environment.clone()),
            ("WorkloadName", self.name.clone()),
            ("ExecutionRole.Arn", placeholder("ExecutionRole")),
            ("LogGroup", format!("/copilot/{}", self.stack())),
            ("TaskRole.Arn", placeholder("TaskRole")),
        ]
    }

    /// Returns what the name of its cluster begins with.
    pub(super) fn cluster(&self) -> String {
        format!("{}-{}", self.application, self.environment)
    }

    /// Returns the name of the namespace in which Copilot registers services.
    pub(super) fn namespace(&self) -> String {
        format!("{}.{}.local", self.environment, self.application)
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// Returns the ARN of what another service of AWS has.
    pub(super) fn arn(&self, service: &str, resource: &str) -> String {
        let Self {
            partition,
            region,
            account_id,
            ..
        } = self;
        format!("arn:{partition}:{service}:{region}:{account_id}:{resource}")
    }

    /// Returns the name of the placeholder of what this workload has in AWS.
    pub(super) fn placeholder(&self, what: &str) -> String {
        format!("{}.{what}", self.name)
    }
}
