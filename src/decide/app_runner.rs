//! The state of an App Runner service, and what is done to it, as its EcsService shows them.
//!
//! The status remembers what the newest operation was for. Another generation, pause or start is the next one. App Runner
//! takes one operation at a time and refuses others; here, the newest counts, and takes over from one that is not done.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{
    crd::{
        ACCEPTED, AppRunnerServiceStatus, OperationStatus, READY, RequestedStatus, ServiceStatus,
        TaskDefinitionStatus,
    },
    diagnostic::StateReason,
};

/// The `status` of a service that runs what was asked for last, or what a rollback has restored.
pub const RUNNING: &str = "RUNNING";
/// The `status` of a service while an operation is not done.
pub const OPERATION_IN_PROGRESS: &str = "OPERATION_IN_PROGRESS";
/// The `status` of a service of which no instance shall run.
pub const PAUSED: &str = "PAUSED";
/// The `status` of a service of which nothing has ever run, because its deployment has failed.
pub const CREATE_FAILED: &str = "CREATE_FAILED";

const CREATE_SERVICE: &str = "CREATE_SERVICE";
const UPDATE_SERVICE: &str = "UPDATE_SERVICE";
const START_DEPLOYMENT: &str = "START_DEPLOYMENT";
const PAUSE_SERVICE: &str = "PAUSE_SERVICE";
const RESUME_SERVICE: &str = "RESUME_SERVICE";

const IN_PROGRESS: &str = "IN_PROGRESS";
const SUCCEEDED: &str = "SUCCEEDED";
const FAILED: &str = "FAILED";
const ROLLBACK_IN_PROGRESS: &str = "ROLLBACK_IN_PROGRESS";
const ROLLBACK_SUCCEEDED: &str = "ROLLBACK_SUCCEEDED";
const ROLLBACK_FAILED: &str = "ROLLBACK_FAILED";

/// How many operations are listed.
const LISTED: usize = 10;

/// How far what an App Runner service asks for is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not yet, or it is refused.
    Underway,
    /// It runs, and nothing else does.
    Steady,
    /// It has failed, and what ran before is being restored.
    RollingBack,
    /// It has failed, and what ran before runs.
    RolledBack,
    /// It has failed, and nothing is restored.
    Failed,
}

/// A status, and the generation of the object that has it.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a, S> {
    /// The status.
    pub status: &'a S,
    /// The generation of the object, which the status may not describe yet.
    pub generation: Option<i64>,
}

impl Progress {
    /// Returns the progress that the EcsService and its EcsTaskDefinition report. What they report of an earlier spec or
    /// revision says nothing.
    #[must_use]
    pub fn of(service: Of<'_, ServiceStatus>, definition: Of<'_, TaskDefinitionStatus>) -> Self {
        let (of_service, of_definition) = (service.status, definition.status);
        let is_seen = of_service.observed_generation == service.generation
            && of_definition.observed_generation == definition.generation;
        let mut conditions = of_definition.conditions.iter();
        let is_registered = conditions.any(|it| it.type_ == ACCEPTED && it.status == "True");
        let mut conditions = of_service.conditions.iter();
        let ready = conditions.find(|condition| condition.type_ == READY);
        let Some(ready) = ready.filter(|_| is_seen && is_registered) else {
            return Self::Underway;
        };
        let is_newest = |name: Option<&String>| {
            let number = name.and_then(|name| name.rsplit_once(':'));
            let number = number.and_then(|(_, number)| number.parse().ok());
            number.is_some() && number == of_definition.revision
        };
        let rolled_back = of_service.rolled_back_revision.as_ref();
        let mut deployments = of_service.deployments.iter();
        let failed = deployments
            .find(|it| rolled_back.is_some() && it.service_revision.as_ref() == rolled_back);
        let has_failed = || is_newest(failed.and_then(|it| it.task_definition.as_ref()));
        let primary = of_service.deployments.first();
        let is = |reason: StateReason| reason.is(&ready.reason);
        if ready.status == "True" && is_newest(of_service.task_definition.as_ref()) {
            Self::Steady
        } else if is(StateReason::RollingBack) && has_failed() {
            Self::RollingBack
        } else if is(StateReason::RolledBack) && has_failed() {
            Self::RolledBack
        } else if is(StateReason::DeploymentFailed)
            && is_newest(primary.and_then(|it| it.task_definition.as_ref()))
        {
            Self::Failed
        } else {
            Self::Underway
        }
    }
}

