//! Deployments that are held back because of what scans have found in their images. Only a deployment of something that
//! has not run before is: not what runs, however much of it there is, nor a return to what ran.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::ResourceExt as _;
use tokio::time::Instant;

use super::{Asked, digests::resolve_begun, plan::Newest, revisions::Revision, verdicts::Verdicts};
use crate::{
    controller::{
        backoff::own_share,
        context::{Context, lock},
        refusal::Refusal,
        registries::Scanned,
    },
    crd::{EcsService, ServiceStatus},
    decide::deployment::Deployments,
    diagnostic::StateReason,
    ecr::{Decision, ScanRules},
    rendering::{ImageDigests, KeptRendering, pod_images},
    source::read_task_definition,
};

/// About when ECR is asked again about images with findings: new findings are published at any time, and a tag may be pushed
/// again.
const AGAIN: Duration = Duration::from_mins(5);
/// About when it is asked again about images of which it could not say what was found.
const AFTER_SILENCE: Duration = Duration::from_mins(1);
/// About when it is asked again about a scan that is not done.
const SOON: Duration = Duration::from_secs(30);
/// How many images are named.
const MOST_IMAGES: usize = 5;

/// The deployments that are held back. They are kept only in memory: a restarted operator asks and waits again.
#[derive(Default)]
pub(crate) struct Holds {
    by_service: Mutex<HashMap<String, Held>>,
    /// What ECR has said of the images.
    verdicts: Verdicts,
}

/// A deployment that is held back.
struct Held {
    /// The digest of its inputs.
    inputs: String,
    /// Since when it waits for a scan.
    since: Instant,
    /// Why it is held back, and when ECR is asked again; `None` while it is asked.
    why: Option<(Refusal, Instant)>,
}

impl Holds {
    /// Returns why a deployment is held back and when to ask again, if ECR has been asked just now.
    fn known(&self, uid: &str, inputs: &str, now: Instant) -> Option<(Refusal, Duration)> {
        let by_service = lock(&self.by_service);
        let held = by_service.get(uid).filter(|held| held.inputs == inputs)?;
        let (refusal, again) = held.why.as_ref()?;
        let left = again.saturating_duration_since(now);
        (!left.is_zero()).then(|| (refusal.clone(), left))
    }

    /// Returns why the last deployment was held back that was judged.
    fn last(&self, uid: &str) -> Option<Refusal> {
        let by_service = lock(&self.by_service);
        let (refusal, _) = by_service.get(uid)?.why.as_ref()?;
        Some(refusal.clone())
    }

    /// Returns how long a deployment has waited.
    fn waited(&self, uid: &str, inputs: &str, now: Instant) -> Duration {
        let mut by_service = lock(&self.by_service);
        let new = || Held {
            inputs: inputs.to_owned(),
            since: now,
            why: None,
        };
        let held = by_service.entry(uid.to_owned()).or_insert_with(new);
        if held.inputs != inputs {
            *held = new();
        }
        now.saturating_duration_since(held.since)
    }

    fn hold(&self, uid: &str, refusal: &Refusal, until: Instant) {
        if let Some(held) = lock(&self.by_service).get_mut(uid) {
            held.why = Some((refusal.clone(), until));
        }
    }

    /// Forgets a service that is gone, or whose deployment is not held back.
    pub(super) fn forget(&self, service: &EcsService) {
        let uid = service.metadata.uid.as_deref().unwrap_or_default();
        lock(&self.by_service).remove(uid);
    }
}

/// What is decided about a deployment.
#[derive(Debug, Default, PartialEq, Eq)]
struct Judged {
    /// The images with findings, and which.
    blocked: Vec<String>,
    /// Whether it is not known of one of these what was found.
    is_silent: bool,
    /// The images whose scan is not done.
    waiting: Vec<String>,
    /// The images without findings, and why they have none.
    unseen: Vec<(String, String)>,
}

impl Judged {
    fn of(decisions: impl Iterator<Item = (String, Decision)>) -> Self {
        let mut judged = Self::default();
        for (image, decision) in decisions {
            match decision {
                Decision::Passes => {}
                Decision::PassesUnseen(why) => judged.unseen.push((image, why)),
                Decision::Waits => judged.waiting.push(image),
                Decision::Blocked(why) => judged.blocked.push(format!("{image} {why}")),
                Decision::BlockedUnseen(why) => {
                    judged.blocked.push(format!("{image} {why}"));
                    judged.is_silent = true;
                }
            }
        }
        judged
    }

