//! Turns what other tools make ECS documents of into these documents: a template, a plan, a manifest.
//!
//! A template or a plan becomes resources: objects with `Type` and `Properties`, in CloudFormation's spelling. A manifest
//! says less than a request does, and becomes requests and custom resources of this operator. From there on each goes the
//! way of every other document. A value has the position of the expression in the file that it comes from. What cannot be
//! known is [`Value::Unresolved`], with the reason, so that only a document that needs it is rejected.
//!
//! Both readings of a file expand it, with the same result.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    app_runner_file, cloud_formation, compose, copilot, ecspresso,
    jsonnet::{self, is_jsonnet},
    terraform::{self, configuration::is_source},
    text::Span,
    tree::{Node, Value},
    values::Values,
};
use crate::diagnostic::Message;

/// What a file of another tool stands for.
#[derive(Debug, Default)]
pub(super) struct Expanded<'a> {
    /// The resources that are converted.
    pub(super) resources: Vec<Node<'a>>,
    /// What there is to say about the file as a whole.
    pub(super) findings: Vec<(Span, Message)>,
    /// The names by which `--set` and `--parameter` may give what the file leaves open.
    pub(super) names: BTreeSet<String>,
    /// Whether this is one document with functions and no file of another tool, so that it has to be one of ECS.
    pub(super) is_part: bool,
    /// Whether a file without documents is nevertheless one that is read: a part of a configuration that has some.
    pub(super) is_own: bool,
}

impl<'a> Expanded<'a> {
    /// Returns that a file stands for nothing of its own, because it is read with another one.
    pub(super) fn nothing() -> Self {
        Self {
            is_own: true,
            ..Self::default()
        }
    }

    /// Returns the resources as one list, in place of the file.
    pub(super) fn into_list(self, span: Span) -> Node<'a> {
        Node {
            value: Value::List(self.resources),
            span,
        }
    }
}

/// Returns the types of resources that are not converted, as messages name them: `2 of AWS::SQS::Queue`.
pub(super) fn counted(types: &BTreeMap<String, usize>) -> String {
    let types = types.iter().map(|(name, count)| match count {
        1 => name.clone(),
        _ => format!("{count} of {name}"),
    });
    types.collect::<Vec<_>>().join(", ")
}

/// Returns what a document of the file `name` stands for, or `None` if it stands for itself.
pub(super) fn expand<'a>(root: &Node<'a>, name: &str, values: &Values) -> Option<Expanded<'a>> {
    if is_source(name) {
        Some(terraform::expand_file(name, values))
    } else if is_jsonnet(name) {
        Some(jsonnet::expand_file(root, name, values))
    } else {
        expand_tree(root, name, values)
    }
}

/// Returns the same for a document whose file has no language of its own.
pub(super) fn expand_tree<'a>(
    root: &Node<'a>,
    name: &str,
    values: &Values,
) -> Option<Expanded<'a>> {
    if values.workspace.has_part(name) {
        Some(Expanded::nothing())
    } else if terraform::is_state_or_plan(root) {
        Some(terraform::expand(root, values))
    } else if copilot::is_manifest(root) {
        Some(copilot::expand(root, name, values))
    } else if compose::is_file(root) {
        Some(compose::expand(root, name, values))
    } else if app_runner_file::is_file(root) {
        Some(app_runner_file::expand(root, name, values))
    } else if cloud_formation::is_template(root) {
        let expanded = cloud_formation::expand(root, name, values);
        Some(copilot::of_addon(expanded, name, values))
    } else if cloud_formation::has_functions(root) {
        Some(cloud_formation::expand_part(root, name, values))
    } else {
        let params = compose::expand_params(root, name, values);
        params.or_else(|| ecspresso::expand(root, name, values))
    }
}

/// Whether a document stands for others only if its file is named, and not if it is merely found in a folder: a project
/// often has a file of Docker Compose for development, beside the documents of what runs in ECS, and an `apprunner.yaml`
/// beside the service that it belongs to. Parameters of the Amazon ECS CLI beside a file of Compose say that it is what
/// runs there.
pub(super) fn is_read_only_if_named(root: &Node<'_>, name: &str, values: &Values) -> bool {
    compose::is_file(root) && !values.projects.has(name) || app_runner_file::is_file(root)
}
