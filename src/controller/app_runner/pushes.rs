//! Automatic deployments: what the tag of a service's image names is looked up again and again, and deployed when that is
//! something else.
//!
//! Only the digest that the last deployment began with is compared, which the EcsService reports. An operator that did not
//! run while something was pushed deploys it afterwards.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

use kube::ResourceExt as _;
use tokio::{sync::Semaphore, time::Instant};

use super::{apply::Kept, builder::Reading, fetch::Accepted};
use crate::{
    controller::{
        backoff::own_share,
        context::{Context, lock},
        registries::DigestFailure,
    },
    crd::{AppRunnerService, AppRunnerServiceStatus, BuiltBy, ServiceStatus},
    decide::app_runner::RUNNING,
    diagnostic::StateReason,
};

/// How many lookups there are at a time: a registry that is slow must not keep services from being reconciled.
const AT_ONCE: usize = 4;
/// When to try again to look up a tag if there are so many.
const BUSY: Duration = Duration::from_secs(2);
/// How many deployments begin in a minute at most. When lookups are switched on, many tags may have moved long ago.
const IN_A_MINUTE: usize = 10;
/// A minute, which is also how often builders are asked if no other time is set.
pub(super) const MINUTE: Duration = Duration::from_mins(1);

/// When tags are looked up, and builders are asked for images.
#[derive(Debug)]
pub(in crate::controller) struct Lookups {
    pub(super) every: Duration,
    /// Whether tags are looked up.
    of_tags: bool,
    /// What builders have said last, by the UIDs of the services.
    readings: Mutex<HashMap<String, Known>>,
    /// By the UIDs of the services.
    next: Mutex<HashMap<String, Next>>,
    slots: Semaphore,
    /// When the last deployments began.
    begun: Mutex<VecDeque<Instant>>,
}

/// What the builder of a service has said.
#[derive(Clone, Debug)]
pub(super) struct Known {
    builder: BuiltBy,
    /// What it has said last.
    pub(super) reading: Reading,
    /// The newest image that it is known to have made.
    pub(super) image: Option<String>,
}

/// When the tag of a service is looked up next.
#[derive(Clone, Copy, Debug)]
struct Next {
    at: Instant,
    /// Whether the last lookup failed, which was said.
    has_failed: bool,
}

impl Lookups {
    /// Returns lookups at this interval; of no tags if there is none.
    pub(in crate::controller) fn new(every: Option<Duration>) -> Self {
        let of_tags = every.is_some();
        Self {
            every: every.unwrap_or(MINUTE),
            of_tags,
            readings: Mutex::default(),
            next: Mutex::default(),
            slots: Semaphore::new(AT_ONCE),
            begun: Mutex::default(),
        }
    }

    /// Whether tags are looked up.
    pub(super) const fn are_of_tags(&self) -> bool {
        self.of_tags
    }

    /// Returns what the builder of a service has said.
    pub(super) fn known(&self, uid: &str, builder: &BuiltBy) -> Option<Known> {
        let readings = lock(&self.readings);
        let known = readings.get(uid);
        known.filter(|known| known.builder == *builder).cloned()
    }

    /// Records what the builder of a service says, and returns what is known then: an error says nothing of the image that
    /// it had before, unless it is that the object is gone.
    pub(super) fn know(&self, uid: &str, builder: &BuiltBy, reading: Reading) -> Known {
        let before = self.known(uid, builder).and_then(|known| known.image);
        let image = match &reading {
            Ok(image) => Some(image.clone()),
            Err(unbuilt) => before.filter(|_| unbuilt.reason != StateReason::NotFound),
        };
        let known = Known {
            builder: builder.clone(),
            reading,
            image,
        };
        lock(&self.readings).insert(uid.to_owned(), known.clone());
        known
    }

    /// Whether a deployment may begin now, which counts.
    pub(super) fn may_begin(&self, now: Instant) -> bool {
        let mut begun = lock(&self.begun);
        begun.retain(|at| now.saturating_duration_since(*at) < MINUTE);
        let may = begun.len() < IN_A_MINUTE;
        if may {
            begun.push_back(now);
        }
        may
    }

    /// Returns how long until a service has its next turn; none if that is now, which begins the next interval. The first
    /// turns are spread over an interval: an operator that starts must not ask for all services at once.
    pub(super) fn rest(&self, uid: &str, now: Instant) -> Option<Duration> {
        let mut next = lock(&self.next);
        let entry = next.entry(uid.to_owned()).or_insert_with(|| Next {
            at: now + own_share(uid, self.every),
            has_failed: false,
        });
        let rest = entry.at.saturating_duration_since(now);
        if rest.is_zero() {
            entry.at = now + self.every;
        }
        (!rest.is_zero()).then_some(rest)
    }

    /// Has the next turn of a service be at a time, if it would be later.
    pub(super) fn bring_forward(&self, uid: &str, at: Instant) {
        if let Some(next) = lock(&self.next).get_mut(uid) {
            next.at = next.at.min(at);
        }
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
        lock(&self.readings).remove(uid);
    }
}