    /// Returns why the deployment of a task definition is held back, if it is.
    fn refusal(&self, task_definition: &str, rules: &ScanRules) -> Option<(Refusal, Duration)> {
        if !self.blocked.is_empty() {
            let mut lines: Vec<&str> = self.blocked.iter().map(String::as_str).collect();
            lines.truncate(MOST_IMAGES);
            let more = self.blocked.len() - lines.len();
            let more = match more {
                0 => String::new(),
                more => format!("; and {more} more images"),
            };
            let message = format!(
                "the deployment of {task_definition} is held back: {}{more}",
                lines.join("; ")
            );
            let refusal = Refusal::new(StateReason::ImageScanBlocked, &message);
            let again = if self.is_silent { AFTER_SILENCE } else { AGAIN };
            return Some((refusal, again));
        }
        if self.waiting.is_empty() {
            return None;
        }
        let mut images: Vec<&str> = self.waiting.iter().map(String::as_str).collect();
        images.truncate(MOST_IMAGES);
        let message = format!(
            "the deployment of {task_definition} waits up to {} minutes for the scan of {}",
            rules.wait.as_secs() / 60,
            images.join(", ")
        );
        let refusal = Refusal::new(StateReason::ImageScanPending, &message);
        Some((refusal, SOON.min(rules.wait)))
    }
}

/// Resolves the tags of a deployment that begins, and holds it back if scans have found too much in its images. Returns when
/// to ask again.
pub(super) async fn begin(
    service: &EcsService,
    cx: &Context,
    asked: &mut Asked,
    (status, before): (&ServiceStatus, &Deployments),
) -> Option<Duration> {
    let begins = |newest: &Newest| before.would_begin(newest.for_decision(), None);
    let rules = cx.registries.as_ref().and(cx.scan_rules.as_ref());
    let rules = rules.filter(|_| asked.newest.as_ref().is_some_and(begins));
    let (Some(rules), Some(newest)) = (rules, &asked.newest) else {
        if asked.newest.is_some() {
            cx.holds.forget(service);
        }
        resolve_begun(service, cx, &mut asked.newest, (status, before)).await;
        still_hold(service, cx, asked);
        return None;
    };
    let uid = service.uid().unwrap_or_default();
    let (now, inputs) = (Instant::now(), newest.digest.clone());
    if let Some((refusal, left)) = cx.holds.known(&uid, &inputs, now) {
        asked.hold(refusal);
        return Some(left);
    }
    resolve_begun(service, cx, &mut asked.newest, (status, before)).await;
    let Some(newest) = asked.newest.as_mut() else {
        still_hold(service, cx, asked);
        return None;
    };
    let is_over = cx.holds.waited(&uid, &inputs, now) >= rules.wait;
    let judged = judge(service, cx, newest, (rules, is_over)).await;
    let Some((refusal, again)) = judged.refusal(&newest.task_definition, rules) else {
        cx.holds.forget(service);
        newest.unscanned = judged.unseen;
        return None;
    };
    let again = spread(&uid, again);
    cx.holds.hold(&uid, &refusal, Instant::now() + again);
    asked.hold(refusal);
    Some(again)
}

/// Goes on saying what was said last, if it is not known yet what the spec asks for, or that has to wait before it is judged.
fn still_hold(service: &EcsService, cx: &Context, asked: &mut Asked) {
    let uid = service.metadata.uid.as_deref().unwrap_or_default();
    if asked.newest.is_none()
        && asked.refusal.is_none()
        && let Some(refusal) = cx.holds.last(uid)
    {
        asked.hold(refusal);
    }
}

/// Returns when to ask again about a service: at least half a period from now, and at most one and a half. Those that are
/// held back at the same time, because they have the same image or ECR has failed, do not ask again at the same time.
fn spread(uid: &str, period: Duration) -> Duration {
    period / 2 + own_share(uid, period)
}

