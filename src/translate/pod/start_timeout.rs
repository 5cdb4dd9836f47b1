//! `startTimeout`, which the operator enforces: the kubelet waits indefinitely.

use super::Draft;
use crate::{
    settings::{Mode, START_TIMEOUTS},
    translate::{Context, LABEL_LENGTH, kname},
    validate::Condition,
};

/// Adds the annotation with the time that other containers wait for a container's completion or health, for the
/// operator.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft) {
    if cx.settings.mode != Mode::Controller {
        return;
    }
    let graph = &cx.task_definition.graph;
    let timeouts = cx
        .task_definition
        .containers
        .iter()
        .filter_map(|container| {
            let condition = graph.condition_on(container.index)?;
            let seconds = container.start_timeout?;
            let name = kname(&container.name, LABEL_LENGTH);
            let waits = condition != Condition::Start;
            waits.then(|| format!("{name}={seconds}/{}", condition.name()))
        });
    let timeouts: Vec<String> = timeouts.collect();
    if !timeouts.is_empty() {
        let annotations = &mut draft.annotations;
        annotations.insert(START_TIMEOUTS.to_owned(), timeouts.join(","));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::translate::testing::Scenario;

    /// Returns the annotation of a service's pods in which `app` waits for `db`.
    fn annotation(condition: &str, convert: bool) -> Value {
        let definition = format!(
            r#"{{"family": "web", "containerDefinitions": [
  {{"name": "app", "image": "app", "memory": 64, "dependsOn": [{{"containerName": "db", "condition": "{condition}"}}]}},
  {{"name": "db", "image": "db", "memory": 64, "essential": false, "startTimeout": 60, "healthCheck": {{"command": ["CMD", "true"]}}}}]}}"#
        );
        let scenario = Scenario::service(&definition);
        let scenario = if convert {
            scenario.convert()
        } else {
            scenario
        };
        let outcome = scenario.run();
        let template = &outcome.object("Deployment", "web")["spec"]["template"];
        template["metadata"]["annotations"]["ecs-operator.dev/start-timeouts"].clone()
    }

    #[test]
    fn the_operator_is_told_what_others_wait_for() {
        assert_eq!(annotation("HEALTHY", false), "db=60/HEALTHY");
        assert_eq!(annotation("SUCCESS", false), "db=60/SUCCESS");
        assert_eq!(annotation("START", false), Value::Null);
        assert_eq!(annotation("HEALTHY", true), Value::Null, "nobody is there");
    }
}