/// What a turn has found.
pub(super) enum Turn {
    /// A digest that is not the one that runs, or the image with it if a builder has made it.
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
    let lookups = &cx.lookups;
    let (Some(registries), Some(image)) = (&cx.registries, accepted.watched.as_ref()) else {
        return Turn::Nothing(None);
    };
    let nothing = Turn::Nothing(Some(lookups.every));
    let of_service = cx.services.latest(&kept.service);
    let Some(deployed) = deployed(&of_service, image) else {
        return nothing;
    };
    if status.status.as_deref() != Some(RUNNING) {
        return nothing;
    }
    let uid = service.metadata.uid.as_deref().unwrap_or_default();
    let Ok(_slot) = lookups.slots.try_acquire() else {
        return Turn::Nothing(Some(BUSY));
    };
    if let Some(rest) = lookups.rest(uid, Instant::now()) {
        return Turn::Nothing(Some(rest));
    }
    let answer = registries.look_up(image).await;
    tell(cx, lookups, service, (image, answer.as_ref().err()));
    let Ok(digest) = answer else {
        return nothing;
    };
    if digest == deployed || has_failed(cx, kept, &of_service, (image, Some(&digest))) {
        return nothing;
    }
    let now = Instant::now();
    if !lookups.may_begin(now) {
        lookups.bring_forward(uid, now + MINUTE);
        return Turn::Nothing(Some(MINUTE));
    }
    Turn::Pushed(digest)
}

/// Returns the digest that the last deployment of a service began with.
pub(super) fn deployed<'s>(service: &'s ServiceStatus, image: &str) -> Option<&'s str> {
    let mut resolved = service.resolved_images.iter();
    let deployed = resolved.find(|it| it.image == image)?;
    Some(&deployed.image_digest)
}

/// Whether the deployment that failed and was rolled back had this digest, as far as is known. An image that has one in its
/// name has none besides.
pub(super) fn has_failed(
    cx: &Context,
    kept: &Kept,
    status: &ServiceStatus,
    (image, digest): (&str, Option<&str>),
) -> bool {
    let Some(failed) = &status.rolled_back_revision else {
        return false;
    };
    let revisions = cx.service_revisions.of(&kept.service);
    let failed = revisions.iter().find(|revision| revision.id == *failed);
    let images = failed.map(|failed| failed.kept.images());
    images.is_none_or(|images| images.get(image).is_some_and(|it| it.as_deref() == digest))
}

/// Says that a lookup has failed, if it is the first one in a row.
fn tell(
    cx: &Context,
    lookups: &Lookups,
    service: &AppRunnerService,
    (image, failure): (&str, Option<&DigestFailure>),
) {
    let uid = service.metadata.uid.as_deref().unwrap_or_default();
    let is_new = lookups.has_begun_to_fail(uid, failure.is_some());
    if let Some(failure) = failure.filter(|_| is_new) {
        let note = format!(
            "What the tag of {image} names cannot be looked up, because {failure}: until it can be, a push begins no deployment."
        );
        cx.events
            .warning(service, StateReason::ImageTagNotResolved, note);
    }
}

/// Says that a deployment has begun because of a push.
pub(super) fn tell_begun(cx: &Context, service: &AppRunnerService, why: &str) {
    let name = service.name_any();
    let note = format!("A deployment of {name} begins, because {why}.");
    cx.events
        .normal(service, StateReason::DeploymentStarted, note);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_turns_are_spread_over_an_interval() {
        let every = Duration::from_mins(1);
        let lookups = Lookups::new(Some(every));
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
    fn no_more_deployments_begin_in_a_minute_than_may() {
        let (lookups, now) = (Lookups::new(Some(MINUTE)), Instant::now());
        let begun = (0..12).filter(|_| lookups.may_begin(now)).count();
        assert_eq!(begun, 10);
        assert!(!lookups.may_begin(now + MINUTE / 2));
        assert!(lookups.may_begin(now + MINUTE));
        // Who has to wait for others does not wait for an interval.
        let rare = Lookups::new(Some(Duration::from_hours(24)));
        rare.rest("a", now);
        rare.bring_forward("a", now + MINUTE);
        assert!(rare.rest("a", now).is_some());
        assert_eq!(rare.rest("a", now + MINUTE), None);
    }

    #[test]
    fn a_failure_is_said_once_until_a_lookup_succeeds() {
        let lookups = Lookups::new(Some(Duration::from_mins(1)));
        lookups.rest("a", Instant::now());
        let story = [true, true, false, false, true];
        let said = story.map(|fails| lookups.has_begun_to_fail("a", fails));
        assert_eq!(said, [true, false, false, false, true]);
        lookups.forget("a");
        assert!(!lookups.has_begun_to_fail("a", true));
    }
}