/// What an App Runner service asks for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The identity of the object.
    pub uid: &'a str,
    /// What an operation would be for.
    pub requested: RequestedStatus,
    /// How far it is carried out.
    pub progress: Progress,
    /// Whether a deployment of it has ever completed.
    pub has_run: bool,
}

/// Returns the status with the operations, and the state that follows from them.
#[must_use]
pub fn follow(
    before: &AppRunnerServiceStatus,
    asked: Asked<'_>,
    now: Timestamp,
) -> AppRunnerServiceStatus {
    let mut status = before.clone();
    if let Some(type_) = next(before, &asked.requested) {
        if let Some(open) = status.operations.first_mut() {
            // It has not reached what it was for.
            end(open, FAILED, now);
        }
        let begun = OperationStatus {
            id: id(asked.uid, type_, &asked.requested),
            r#type: type_.to_owned(),
            status: IN_PROGRESS.to_owned(),
            started_at: Some(Time(now)),
            ended_at: None,
        };
        status.operations.insert(0, begun);
        status.operations.truncate(LISTED);
    }
    if let Some(newest) = status.operations.first_mut() {
        advance(newest, asked.progress, now);
    }
    let state = state(status.operations.first(), &asked);
    status.status = Some(state.to_owned());
    status.requested = asked.requested;
    status
}

/// Returns the type of the operation that begins, if one does.
fn next(before: &AppRunnerServiceStatus, asked: &RequestedStatus) -> Option<&'static str> {
    let last = &before.requested;
    if before.operations.is_empty() {
        Some(CREATE_SERVICE)
    } else if asked.paused != last.paused {
        Some(if asked.paused {
            PAUSE_SERVICE
        } else {
            RESUME_SERVICE
        })
    } else if asked.start_deployment.is_some() && asked.start_deployment != last.start_deployment {
        Some(START_DEPLOYMENT)
    } else if asked.generation != last.generation {
        Some(UPDATE_SERVICE)
    } else {
        // The first image ends the wait of the operation before.
        let is_other = last.image.is_some() && asked.image != last.image;
        is_other.then_some(START_DEPLOYMENT)
    }
}

/// Returns the image that a service whose image a builder makes should run: none as long as there is none. `running` is
/// the one that it was told to run last, and `newest` the one that the builder has made last, if that is known.
///
/// What runs stays until the request changes, which means what is newest then. What a builder makes later is deployed as a
/// push is.
#[must_use]
pub fn built_image<'i>(
    running: Option<&'i str>,
    newest: Option<&'i str>,
    is_edited: bool,
) -> Option<&'i str> {
    if is_edited {
        newest.or(running)
    } else {
        running.or(newest)
    }
}

const fn is_open(operation: &OperationStatus) -> bool {
    operation.ended_at.is_none()
}

/// Ends an operation that has not ended.
fn end(operation: &mut OperationStatus, how: &str, now: Timestamp) {
    if is_open(operation) {
        how.clone_into(&mut operation.status);
        operation.ended_at = Some(Time(now));
    }
}

fn advance(operation: &mut OperationStatus, progress: Progress, now: Timestamp) {
    let rolls_back = operation.status == ROLLBACK_IN_PROGRESS;
    match progress {
        Progress::RollingBack if is_open(operation) => {
            ROLLBACK_IN_PROGRESS.clone_into(&mut operation.status);
        }
        Progress::Underway | Progress::RollingBack => {}
        Progress::Steady => end(operation, SUCCEEDED, now),
        Progress::RolledBack => end(operation, ROLLBACK_SUCCEEDED, now),
        Progress::Failed if rolls_back => end(operation, ROLLBACK_FAILED, now),
        Progress::Failed => end(operation, FAILED, now),
    }
}

