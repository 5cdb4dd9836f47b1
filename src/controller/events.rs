//! Events on custom resources, in the words of the ECS console.

use std::{
    collections::HashMap,
    hash::BuildHasher as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use foldhash::quality::FixedState;
use k8s_openapi::{
    api::{
        core::v1::ObjectReference,
        events::v1::{Event, EventSeries},
    },
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::{
    sync::{
        mpsc::{Receiver, Sender, channel},
        oneshot,
    },
    time::{self, sleep, timeout},
};

use crate::{controller::error::brief, diagnostic::StatusReason};

/// The longest note that the API takes
/// (<https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>).
const LONGEST_NOTE: usize = 1024;
/// The longest name of an object
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>).
const LONGEST_NAME: usize = 253;
/// How often publishing an event is tried while the API server rejects it temporarily.
const TRIES: u32 = 4;
/// How long to wait before a retry, if the API server does not say.
const RETRY: Duration = Duration::from_secs(1);
/// The longest wait that the API server may ask for.
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// The reporting controller.
const CONTROLLER: &str = "ecs-operator.dev/ecs-operator";
/// How many events may wait. More are dropped, as Kubernetes does with its own.
const WAITING: usize = 16_384;
/// If so many wait, events yield to other requests.
const CROWD: usize = 256;
/// How many times as long as publishing an event takes the publisher then rests.
const REST: u32 = 4;
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_millis(200);
/// How long repetitions of an event are counted in one object. In Kubernetes, a series ends after 6 minutes
/// (<https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>).
const SERIES: Duration = Duration::from_mins(6);
/// How long publishing the remaining events may take when the operator ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// Accepts events and publishes them in the background, one after another: they must not delay what they report, and a
/// thousand services that start at once need the API server for more important requests.
pub(super) struct Events {
    sender: Sender<Message>,
    /// Whether the operator ends, so that there is no time to rest.
    ends: Arc<AtomicBool>,
}

enum Message {
    Told(Box<Told>),
    /// Answered when all earlier events are published.
    Farewell(oneshot::Sender<()>),
}

/// An event that waits to be published.
struct Told {
    about: ObjectReference,
    type_: &'static str,
    reason: StatusReason,
    note: String,
    time: Timestamp,
}

impl Events {
    /// Returns the events of this replica. A task on the caller's runtime publishes them.
    #[must_use]
    pub(super) fn new(client: Client, instance: String) -> Self {
        let (sender, receiver) = channel(WAITING);
        let ends = Arc::new(AtomicBool::new(false));
        let publisher = Publisher {
            client,
            instance,
            series: HashMap::new(),
            ends: ends.clone(),
        };
        tokio::spawn(publisher.run(receiver));
        Self { sender, ends }
    }

    /// Waits briefly until all events are published, before the operator ends.
    pub(super) async fn farewell(&self) {
        self.ends.store(true, Ordering::SeqCst);
        let (sender, receiver) = oneshot::channel();
        let published = async {
            // If the publisher is gone, so is the other sender, and nothing is left to wait for.
            let _gone = self.sender.send(Message::Farewell(sender)).await;
            let _gone = receiver.await;
        };
        if timeout(FAREWELL, published).await.is_err() {
            tracing::warn!("some events are lost: they could not be published in time");
        }
    }

    /// Reports an event of type Normal.
    pub(super) fn normal<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        reason: impl Into<StatusReason>,
        note: String,
    ) {
        self.tell(object.object_ref(&()), "Normal", reason.into(), note);
    }

    /// Reports an event of type Warning.
    pub(super) fn warning<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        reason: impl Into<StatusReason>,
        note: String,
    ) {
        self.tell(object.object_ref(&()), "Warning", reason.into(), note);
    }

    /// Reports an event of type Warning about an object that is not at hand.
    pub(super) fn warning_about(
        &self,
        object: ObjectReference,
        reason: impl Into<StatusReason>,
        note: String,
    ) {
        self.tell(object, "Warning", reason.into(), note);
    }

    fn tell(
        &self,
        about: ObjectReference,
        type_: &'static str,
        reason: StatusReason,
        note: String,
    ) {
        let told = Box::new(Told {
            about,
            type_,
            reason,
            note: shortened(note),
            time: Timestamp::now(),
        });
        if self.sender.try_send(Message::Told(told)).is_err() {
            tracing::warn!(%reason, "an event is lost: too many wait to be published");
        }
    }
}