/// Asks ECR about the images that the service has not run before.
async fn judge(
    service: &EcsService,
    cx: &Context,
    newest: &Newest,
    (rules, is_over): (&ScanRules, bool),
) -> Judged {
    let Some(registries) = &cx.registries else {
        return Judged::default();
    };
    let inputs = &newest.inputs;
    let (request, ..) = read_task_definition(&inputs.family, inputs.task_definition.text());
    let platform = request.runtime_platform.as_ref();
    let architecture = platform.and_then(|it| match it.cpu_architecture.as_deref()? {
        "X86_64" => Some("amd64"),
        "ARM64" => Some("arm64"),
        _ => None,
    });
    let images = request.container_definitions.iter();
    let images: BTreeSet<&str> = images.filter_map(|it| it.image.as_deref()).collect();
    let images = of_pods(images, pod_images(&newest.rendering.objects));
    let known = ran_before(&cx.service_revisions.of(service));
    let new: Vec<Scanned> = images
        .into_iter()
        .map(|name| Scanned {
            name: name.to_owned(),
            digest: digest_of(name, &newest.by.images).map(str::to_owned),
        })
        .filter(|image| image.digest.as_ref().is_none_or(|it| !known.contains(it)))
        .collect();
    let scans = registries.scans(new.clone(), architecture, rules).await;
    let verdicts = &cx.holds.verdicts;
    Judged::of(new.into_iter().filter_map(|image| {
        let scan = scans.get(&image.name)?;
        let decision = rules.decide(scan, is_over);
        let decision = verdicts.decide(&image, architecture, (scan, decision));
        let decision = if image.digest.is_none() {
            rules.of_tag(decision)
        } else {
            decision
        };
        Some((image.name, decision))
    }))
}

/// Returns the images of a task definition, and those that pods have besides: a patch may add or replace containers.
fn of_pods<'a>(
    mut images: BTreeSet<&'a str>,
    pods: impl Iterator<Item = &'a str>,
) -> BTreeSet<&'a str> {
    let is_other = |image: &&str| {
        let tagged = image.split('@').next().unwrap_or_default();
        !images.contains(image) && !images.contains(tagged)
    };
    let others: Vec<&str> = pods.filter(is_other).collect();
    images.extend(others);
    images
}

/// Returns the digest of an image: the one in its name, or what its tag means in a deployment.
fn digest_of<'a>(name: &'a str, digests: &'a ImageDigests) -> Option<&'a str> {
    match name.split_once('@') {
        Some((_, digest)) => Some(digest),
        None => digests.get(name).map(String::as_str),
    }
}

/// Returns the digests of the images that the service has run before, as far as that is stored.
fn ran_before(revisions: &[Arc<Revision>]) -> BTreeSet<String> {
    let good = revisions.iter().filter(|revision| !revision.failed);
    let mut digests = BTreeSet::new();
    for revision in good {
        let images = revision.kept.images().into_iter();
        digests.extend(images.filter_map(|(name, digest)| {
            let own = name.split_once('@').map(|(_, digest)| digest.to_owned());
            own.or(digest)
        }));
        let rendering = revision.kept.rendering.as_ref();
        if let Some((objects, _)) = rendering.and_then(KeptRendering::open) {
            let named = pod_images(&objects).filter_map(|image| image.split_once('@'));
            digests.extend(named.map(|(_, digest)| digest.to_owned()));
        }
    }
    digests
}

