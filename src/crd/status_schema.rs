//! The schemas of what the operator reports, in the members of the `describe` operations.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSON, JSONSchemaProps, JSONSchemaPropsOrBool,
};

use super::schema::{list, object, of_type};

/// The status of an EcsTaskDefinition.
pub(super) fn task_definition() -> JSONSchemaProps {
    object(
        "What became of the task definition.",
        [
            conditions(),
            observed_generation(),
            integer("revision", "The newest revision."),
        ],
    )
}

/// The status of an EcsCluster.
pub(super) fn cluster() -> JSONSchemaProps {
    object(
        "What became of the cluster.",
        [conditions(), observed_generation()],
    )
}

/// The status of an EcsService.
pub(super) fn service() -> JSONSchemaProps {
    object(
        "What runs, as DescribeServices tells it.",
        [
            conditions(),
            observed_generation(),
            text(
                "selector",
                "The labels of the service's pods, for autoscalers.",
            ),
            task_definition_member(),
            integer("desiredCount", "How many tasks are wanted."),
            integer("runningCount", "How many tasks run."),
            integer("pendingCount", "How many tasks start."),
            ("deployments", list(deployment(), None)),
            text(
                "completedRevision",
                "The service revision of the last deployment that completed, to which a rollback returns.",
            ),
            text(
                "rolledBackRevision",
                "A service revision that failed and was rolled back. It is not tried again as long as the spec asks for it.",
            ),
            ("stoppedTasks", list(stopped_task(), None)),
            ("warnings", list(warning(), None)),
            ("renderedBy", rendered_by()),
            ("renewal", renewal()),
        ],
    )
}

fn rendered_by() -> JSONSchemaProps {
    object(
        "What rendered the objects of the service, which it keeps until its next deployment.",
        [
            text("operator", "The version of the operator."),
            text("kubernetes", "The version of Kubernetes."),
        ],
    )
}

fn renewal() -> JSONSchemaProps {
    let difference = described("string", "The objects and fields that would differ.");
    object(
        "What a deployment of the same spec would change today.",
        [
            text("state", "none or available."),
            ("differences", list(difference, None)),
        ],
    )
}

/// The status of an EcsTask.
pub(super) fn task() -> JSONSchemaProps {
    object(
        "What became of the tasks, as DescribeTasks tells it.",
        [
            conditions(),
            observed_generation(),
            task_definition_member(),
            text(
                "lastStatus",
                "The last known status, such as RUNNING or STOPPED; with several tasks that of the least advanced.",
            ),
            text("desiredStatus", "RUNNING or STOPPED."),
            text(
                "stopCode",
                "Why the first task that stopped did so, in a word of ECS.",
            ),
            text("stoppedReason", "Why the first task that stopped did so."),
            integer(
                "exitCode",
                "The exit code of the first task that failed, or 0 if all tasks that ended did so with 0.",
            ),
            time("startedAt", "When the first task became RUNNING."),
            time("stoppedAt", "When the last task became STOPPED."),
            ("tasks", list(one_task(), None)),
        ],
    )
}

fn one_task() -> JSONSchemaProps {
    object(
        "One of the tasks.",
        [
            text("name", "The name of its pod."),
            text(
                "lastStatus",
                "PROVISIONING, PENDING, RUNNING, STOPPING or STOPPED.",
            ),
            text("stopCode", "Why it stopped, in a word of ECS."),
            text("stoppedReason", "Why it stopped."),
            text(
                "statusReason",
                "What keeps it from running: no node can take it, its image cannot be pulled, a quota is used up.",
            ),
            integer(
                "exitCode",
                "The exit code of the essential container that ended first.",
            ),
            time("createdAt", "When its pod was made."),
            time("startedAt", "When it became RUNNING."),
            time("stoppedAt", "When it became STOPPED."),
            ("containers", list(container(), None)),
        ],
    )
}

fn warning() -> JSONSchemaProps {
    object(
        "Something that is translated with a difference.",
        [
            text("reason", "The stable name of the finding."),
            text("path", "The field."),
            text("message", "What differs."),
        ],
    )
}

