//! What a rule says, and the tasks that it has started.

use std::{collections::BTreeSet, sync::Arc};

use kube::ResourceExt as _;
use serde_json::Value;

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
    /// A digest of its bus, its pattern and the IDs of its targets: all that decides which tasks it starts for which
    /// events, and what they are named.
    pub(super) pattern: String,
    /// The sources of events that its pattern names.
    sources: BTreeSet<String>,
    /// The differences from AWS.
    pub(super) warnings: Vec<WarningStatus>,
}

impl Accepted {
    /// Whether the pattern names a source of events as it is, and not by a prefix or by what it is not.
    pub(super) fn names_source(&self, source: &str) -> bool {
        self.sources.contains(source)
    }
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
        pattern: digest(&validated, &pattern),
        sources: sources(&pattern),
        rule: validated,
        extensions,
        warnings: Refusal::warnings(findings),
    })
}

/// Returns a digest of what decides which tasks a rule starts for which events. With another target, or another ID of one,
/// each event would start a task that does not exist yet.
fn digest(rule: &Rule, pattern: &str) -> String {
    let targets: BTreeSet<&str> = rule.targets.iter().map(|it| &*it.id).collect();
    let targets: Vec<&str> = targets.into_iter().collect();
    // Neither a bus nor an ID has a line break.
    let all = format!("{}\n{}\n{pattern}", rule.bus, targets.join("\n"));
    hex_digest(all, DIGITS)
}

/// Returns the sources of events that a pattern names.
fn sources(pattern: &str) -> BTreeSet<String> {
    let pattern: Value = serde_json::from_str(pattern).unwrap_or_default();
    let named = pattern.get("source").and_then(Value::as_array);
    let named = named.into_iter().flatten().filter_map(Value::as_str);
    named.map(str::to_owned).collect()
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