/// Says which images of a deployment that begins have no findings.
pub(super) fn tell(cx: &Context, service: &EcsService, newest: &Newest) {
    for (image, why) in &newest.unscanned {
        let note = format!(
            "What scans have found in {image} is not known, because {why}: the deployment begins all the same."
        );
        cx.events
            .warning(service, StateReason::ImageScanMissing, note);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecr::{FindingSeverity, OnMissing};

    fn rules() -> ScanRules {
        ScanRules {
            block: FindingSeverity::High,
            on_missing: OnMissing::Allow,
            wait: Duration::from_mins(10),
            ignored: BTreeSet::new(),
            fixable_only: false,
        }
    }

    #[test]
    fn ecr_is_asked_again_after_a_while_and_for_something_else() {
        let holds = Holds::default();
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let refusal = Refusal::new(StateReason::ImageScanBlocked, "held");
        let left = |inputs: &str, seconds| {
            let known = holds.known("1", inputs, at(seconds));
            known.map(|(_, left)| left.as_secs())
        };
        assert_eq!(left("a", 0), None, "it has not been asked");
        assert_eq!(holds.waited("1", "a", at(0)), Duration::ZERO);
        assert_eq!(left("a", 0), None, "it has not answered");
        holds.hold("1", &refusal, at(300));
        assert_eq!(left("a", 1), Some(299));
        assert_eq!(left("b", 1), None, "the spec has changed");
        assert_eq!(left("a", 300), None);
        // It waits for its scan since the first question, whatever the answers.
        assert_eq!(holds.waited("1", "a", at(300)), Duration::from_mins(5));
        assert_eq!(holds.waited("1", "b", at(301)), Duration::ZERO);
        assert_eq!(left("b", 301), None, "nothing is known of it");
    }

    #[test]
    fn containers_that_a_patch_adds_or_replaces_are_judged() {
        let defined = BTreeSet::from(["web:1", "log@sha256:0b"]);
        let pods = [
            "web:1@sha256:0a",
            "log@sha256:0b",
            "added:1",
            "replaced@sha256:0c",
        ];
        let all = of_pods(defined, pods.into_iter());
        let expected = ["added:1", "log@sha256:0b", "replaced@sha256:0c", "web:1"];
        assert_eq!(all, BTreeSet::from(expected));
    }

    #[test]
    fn services_that_are_held_back_at_once_do_not_ask_again_at_once() {
        let uid = |number: u32| format!("6f1b0c7e-{number:04x}-4c5d-8e9f-{:012x}", number * 7919);
        let mut times: Vec<u64> = (0..200)
            .map(|number| spread(&uid(number), AGAIN).as_secs())
            .collect();
        times.sort_unstable();
        assert!(times.iter().all(|it| (150..450).contains(it)), "{times:?}");
        // On average, two in three seconds.
        let most = times.iter().map(|from| {
            let within = times.iter().filter(|it| (*from..from + 10).contains(it));
            within.count()
        });
        assert!(most.max() < Some(25), "{times:?}");
    }

    #[test]
    fn findings_hold_back_more_than_scans_that_are_not_done() {
        let of = |decisions: &[(&str, Decision)]| {
            let decisions = decisions.iter().cloned();
            Judged::of(decisions.map(|(image, decision)| (image.to_owned(), decision)))
        };
        let blocked = Decision::Blocked("has 1 HIGH finding: CVE-1 (HIGH)".to_owned());
        let unseen = Decision::PassesUnseen("it is too large".to_owned());
        let told = |judged: &Judged| {
            let refusal = judged.refusal("web:3", &rules());
            refusal.map(|(refusal, again)| (refusal.reason, refusal.message, again))
        };
        let both = of(&[
            ("a", Decision::Waits),
            ("b", blocked),
            ("c", Decision::Passes),
        ]);
        let (reason, message, again) = told(&both).expect("it is held back");
        assert_eq!(reason, StateReason::ImageScanBlocked.into());
        assert_eq!(
            message,
            "the deployment of web:3 is held back: b has 1 HIGH finding: CVE-1 (HIGH)"
        );
        assert_eq!(again, AGAIN);
        let silent = Decision::BlockedUnseen("has no findings".to_owned());
        let (_, _, again) = told(&of(&[("a", silent)])).expect("it is held back");
        assert_eq!(again, AFTER_SILENCE);
        let (reason, message, again) = told(&of(&[("a", Decision::Waits)])).expect("it waits");
        assert_eq!(reason, StateReason::ImageScanPending.into());
        assert!(
            message.contains("up to 10 minutes for the scan of a"),
            "{message}"
        );
        assert_eq!(again, SOON);
        let seen = of(&[("a", Decision::Passes), ("b", unseen)]);
        assert_eq!(told(&seen), None);
        assert_eq!(
            seen.unseen,
            [("b".to_owned(), "it is too large".to_owned())]
        );
        let many: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"]
            .iter()
            .map(|image| (*image, Decision::Blocked("is archived".to_owned())))
            .collect();
        let (_, message, _) = told(&of(&many)).expect("it is held back");
        assert!(
            message.contains("e is archived; and 2 more images"),
            "{message}"
        );
    }
}
