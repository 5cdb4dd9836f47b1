//! Events on custom resources, in the words of the ECS console.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client, Resource,
    runtime::events::{Event, EventType, Recorder, Reporter},
};

/// The longest note that the API takes
/// (<https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>).
const LONGEST_NOTE: usize = 1024;

/// Publishes events. One that cannot be published is only logged: it must not hold up what it tells of.
pub(super) struct Events {
    recorder: Recorder,
}

impl Events {
    /// Events of this replica.
    #[must_use]
    pub(super) fn new(client: Client, instance: Option<String>) -> Self {
        let reporter = Reporter {
            controller: "ecs-operator.dev/ecs-operator".to_owned(),
            instance,
        };
        Self {
            recorder: Recorder::new(client, reporter),
        }
    }

    /// Tells something that went as it should.
    pub(super) async fn normal<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        reason: &str,
        note: String,
    ) {
        self.publish(object.object_ref(&()), EventType::Normal, reason, note)
            .await;
    }

    /// Tells something that somebody should look at.
    pub(super) async fn warning<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        reason: &str,
        note: String,
    ) {
        self.publish(object.object_ref(&()), EventType::Warning, reason, note)
            .await;
    }

    async fn publish(
        &self,
        object: ObjectReference,
        type_: EventType,
        reason: &str,
        mut note: String,
    ) {
        if note.len() > LONGEST_NOTE {
            let mut end = LONGEST_NOTE - 3;
            while !note.is_char_boundary(end) {
                end -= 1;
            }
            note.truncate(end);
            note.push_str("...");
        }
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(note),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, &object).await {
            tracing::warn!(%error, reason, "cannot publish an event");
        }
    }
}