fn state(newest: Option<&OperationStatus>, asked: &Asked<'_>) -> &'static str {
    let has_failed = newest.is_some_and(|newest| newest.status == FAILED);
    if newest.is_some_and(is_open) {
        OPERATION_IN_PROGRESS
    } else if asked.requested.paused {
        PAUSED
    } else if has_failed && !asked.has_run {
        CREATE_FAILED
    } else {
        RUNNING
    }
}

/// Returns the UUID of an operation, which is the same whenever it is derived: one of version 8
/// (<https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8>), of the SHA-256 of what it is for.
fn id(uid: &str, type_: &str, requested: &RequestedStatus) -> String {
    let generation = requested.generation.unwrap_or(0);
    let start = requested.start_deployment.as_deref().unwrap_or_default();
    let mut what = format!("{uid}/{type_}/{generation}/{start}");
    if let Some(image) = &requested.image {
        what.extend(["/", image]);
    }
    let digest = Sha256::digest(what.as_bytes());
    let mut bytes = [0; 16];
    for (byte, of_digest) in bytes.iter_mut().zip(digest) {
        *byte = of_digest;
    }
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn now() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn requested(generation: i64, paused: bool, start: &str) -> RequestedStatus {
        RequestedStatus {
            generation: Some(generation),
            paused,
            start_deployment: (!start.is_empty()).then(|| start.to_owned()),
            image: None,
        }
    }

    /// Follows a service through what it asks for and how far that is; returns the state, and the operations, newest first.
    fn story(steps: &[(RequestedStatus, Progress, bool)]) -> (String, String) {
        let mut status = AppRunnerServiceStatus::default();
        for (requested, progress, has_run) in steps {
            let asked = Asked {
                uid: "uid",
                requested: requested.clone(),
                progress: *progress,
                has_run: *has_run,
            };
            status = follow(&status, asked.clone(), now());
            assert_eq!(
                follow(&status, asked, now()),
                status,
                "nothing more happens"
            );
        }
        let operations = status.operations.iter();
        let operations = operations.map(|it| {
            assert_eq!(it.ended_at.is_none(), it.status.ends_with("IN_PROGRESS"));
            format!("{} {}", it.r#type, it.status)
        });
        let operations: Vec<String> = operations.collect();
        (status.status.unwrap_or_default(), operations.join(", "))
    }

    #[test]
    fn each_change_is_an_operation_that_ends_as_what_runs_shows() {
        use Progress::{Failed, RolledBack, RollingBack, Steady, Underway};
        let first = || requested(1, false, "");
        let created = || (first(), Steady, true);
        let second = || requested(2, false, "");
        let table: &[(&[(RequestedStatus, Progress, bool)], &str, &str)] = &[
            (
                &[(first(), Underway, false)],
                "OPERATION_IN_PROGRESS",
                "CREATE_SERVICE IN_PROGRESS",
            ),
            (&[created()], "RUNNING", "CREATE_SERVICE SUCCEEDED"),
            (
                &[(first(), Failed, false)],
                "CREATE_FAILED",
                "CREATE_SERVICE FAILED",
            ),
            // The edit takes over, and nothing has run yet.
            (
                &[(first(), Underway, false), (second(), Failed, false)],
                "CREATE_FAILED",
                "UPDATE_SERVICE FAILED, CREATE_SERVICE FAILED",
            ),
            (
                &[created(), (second(), Underway, true)],
                "OPERATION_IN_PROGRESS",
                "UPDATE_SERVICE IN_PROGRESS, CREATE_SERVICE SUCCEEDED",
            ),
            // An edit without an effect.
            (
                &[created(), (second(), Steady, true)],
                "RUNNING",
                "UPDATE_SERVICE SUCCEEDED, CREATE_SERVICE SUCCEEDED",
            ),
            (
                &[created(), (second(), RollingBack, true)],
                "OPERATION_IN_PROGRESS",
                "UPDATE_SERVICE ROLLBACK_IN_PROGRESS, CREATE_SERVICE SUCCEEDED",
            ),
            (
                &[
                    created(),
                    (second(), RollingBack, true),
                    (second(), RolledBack, true),
                ],
                "RUNNING",
                "UPDATE_SERVICE ROLLBACK_SUCCEEDED, CREATE_SERVICE SUCCEEDED",
            ),
            (
                &[
                    created(),
                    (second(), RollingBack, true),
                    (second(), Failed, true),
                ],
                "RUNNING",
                "UPDATE_SERVICE ROLLBACK_FAILED, CREATE_SERVICE SUCCEEDED",
            ),
            // It fails later than it was done.
            (
                &[
                    created(),
                    (first(), Underway, true),
                    (first(), Failed, true),
                ],
                "RUNNING",
                "CREATE_SERVICE SUCCEEDED",
            ),
            (
                &[created(), (requested(2, true, ""), Underway, true)],
                "OPERATION_IN_PROGRESS",
                "PAUSE_SERVICE IN_PROGRESS, CREATE_SERVICE SUCCEEDED",
            ),
            (
                &[
                    created(),
                    (requested(2, true, ""), Steady, true),
                    (requested(3, true, ""), Steady, true),
                ],
                "PAUSED",
                "UPDATE_SERVICE SUCCEEDED, PAUSE_SERVICE SUCCEEDED, CREATE_SERVICE SUCCEEDED",
            ),
            (
                &[(requested(1, true, ""), Steady, false)],
                "PAUSED",
                "CREATE_SERVICE SUCCEEDED",
            ),
            (
                &[
                    (requested(1, true, ""), Steady, false),
                    (second(), Steady, true),
                ],
                "RUNNING",
                "RESUME_SERVICE SUCCEEDED, CREATE_SERVICE SUCCEEDED",
            ),
            (
                &[
                    created(),
                    (requested(1, false, "a"), Steady, true),
                    (requested(1, false, "b"), Underway, true),
                ],
                "OPERATION_IN_PROGRESS",
                "START_DEPLOYMENT IN_PROGRESS, START_DEPLOYMENT SUCCEEDED, CREATE_SERVICE SUCCEEDED",
            ),
            // The annotation is removed.
            (
                &[(requested(1, false, "a"), Steady, true), created()],
                "RUNNING",
                "CREATE_SERVICE SUCCEEDED",
            ),
        ];
        for (steps, state, operations) in table {
            let found = story(steps);
            assert_eq!((&*found.0, &*found.1), (*state, *operations), "{steps:?}");
        }
    }

    #[test]
    fn what_a_builder_makes_is_run_when_it_is_asked_for() {
        let (a, b) = (Some("a"), Some("b"));
        for (running, newest, is_edited, expected) in [
            (None, None, false, None),
            (None, a, false, a),
            (a, None, false, a),
            (a, b, false, a),
            (a, b, true, b),
            // It is gone, or has built nothing.
            (a, None, true, a),
            (None, None, true, None),
        ] {
            let found = built_image(running, newest, is_edited);
            assert_eq!(found, expected, "{running:?} {newest:?} {is_edited}");
        }
        let with = |generation: i64, image: Option<&str>| RequestedStatus {
            image: image.map(str::to_owned),
            ..requested(generation, false, "")
        };
        use Progress::{Steady, Underway};
        let created = || (with(1, a), Steady, true);
        for (steps, operations) in [
            (
                &[(with(1, None), Underway, false), created()][..],
                "CREATE_SERVICE SUCCEEDED",
            ),
            (
                &[created(), (with(1, b), Steady, true)],
                "START_DEPLOYMENT SUCCEEDED, CREATE_SERVICE SUCCEEDED",
            ),
            (
                &[created(), (with(2, b), Steady, true)],
                "UPDATE_SERVICE SUCCEEDED, CREATE_SERVICE SUCCEEDED",
            ),
        ] {
            assert_eq!(story(steps).1, operations);
        }
        let [one, other] = [a, b].map(|image| id("uid", START_DEPLOYMENT, &with(1, image)));
        assert_ne!(one, other);
    }

    #[test]
    fn the_last_operations_are_listed_and_each_has_an_identity_of_its_own() {
        let mut status = AppRunnerServiceStatus::default();
        for generation in 1..=12 {
            let asked = Asked {
                uid: "uid",
                requested: requested(generation, false, ""),
                progress: Progress::Steady,
                has_run: true,
            };
            status = follow(&status, asked, now());
        }
        let mut ids: Vec<&String> = status.operations.iter().map(|it| &it.id).collect();
        assert_eq!(ids.len(), 10);
        let uuid = regex::Regex::new(
            "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        );
        let uuid = uuid.expect("it is an expression");
        assert!(ids.iter().all(|id| uuid.is_match(id)), "{ids:?}");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 10);
        let first = requested(1, false, "");
        assert_eq!(
            id("uid", CREATE_SERVICE, &first),
            "9519a777-f5c5-8d77-81ba-57c486dce919"
        );
        assert_ne!(
            id("uid", CREATE_SERVICE, &first),
            id("other", CREATE_SERVICE, &first)
        );
    }

    /// The progress of a service of generation 2 whose task definition has the revision 3.
    fn progress(service: Value, definition: Value) -> Progress {
        let mut of_service = json!({
            "observedGeneration": 2,
            "taskDefinition": "web:3",
            "conditions": [{"type": "Ready", "status": "True", "reason": "SteadyState", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        });
        let mut of_definition = json!({
            "observedGeneration": 1,
            "revision": 3,
            "conditions": [{"type": "Accepted", "status": "True", "reason": "Registered", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        });
        for (of, more) in [(&mut of_service, service), (&mut of_definition, definition)] {
            if let (Value::Object(of), Value::Object(more)) = (of, more) {
                of.extend(more);
            }
        }
        let service: ServiceStatus = serde_json::from_value(of_service).expect("it is a status");
        let definition: TaskDefinitionStatus =
            serde_json::from_value(of_definition).expect("it is a status");
        Progress::of(
            Of {
                status: &service,
                generation: Some(2),
            },
            Of {
                status: &definition,
                generation: Some(1),
            },
        )
    }

    #[test]
    fn what_is_reported_of_something_earlier_says_nothing() {
        let ready = |status: &str, reason: &str| json!([{"type": "Ready", "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
        let deployments = |failed: &str| {
            json!([
                {"id": "2", "serviceRevision": "a", "taskDefinition": "web:2"},
                {"id": "1", "serviceRevision": "b", "taskDefinition": failed},
            ])
        };
        let rolled_back = |reason: &str, failed: &str| {
            json!({
                "taskDefinition": "web:2", "conditions": ready("False", reason),
                "rolledBackRevision": "b", "deployments": deployments(failed),
            })
        };
        let failed = |of: &str| {
            json!({
                "conditions": ready("False", "DeploymentFailed"),
                "deployments": [{"id": "1", "serviceRevision": "a", "taskDefinition": of}],
            })
        };
        let refused = json!({"conditions": [{"type": "Accepted", "status": "False", "reason": "InvalidValue", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
        for (service, definition, expected) in [
            (json!({}), json!({}), Progress::Steady),
            (
                json!({"observedGeneration": 1}),
                json!({}),
                Progress::Underway,
            ),
            (
                json!({}),
                json!({"observedGeneration": 0}),
                Progress::Underway,
            ),
            (
                json!({"taskDefinition": "web:2"}),
                json!({}),
                Progress::Underway,
            ),
            (
                json!({"taskDefinition": null}),
                json!({"revision": null}),
                Progress::Underway,
            ),
            (json!({}), refused, Progress::Underway),
            (
                json!({"conditions": ready("False", "InProgress")}),
                json!({}),
                Progress::Underway,
            ),
            (
                rolled_back("RollingBack", "web:3"),
                json!({}),
                Progress::RollingBack,
            ),
            (
                rolled_back("RolledBack", "web:3"),
                json!({}),
                Progress::RolledBack,
            ),
            (
                rolled_back("RolledBack", "web:1"),
                json!({}),
                Progress::Underway,
            ),
            (failed("web:3"), json!({}), Progress::Failed),
            (failed("web:2"), json!({}), Progress::Underway),
        ] {
            let told = format!("{service} {definition}");
            assert_eq!(progress(service, definition), expected, "{told}");
        }
    }
}
