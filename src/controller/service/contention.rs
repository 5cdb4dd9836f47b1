//! What others change again and again in the objects of a service, and the operator changes back.
//!
//! A person who edits a Deployment, or an autoscaler that has it as its target, has to hear that the EcsService decides;
//! otherwise one sees changes that disappear, and no reason.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
    time::{Duration, Instant},
};

use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};

use crate::{
    controller::{
        apply::Manager,
        caches::children::Key,
        context::{Context, lock},
        status::{Aspect, set_condition},
    },
    crd::{CONTENDED, EcsService, ServiceStatus},
    diagnostic::StateReason,
};

/// How many changes of one object in [`WINDOW`] are no accident.
const AGAIN_AND_AGAIN: usize = 3;
/// How long a change counts.
const WINDOW: Duration = Duration::from_mins(10);
/// How long nothing more is said of the same object and the same manager.
const SAID: Duration = Duration::from_hours(1);

/// The changes of one object.
#[derive(Debug)]
struct Changes {
    /// Who changed it last, as its field managers say.
    manager: Manager,
    /// When it was changed back.
    times: Vec<Instant>,
    /// When this was last said in an event.
    said: Option<Instant>,
}

/// The objects that others have changed lately, by the UID of their service.
#[derive(Default)]
pub(in crate::controller) struct Contention {
    by_service: Mutex<HashMap<String, BTreeMap<Key, Changes>>>,
}

impl Contention {
    /// Records that an object was changed back. Returns whether an event has to say so.
    fn record(&self, uid: &str, key: &Key, manager: &Manager, now: Instant) -> bool {
        let mut by_service = lock(&self.by_service);
        let objects = by_service.entry(uid.to_owned()).or_default();
        let changes = objects.entry(key.clone()).or_insert_with(|| Changes {
            manager: manager.clone(),
            times: Vec::new(),
            said: None,
        });
        changes
            .times
            .retain(|time| now.duration_since(*time) < WINDOW);
        changes.times.push(now);
        let is_known = changes.manager == *manager
            && changes
                .said
                .is_some_and(|said| now.duration_since(said) < SAID);
        changes.manager.clone_from(manager);
        if !is_known {
            changes.said = Some(now);
        }
        !is_known
    }

    /// Returns the object that is changed again and again, who changes it, and for how long that has to be said.
    fn lasting(&self, uid: &str, now: Instant) -> Option<(Key, Manager, Duration)> {
        let by_service = lock(&self.by_service);
        by_service.get(uid)?.iter().find_map(|(key, changes)| {
            let ages = changes.times.iter().map(|time| now.duration_since(*time));
            let recent: Vec<Duration> = ages.filter(|age| *age < WINDOW).collect();
            let oldest = recent.iter().max()?;
            let left = WINDOW.saturating_sub(*oldest);
            (recent.len() >= AGAIN_AND_AGAIN).then(|| (key.clone(), changes.manager.clone(), left))
        })
    }

    /// Forgets a service that is gone.
    pub(super) fn forget(&self, service: &EcsService) {
        if let Some(uid) = service.uid() {
            lock(&self.by_service).remove(&uid);
        }
    }
}

/// Records that an object of a service was changed back, and says so once.
pub(super) fn changed_back(cx: &Context, service: &EcsService, key: &Key, manager: &Manager) {
    let uid = service.uid().unwrap_or_default();
    if cx.contention.record(&uid, key, manager, Instant::now()) {
        let note = format!(
            "(service {}) {}",
            service.name_any(),
            said(key, manager, false)
        );
        cx.events
            .warning(service, StateReason::ChangedByOthers, note);
    }
}

/// Returns when the condition may be over.
pub(super) fn over_in(cx: &Context, service: &EcsService) -> Option<Duration> {
    let uid = service.meta().uid.as_deref()?;
    let (_, _, left) = cx.contention.lasting(uid, Instant::now())?;
    Some(left)
}

/// Sets the condition of a service while others change its objects again and again, and removes it afterwards.
pub(super) fn set(cx: &Context, service: &EcsService, status: &mut ServiceStatus, now: Timestamp) {
    let meta = service.meta();
    let uid = meta.uid.as_deref().unwrap_or_default();
    let lasting = cx.contention.lasting(uid, Instant::now());
    let aspect = lasting.map(|(key, manager, _)| Aspect {
        type_: CONTENDED,
        holds: Some(true),
        reason: StateReason::ChangedByOthers.into(),
        message: format!(
            "(service {}) {}",
            service.name_any(),
            said(&key, &manager, true)
        ),
    });
    set_condition(
        &mut status.conditions,
        CONTENDED,
        aspect,
        meta.generation,
        now,
    );
}

fn said(key: &Key, manager: &Manager, again_and_again: bool) -> String {
    let (kind, name) = (&key.kind, &key.name);
    let was = if again_and_again {
        "is changed again and again"
    } else {
        "was changed"
    };
    let advice = if manager.scales {
        format!(
            "delete the autoscaler that has {kind} {name} as its target, and give the EcsService autoScaling, or let the autoscaler scale the EcsService"
        )
    } else {
        "change the EcsService or its task definition instead".to_owned()
    };
    format!(
        "{kind} {name} {was} by {}, and changed back: {advice}.",
        manager.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::caches::child_kind::ChildKind;

    fn deployment(name: &str) -> Key {
        Key {
            kind: ChildKind::of("apps/v1", "Deployment").expect("it is known"),
            namespace: "shop".into(),
            name: name.into(),
        }
    }

    #[test]
    fn a_change_is_said_once_and_lasting_ones_for_a_while() {
        let (contention, web, start) = (Contention::default(), deployment("web"), Instant::now());
        let by = |name: &str| Manager {
            name: name.to_owned(),
            scales: false,
        };
        let (edit, helm) = (by("kubectl-edit"), by("helm"));
        let at = |minutes: u64| start + Duration::from_mins(minutes);
        assert!(contention.record("1", &web, &edit, at(0)));
        assert!(!contention.record("1", &web, &edit, at(1)), "it is known");
        assert_eq!(
            contention.lasting("1", at(1)),
            None,
            "it may be an accident"
        );
        assert!(contention.record("1", &web, &helm, at(2)), "another one");
        let lasting = contention.lasting("1", at(2));
        let left = Duration::from_mins(8);
        assert_eq!(lasting, Some((web.clone(), helm.clone(), left)));
        assert_eq!(contention.lasting("2", at(2)), None, "another service");
        assert_eq!(contention.lasting("1", at(11)), None, "it is over");
        assert!(!contention.record("1", &web, &helm, at(30)));
        assert_eq!(contention.lasting("1", at(30)), None);
        assert!(contention.record("1", &web, &helm, at(90)), "an hour later");
    }

    #[test]
    fn an_autoscaler_is_sent_to_the_service() {
        let text = said(
            &deployment("web"),
            &Manager {
                name: "kube-controller-manager".to_owned(),
                scales: true,
            },
            true,
        );
        assert_eq!(
            text,
            "Deployment web is changed again and again by kube-controller-manager, and changed back: delete the autoscaler that has Deployment web as its target, and give the EcsService autoScaling, or let the autoscaler scale the EcsService."
        );
        let text = said(
            &deployment("web"),
            &Manager {
                name: "kubectl-edit".to_owned(),
                scales: false,
            },
            false,
        );
        assert_eq!(
            text,
            "Deployment web was changed by kubectl-edit, and changed back: change the EcsService or its task definition instead."
        );
    }
}