fn shortened(mut note: String) -> String {
    if note.len() > LONGEST_NOTE {
        let mut end = LONGEST_NOTE - 3;
        while !note.is_char_boundary(end) {
            end -= 1;
        }
        note.truncate(end);
        note.push_str("...");
    }
    note
}

/// Returns the name of an event: as much of its object's name as fits, and its time.
fn name(object: &str, time: Timestamp) -> String {
    let time = format!(".{:x}", time.as_nanosecond());
    let room = object.floor_char_boundary(LONGEST_NAME - time.len());
    // A part of a name may not end in a hyphen.
    let object = object[..room].trim_end_matches(|end: char| !end.is_ascii_alphanumeric());
    format!("{object}{time}")
}

/// Returns how long to wait before retrying an event that the API server rejects for now; `None` if it never accepts
/// it.
fn patience(error: &kube::Error) -> Option<Duration> {
    let kube::Error::Api(status) = error else {
        return Some(RETRY);
    };
    let asked = status
        .details
        .as_ref()
        .map_or(0, |details| details.retry_after_seconds);
    let asked = Duration::from_secs(asked.into()).min(LONGEST_RETRY);
    matches!(status.code, 429 | 500..).then(|| asked.max(RETRY))
}

/// Returns how long to rest after an event that took this long while others wait; `None` if there are few, or so many that
/// they would soon be dropped. A thousand services that start at once make the API server slow, and thereby their events.
fn rest(waiting: usize, took: Duration) -> Option<Duration> {
    (CROWD..WAITING / 2)
        .contains(&waiting)
        .then(|| (took * REST).min(LONGEST_REST))
}

/// Publishes events.
struct Publisher {
    client: Client,
    instance: String,
    /// The recently published events, by the digest of everything except their time.
    series: HashMap<u64, Series>,
    ends: Arc<AtomicBool>,
}

/// The repetitions of an event.
struct Series {
    name: String,
    count: i32,
    last: Instant,
}

impl Publisher {
    async fn run(mut self, mut waiting: Receiver<Message>) {
        while let Some(message) = waiting.recv().await {
            let told = match message {
                Message::Told(told) => told,
                Message::Farewell(sender) => {
                    // The waiter may have timed out.
                    let _gone = sender.send(());
                    continue;
                }
            };
            let begun = time::Instant::now();
            for tries in 1..=TRIES {
                let Err(error) = self.publish(&told).await else {
                    break;
                };
                let wait = patience(&error).filter(|_| tries < TRIES);
                let Some(wait) = wait else {
                    let error = brief(&error);
                    tracing::warn!(error, reason = %told.reason, "cannot publish an event");
                    break;
                };
                sleep(wait).await;
            }
            let rest = rest(waiting.len(), begun.elapsed());
            if let Some(rest) = rest.filter(|_| !self.ends.load(Ordering::SeqCst)) {
                sleep(rest).await;
            }
        }
    }

    async fn publish(&mut self, told: &Told) -> Result<(), kube::Error> {
        let namespace = told.about.namespace.as_deref().unwrap_or("default");
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let digest = FixedState::with_seed(0).hash_one((
            &told.about.uid,
            told.type_,
            told.reason.name(),
            &told.note,
        ));
        let known = self.series.get_mut(&digest);
        if let Some(series) = known.filter(|series| series.last.elapsed() < SERIES) {
            series.count = series.count.saturating_add(1);
            series.last = Instant::now();
            let change = json!({"series": EventSeries {
                count: series.count,
                last_observed_time: MicroTime(told.time),
            }});
            let (params, patch) = (PatchParams::default(), Patch::Merge(change));
            return api.patch(&series.name, &params, &patch).await.map(drop);
        }
        let event = self.event(told);
        let name = event.metadata.name.clone().unwrap_or_default();
        api.create(&PostParams::default(), &event).await?;
        if self.series.len() == self.series.capacity() {
            // Only now and then, because this looks at every series.
            self.series
                .retain(|_, series| series.last.elapsed() < SERIES);
        }
        let (count, last) = (1, Instant::now());
        self.series.insert(digest, Series { name, count, last });
        Ok(())
    }

