//! The messages that wait to be sent, and what is remembered of those that were.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch as signal};

use super::Waiting;
use crate::controller::context::lock;

/// How many messages may wait.
const MOST: usize = 10_000;
/// How long the messages of starts are remembered, so that none is sent twice. What starts them is an hour old at most when
/// it is seen again.
const REMEMBERED: Duration = Duration::from_hours(2);
/// How often the same owner is told that nothing is sent to a queue.
const TOLD: Duration = Duration::from_mins(5);

/// The messages that wait.
#[derive(Default)]
pub(in crate::controller) struct Outbox {
    waiting: Mutex<VecDeque<Waiting>>,
    arrived: Notify,
    /// The starts whose messages were put here, by their owners.
    known: Recent<(String, String)>,
    /// The owners that were told of a queue.
    told: Recent<(String, String)>,
    /// What has not taken a message: a queue, or a region by its name.
    resting: Mutex<BTreeMap<String, (Instant, String)>>,
}

/// When something was last seen. At its limit, nothing more is remembered until the oldest can be forgotten.
struct Recent<T>(Mutex<BTreeMap<T, Instant>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Ord> Recent<T> {
    /// Whether this has not been seen for so long. Then it is seen now.
    fn is_new(&self, what: T, long: Duration) -> bool {
        let mut seen = lock(&self.0);
        if seen.get(&what).is_some_and(|at| at.elapsed() < long) {
            return false;
        }
        if seen.len() >= MOST {
            seen.retain(|_, at| at.elapsed() < long);
        }
        if seen.len() < MOST {
            seen.insert(what, Instant::now());
        }
        true
    }
}

impl Outbox {
    /// Adds a message, unless there was one for the same start. Returns whether there was room.
    pub(super) fn put(&self, message: Waiting) -> bool {
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= MOST {
            return false;
        }
        let owner = message.owner.uid.clone().unwrap_or_default();
        if self
            .known
            .is_new((owner, message.letter.name.clone()), REMEMBERED)
        {
            waiting.push_back(message);
            self.arrived.notify_one();
        }
        true
    }

    /// Waits for a message; `None` if the operator ends and none is left.
    pub(super) async fn next(&self, mut stopped: signal::Receiver<bool>) -> Option<Waiting> {
        loop {
            let next = lock(&self.waiting).pop_front();
            if next.is_some() || *stopped.borrow() {
                return next;
            }
            tokio::select! {
                () = self.arrived.notified() => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
        }
    }

    /// Whether the owner of a message has not been told lately that nothing is sent to its queue.
    pub(super) fn is_untold(&self, message: &Waiting) -> bool {
        let owner = message.owner.uid.clone().unwrap_or_default();
        self.told.is_new((owner, message.queue.clone()), TOLD)
    }

    /// Returns why a queue or a region has not taken what was sent last, unless that is as long ago as `rest`.
    pub(super) fn why_resting(&self, what: &str, rest: Duration) -> Option<String> {
        let mut all = lock(&self.resting);
        all.retain(|_, (since, _)| since.elapsed() < rest);
        all.get(what).map(|(_, why)| why.clone())
    }

    /// Lets a queue or a region rest.
    pub(super) fn rest(&self, what: String, why: String) {
        lock(&self.resting).insert(what, (Instant::now(), why));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::ObjectReference;

    use super::*;
    use crate::{controller::dead_letters::DeadLetter, crd::Spec, diagnostic::Subject};

    fn message(owner: &str, name: &str) -> Waiting {
        Waiting {
            owner: ObjectReference {
                uid: Some(owner.to_owned()),
                ..ObjectReference::default()
            },
            subject: Subject::Schedule,
            spec: Spec::default(),
            queue: "queue".to_owned(),
            letter: DeadLetter {
                name: name.to_owned(),
                body: String::new(),
                attributes: BTreeMap::new(),
            },
        }
    }

    #[tokio::test]
    async fn a_start_has_one_message_and_the_end_waits_for_those_that_are_left() {
        let outbox = Outbox::default();
        for (owner, name) in [("a", "1"), ("a", "1"), ("b", "1"), ("a", "2")] {
            assert!(outbox.put(message(owner, name)));
        }
        let (_sender, stopped) = signal::channel(true);
        let mut names = Vec::new();
        while let Some(message) = outbox.next(stopped.clone()).await {
            names.push((message.owner.uid.unwrap_or_default(), message.letter.name));
        }
        let expected = [("a", "1"), ("b", "1"), ("a", "2")];
        let expected = expected.map(|(owner, name)| (owner.to_owned(), name.to_owned()));
        assert_eq!(names, expected);
    }

    #[test]
    fn no_more_wait_than_there_is_room_for() {
        let outbox = Outbox::default();
        for number in 0..MOST {
            assert!(outbox.put(message("a", &number.to_string())));
        }
        assert!(!outbox.put(message("a", "one more")));
    }

    #[test]
    fn an_owner_is_told_once_and_a_queue_that_takes_nothing_rests() {
        let outbox = Outbox::default();
        assert!(outbox.is_untold(&message("a", "1")));
        assert!(!outbox.is_untold(&message("a", "2")));
        assert!(outbox.is_untold(&message("b", "1")));
        let long = Duration::from_hours(1);
        assert_eq!(outbox.why_resting("queue", long), None);
        outbox.rest("queue".to_owned(), "no".to_owned());
        assert_eq!(outbox.why_resting("queue", long).as_deref(), Some("no"));
        assert_eq!(outbox.why_resting("other", long), None);
        assert_eq!(outbox.why_resting("queue", Duration::ZERO), None);
    }
}
