//! The events that ECS sends to EventBridge, as the operator makes them of statuses: they say what has happened, and when,
//! and are the same whoever looks, however often
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_cwe_events.html>).
//!
//! Nothing in them comes from an environment variable, a secret or a command.

mod service;
mod task;
#[cfg(test)]
mod tests;

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

pub use self::{
    service::{ServiceSeen, of_service},
    task::{TaskSeen, is_recent, of_service_pod, of_stopped, of_task},
};

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its ID: a UUID of what has happened to which object, so that the same has the same one.
    pub id: String,
    /// When it happened.
    pub time: Timestamp,
    /// The event as EventBridge has it.
    pub value: Value,
}

/// Where the resources of a namespace would be in AWS. What is not known is empty.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// The partition, such as `aws`.
    pub partition: &'p str,
    /// The region.
    pub region: &'p str,
    /// The ID of the account.
    pub account: &'p str,
}

impl Place<'_> {
    /// Returns the ARN of a resource of ECS, such as `service/shop/web`.
    fn arn(self, resource: &str) -> String {
        let Self {
            partition,
            region,
            account,
        } = self;
        format!("arn:{partition}:ecs:{region}:{account}:{resource}")
    }

    /// Returns an event. `what` tells it from all others of the object with this UID.
    fn event(self, happened: Happened<'_>, detail: Value) -> Event {
        let Happened {
            uid,
            what,
            time,
            detail_type,
            resource,
        } = happened;
        let id = id(uid, what);
        let value = json!({
            "version": "0",
            "id": id,
            "detail-type": detail_type,
            "source": SOURCE,
            "account": self.account,
            "time": iso(time),
            "region": self.region,
            "resources": [resource],
            "detail": detail,
        });
        Event { id, time, value }
    }
}

/// What has happened.
struct Happened<'h> {
    uid: &'h str,
    what: &'h str,
    time: Timestamp,
    detail_type: &'static str,
    resource: &'h str,
}

/// The `source` of the events of ECS. Nobody can send others with it to an event bus of AWS.
pub const SOURCE: &str = "aws.ecs";

/// Returns the ID of what has happened to the object with a UID.
fn id(uid: &str, what: &str) -> String {
    let name = format!("https://ecs-operator.dev/events/{uid}/{what}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}

/// Returns the short name of a cluster, which a request names or gives the ARN of.
fn cluster_name(cluster: Option<&str>) -> &str {
    let cluster = cluster.and_then(|cluster| cluster.rsplit('/').next());
    cluster.filter(|name| !name.is_empty()).unwrap_or("default")
}

/// Returns a time in the format of events, in whole seconds.
fn iso(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}
