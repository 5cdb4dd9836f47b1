//! What a rule says, and the tasks that it has started.

use std::sync::Arc;

use kube::ResourceExt as _;

use crate::{
    controller::{
        context::Context,
        refusal::{Refusal, refused},
    },
    crd::{EcsRule, EcsTask, RuleExtensions, WarningStatus},
    diagnostic::{FieldPath, Message, Subject},
    settings::{RULE, Settings},
    source::read_rule,
    translate::{WORKLOAD_LENGTH, hex_digest, kname},
    validate::{Rule, foreign_events, of_operator, validate_event_rule},
};

/// How many digits of its digest stand for a pattern.
const DIGITS: usize = 16;

/// A rule that is not rejected.
pub(super) struct Accepted {
    pub(super) rule: Rule,
    pub(super) extensions: RuleExtensions,
    /// A digest of its pattern and bus.
    pub(super) pattern: String,
    /// The differences from AWS.
    pub(super) warnings: Vec<WarningStatus>,
}

/// Returns what a rule says, or everything that is wrong with it. `has_queue` is whether the operator receives the events of
/// buses.
pub(super) fn read(rule: &EcsRule, has_queue: bool) -> Result<Accepted, Refusal> {
    let name = rule.name_any();
    let (request, extensions, mut findings) = read_rule(&name, rule.spec.text());
    of_operator(&mut findings);
    // They become those of its tasks, of which all would be rejected.
    let path = FieldPath::root(Subject::Rule).field("metadata");
    let path = path.field("annotations");
    let _read = Settings::default().with_annotations(rule.annotations(), &path, &mut findings);
    if findings.has_errors() {
        return Err(refused(findings));
    }
    let validated = validate_event_rule(&request).map_err(refused)?;
    let expected = kname(&validated.name, WORKLOAD_LENGTH);
    if expected != name {
        return Err(Refusal::name_differs("Name", &validated.name, &expected));
    }
    if !has_queue && let Some((path, what)) = foreign_events(&request) {
        findings.report(path, Message::EventsNeedQueue { what });
    }
    let pattern = request.event_pattern.unwrap_or_default();
    Ok(Accepted {
        pattern: hex_digest(format!("{}\n{pattern}", validated.bus), DIGITS),
        rule: validated,
        extensions,
        warnings: Refusal::warnings(findings),
    })
}

/// Returns the tasks that a rule has started and that exist, as far as the cache knows.
pub(super) fn own_tasks(cx: &Context, rule: &EcsRule) -> Vec<Arc<EcsTask>> {
    let name = rule.name_any();
    let tasks = cx.tasks.within(&rule.namespace().unwrap_or_default());
    let is_own = |task: &Arc<EcsTask>| {
        task.labels().get(RULE) == Some(&name) && task.metadata.deletion_timestamp.is_none()
    };
    tasks.filter(is_own).collect()
}