    fn event(&self, told: &Told) -> Event {
        let object = told.about.name.as_deref().unwrap_or(CONTROLLER);
        Event {
            metadata: ObjectMeta {
                name: Some(name(object, told.time)),
                namespace: told.about.namespace.clone(),
                ..ObjectMeta::default()
            },
            action: Some("Reconcile".to_owned()),
            event_time: Some(MicroTime(told.time)),
            note: Some(told.note.clone()),
            reason: Some(told.reason.name().to_owned()),
            regarding: Some(told.about.clone()),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(told.type_.to_owned()),
            ..Event::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use http::{Request, Response};
    use kube::client::Body;
    use tower::{BoxError, service_fn};

    use super::*;
    use crate::{crd::EcsService, diagnostic::StateReason};

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let note = shortened("ä".repeat(LONGEST_NOTE));
        assert!(note.len() <= LONGEST_NOTE && note.ends_with("ä..."));
        assert_eq!(shortened("short".to_owned()), "short");
    }

    #[test]
    fn a_crowd_of_events_yields_to_other_requests_unless_it_would_be_dropped() {
        let took = Duration::from_millis(10);
        let most = Some(LONGEST_REST);
        for (waiting, took, expected) in [
            (0, took, None),
            (CROWD - 1, took, None),
            (CROWD, took, Some(Duration::from_millis(40))),
            (CROWD, Duration::from_secs(5), most),
            (WAITING / 2 - 1, Duration::from_secs(5), most),
            (WAITING / 2, took, None),
            (WAITING, took, None),
        ] {
            assert_eq!(rest(waiting, took), expected, "{waiting} {took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_events_does_not_rest_when_the_operator_ends() {
        const TOLD: usize = 400;
        let published = Arc::new(AtomicUsize::new(0));
        let count = published.clone();
        // Each event takes 10 ms, so that all of them take less than the operator waits, and with rests more.
        let answer = service_fn(move |_: Request<Body>| {
            let count = count.clone();
            async move {
                sleep(Duration::from_millis(10)).await;
                count.fetch_add(1, Ordering::SeqCst);
                let body = Body::from(br#"{"metadata": {}}"#.to_vec());
                Ok::<_, BoxError>(Response::new(body))
            }
        });
        let events = Events::new(Client::new(answer, "shop"), "one".to_owned());
        let service = EcsService::default();
        for number in 0..TOLD {
            events.normal(&service, StateReason::SteadyState, number.to_string());
        }
        events.farewell().await;
        assert_eq!(published.load(Ordering::SeqCst), TOLD);
    }

    #[test]
    fn a_name_has_room_for_its_time() {
        let time = Timestamp::from_second(1_800_000_000).expect("it is in range");
        assert_eq!(name("web", time), "web.18fae27693b40000");
        let long = name(&"a".repeat(253), time);
        assert_eq!(long.len(), 253);
        assert!(long.ends_with("aaa.18fae27693b40000"), "{long}");
        let hyphens = name(&format!("{}{}", "a".repeat(230), "-.".repeat(11)), time);
        assert!(hyphens.ends_with("aaa.18fae27693b40000"), "{hyphens}");
    }

    #[test]
    fn only_what_may_pass_is_waited_for() {
        let refused = |code, seconds| {
            let text =
                format!(r#"{{"code": {code}, "details": {{"retryAfterSeconds": {seconds}}}}}"#);
            let status: kube::core::Status = serde_json::from_str(&text).expect("it is a status");
            patience(&kube::Error::Api(status.boxed()))
        };
        assert_eq!(refused(429, 5), Some(Duration::from_secs(5)));
        assert_eq!(refused(503, 0), Some(RETRY));
        assert_eq!(refused(503, 9999), Some(LONGEST_RETRY));
        assert_eq!(refused(403, 5), None);
    }
}