fn deployment() -> JSONSchemaProps {
    object(
        "A deployment of the service.",
        [
            text("id", "Its name."),
            text("status", "PRIMARY, ACTIVE or INACTIVE."),
            text(
                "serviceRevision",
                "What its tasks are made of; a ControllerRevision keeps it.",
            ),
            task_definition_member(),
            integer("desiredCount", "How many of its tasks are wanted."),
            integer("pendingCount", "How many of its tasks start."),
            integer("runningCount", "How many of its tasks run."),
            integer(
                "healthyCount",
                "How many of its tasks have been healthy for long enough.",
            ),
            integer(
                "failedTasks",
                "How many of its tasks failed; where the circuit breaker begins anew after a healthy task, since then.",
            ),
            text(
                "lastFailure",
                "What the last failure of one of its tasks was, and what to do.",
            ),
            ("failures", failures()),
            text(
                "returnsTo",
                "The deployment whose tasks this one brings back, if it is a rollback.",
            ),
            text("rolloutState", "IN_PROGRESS, COMPLETED or FAILED."),
            text("rolloutStateReason", "Why it is in this state."),
            time("createdAt", "When it began."),
            time("updatedAt", "When it last changed."),
        ],
    )
}

fn stopped_task() -> JSONSchemaProps {
    object(
        "A task that ended by itself or could not start, for an hour; of more than 20 the newest ones.",
        [
            text("name", "The name of its pod."),
            task_definition_member(),
            text("stopCode", "Why it stopped, in a word of ECS."),
            text("stoppedReason", "Why it stopped."),
            integer(
                "ends",
                "Which end of a container of its pod it was, if the pod goes on with the container started again.",
            ),
            time("stoppedAt", "When the operator saw it."),
            ("containers", list(container(), None)),
        ],
    )
}

fn failures() -> JSONSchemaProps {
    let one = object(
        "The failures of one task.",
        [
            integer("count", "How many in all."),
            integer("ends", "How many of them are ends of containers."),
            time(
                "notStartedAt",
                "When it was last counted that a container cannot be started.",
            ),
        ],
    );
    JSONSchemaProps {
        additional_properties: Some(JSONSchemaPropsOrBool::Schema(Box::new(one))),
        ..described(
            "object",
            "What was counted of tasks that are still there, by the names of their pods.",
        )
    }
}

fn container() -> JSONSchemaProps {
    object(
        "A container of the task.",
        [
            text("name", "Its name."),
            text("lastStatus", "Its last known status."),
            integer("exitCode", "Its exit code, once it has ended."),
            text("reason", "Why it ended or does not start."),
        ],
    )
}

fn conditions() -> (&'static str, JSONSchemaProps) {
    let mut condition = object(
        "One aspect of the state.",
        [
            text(
                "type",
                "Accepted; Progressing and Ready of a service; Succeeded of tasks.",
            ),
            ("status", status()),
            integer("observedGeneration", "The generation that it speaks of."),
            time("lastTransitionTime", "When its status last changed."),
            text("reason", "The reason of the first error, or why it is so."),
            text("message", "All of it, for people."),
        ],
    );
    condition.required = Some(
        ["lastTransitionTime", "message", "reason", "status", "type"]
            .map(str::to_owned)
            .into(),
    );
    let mut conditions = list(condition, None);
    conditions.x_kubernetes_list_type = Some("map".to_owned());
    conditions.x_kubernetes_list_map_keys = Some(vec!["type".to_owned()]);
    ("conditions", conditions)
}

fn status() -> JSONSchemaProps {
    let values = ["True", "False", "Unknown"];
    JSONSchemaProps {
        enum_: Some(values.map(|value| JSON(value.into())).into()),
        ..of_type("string")
    }
}

fn observed_generation() -> (&'static str, JSONSchemaProps) {
    integer(
        "observedGeneration",
        "The generation that the status speaks of.",
    )
}

fn task_definition_member() -> (&'static str, JSONSchemaProps) {
    text("taskDefinition", "The family and revision, as in `web:3`.")
}

fn text(name: &'static str, description: &str) -> (&'static str, JSONSchemaProps) {
    (name, described("string", description))
}

fn integer(name: &'static str, description: &str) -> (&'static str, JSONSchemaProps) {
    (name, described("integer", description))
}

fn time(name: &'static str, description: &str) -> (&'static str, JSONSchemaProps) {
    let schema = JSONSchemaProps {
        format: Some("date-time".to_owned()),
        ..described("string", description)
    };
    (name, schema)
}

fn described(type_: &str, description: &str) -> JSONSchemaProps {
    JSONSchemaProps {
        description: Some(description.to_owned()),
        ..of_type(type_)
    }
}
