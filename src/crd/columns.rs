//! What `kubectl get` shows of each kind.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;

use super::definition::Resource;

/// Returns the columns of `kubectl get`.
pub(super) fn columns(resource: Resource) -> Vec<CustomResourceColumnDefinition> {
    let mut columns = own_columns(resource);
    match resource {
        Resource::AppRunner
        | Resource::CapacityProvider
        | Resource::Pipe
        | Resource::Rule
        | Resource::Schedule => {
            columns.extend([
                column("Ready", "string", &ready("status")),
                column("Reason", "string", &ready("reason")),
                wide("Message", &ready("message")),
            ]);
        }
        // They have conditions of their own among the others, or none.
        Resource::TaskDefinition | Resource::Service | Resource::Task | Resource::Cluster => {}
    }
    columns.extend([
        column(
            "Accepted",
            "string",
            ".status.conditions[?(@.type=='Accepted')].status",
        ),
        column("Age", "date", ".metadata.creationTimestamp"),
    ]);
    columns
}

/// Returns the columns of a kind before those that several have.
fn own_columns(resource: Resource) -> Vec<CustomResourceColumnDefinition> {
    let succeeded = |member: &str| format!(".status.conditions[?(@.type=='Succeeded')].{member}");
    match resource {
        Resource::TaskDefinition => vec![column("Revision", "integer", ".status.revision")],
        Resource::Service => vec![
            column("Task Definition", "string", ".status.taskDefinition"),
            // The spec of a DAEMON has none.
            column("Desired", "integer", ".status.desiredCount"),
            column("Running", "integer", ".status.runningCount"),
            column("Pending", "integer", ".status.pendingCount"),
            column("Ready", "string", &ready("status")),
            column("Reason", "string", &ready("reason")),
            wide("Rollout", ".status.deployments[0].rolloutState"),
            wide("Message", &ready("message")),
        ],
        Resource::Task => vec![
            column("Task Definition", "string", ".status.taskDefinition"),
            column("Status", "string", ".status.lastStatus"),
            column("Exit Code", "integer", ".status.exitCode"),
            column("Reason", "string", &succeeded("reason")),
            wide("Message", &succeeded("message")),
        ],
        Resource::Cluster => vec![],
        Resource::Pipe => vec![
            column("State", "string", ".status.currentState"),
            column("Started", "integer", ".status.started"),
            column("Refused", "integer", ".status.refused"),
            column("Last", "date", ".status.lastMessageTime"),
            wide("Source", ".spec.Source"),
        ],
        Resource::Rule => vec![
            column("State", "string", ".status.state"),
            column("Matched", "integer", ".status.matched"),
            column("Started", "integer", ".status.started"),
            column("Failed", "integer", ".status.failed"),
            column("Last", "date", ".status.lastMatchTime"),
            wide("Pattern", ".spec.EventPattern"),
        ],
        Resource::Schedule => vec![
            column("Schedule", "string", ".spec.ScheduleExpression"),
            column("State", "string", ".status.state"),
            column("Last", "date", ".status.lastFiring"),
            column("Next", "string", ".status.nextFiring"),
            column("Result", "string", ".status.tasks[0].result"),
            wide("Time Zone", ".spec.ScheduleExpressionTimezone"),
        ],
        Resource::AppRunner => vec![
            column("Status", "string", ".status.status"),
            column("Operation", "string", ".status.operations[0].type"),
            column("Result", "string", ".status.operations[0].status"),
            wide(
                "Image",
                ".spec.SourceConfiguration.ImageRepository.ImageIdentifier",
            ),
        ],
        Resource::CapacityProvider => vec![
            column("Status", "string", ".status.status"),
            column("Node Pool", "string", ".status.nodePool"),
        ],
    }
}

/// Returns the path of a member of the condition `Ready`.
fn ready(member: &str) -> String {
    format!(".status.conditions[?(@.type=='Ready')].{member}")
}

fn column(name: &str, type_: &str, path: &str) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: type_.to_owned(),
        json_path: path.to_owned(),
        ..CustomResourceColumnDefinition::default()
    }
}

/// Returns a column of text that `kubectl get` shows with `-o wide`.
fn wide(name: &str, path: &str) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        priority: Some(1),
        ..column(name, "string", path)
    }
}
