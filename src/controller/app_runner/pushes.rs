//! Automatic deployments: what the tag of a service's image names is looked up again and again, and deployed when that is
//! something else.
//!
//! Only the digest that the last deployment began with is compared, which the EcsService reports. An operator that did not
//! run while something was pushed deploys it afterwards.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Mutex,
    time::Duration,
};

use tokio::time::Instant;

use super::{apply::Kept, fetch::Accepted};
use crate::{
    controller::{context::Context, context::lock},
    crd::{AppRunnerService, AppRunnerServiceStatus},
    decide::app_runner::RUNNING,
    diagnostic::StateReason,
};

/// When tags are looked up.
#[derive(Debug)]
pub(in crate::controller) struct Lookups {
    every: Duration,
    /// By the UIDs of the services.
    next: Mutex<HashMap<String, Next>>,
}

/// When the tag of a service is looked up next.
#[derive(Clone, Copy, Debug)]
struct Next {
    at: Instant,
    /// Whether the last lookup failed, which was said.
    has_failed: bool,
}

impl Lookups {
    /// Returns lookups at this interval.
    pub(in crate::controller) fn new(every: Duration) -> Self {
        Self {
            every,
            next: Mutex::default(),
        }
    }

    /// Returns how long until a service has its next turn; none if that is now, which begins the next interval. The first
    /// turns are spread over an interval: an operator that starts must not ask for all services at once.
    fn rest(&self, uid: &str, now: Instant) -> Option<Duration> {
        let mut next = lock(&self.next);
        let mut hasher = DefaultHasher::new();
        uid.hash(&mut hasher);
        let thousandths = u32::try_from(hasher.finish() % 1000).unwrap_or_default();
        let entry = next.entry(uid.to_owned()).or_insert_with(|| Next {
            at: now + self.every * thousandths / 1000,
            has_failed: false,
        });
        let rest = entry.at.saturating_duration_since(now);
        if rest.is_zero() {
            entry.at = now + self.every;
        }
        (!rest.is_zero()).then_some(rest)
    }

    /// Records how a lookup went. Returns whether it failed as the first one in a row.
    fn has_begun_to_fail(&self, uid: &str, fails: bool) -> bool {
        let mut next = lock(&self.next);
        let Some(entry) = next.get_mut(uid) else {
            return false;
        };
        let has_failed = std::mem::replace(&mut entry.has_failed, fails);
        fails && !has_failed
    }

    /// Forgets a service that is gone.
    pub(super) fn forget(&self, uid: &str) {
        lock(&self.next).remove(uid);
    }
}

/// What a turn has found.
pub(super) enum Turn {
    /// A digest that is not the one that runs.
    Pushed(String),
    /// Nothing. The next turn is after this time; `None` if the service has no turns.
    Nothing(Option<Duration>),
}

/// Looks up the tag of a service if it is its turn, it deploys automatically, and no operation is in progress.
pub(super) async fn look_up(
    cx: &Context,
    service: &AppRunnerService,
    accepted: &Accepted,
    (kept, status): (&Kept, &AppRunnerServiceStatus),
) -> Turn {
    let watched = accepted.watched.as_ref();
    let (Some(lookups), Some(registries), Some(image)) = (&cx.lookups, &cx.registries, watched)
    else {
        return Turn::Nothing(None);
    };
    let uid = service.metadata.uid.as_deref().unwrap_or_default();
    if let Some(rest) = lookups.rest(uid, Instant::now()) {
        return Turn::Nothing(Some(rest));
    }
    let nothing = Turn::Nothing(Some(lookups.every));
    let of_service = cx.services.latest(&kept.service);
    let mut resolved = of_service.resolved_images.iter();
    let deployed = resolved.find(|it| it.image == *image);
    let Some(deployed) = deployed.filter(|_| status.status.as_deref() == Some(RUNNING)) else {
        return nothing;
    };
    let (digests, failures) = registries.resolve([image.clone()].into()).await;
    let failure = failures.first();
    if lookups.has_begun_to_fail(uid, failure.is_some())
        && let Some((image, failure)) = failure
    {
        let note = format!(
            "What the tag of {image} names cannot be looked up, because {failure}: until it can be, a push begins no deployment."
        );
        cx.events
            .warning(service, StateReason::ImageTagNotResolved, note);
    }
    let Some(digest) = digests.get(image) else {
        return nothing;
    };
    if *digest == deployed.image_digest || accepted.start.is_for(digest) {
        return nothing;
    }
    let note = format!("A deployment begins, because {image} is {digest} now.");
    cx.events
        .normal(service, StateReason::DeploymentStarted, note);
    Turn::Pushed(digest.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_turns_are_spread_over_an_interval() {
        let every = Duration::from_mins(1);
        let lookups = Lookups::new(every);
        let now = Instant::now();
        let names: Vec<String> = (0..1000).map(|number| format!("uid-{number}")).collect();
        let rests = names.iter().map(|uid| lookups.rest(uid, now));
        let early = rests
            .filter(|rest| rest.is_none_or(|rest| rest < every / 2))
            .count();
        assert!((400..600).contains(&early), "{early}");
        // Each has one turn in an interval.
        let end = now + every;
        assert!(names.iter().all(|uid| lookups.rest(uid, end).is_none()));
        assert!(
            names
                .iter()
                .all(|uid| lookups.rest(uid, end) == Some(every))
        );
    }

    #[test]
    fn a_failure_is_said_once_until_a_lookup_succeeds() {
        let lookups = Lookups::new(Duration::from_mins(1));
        lookups.rest("a", Instant::now());
        let story = [true, true, false, false, true];
        let said = story.map(|fails| lookups.has_begun_to_fail("a", fails));
        assert_eq!(said, [true, false, false, false, true]);
        lookups.forget("a");
        assert!(!lookups.has_begun_to_fail("a", true));
    }
}
