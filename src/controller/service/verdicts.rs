//! What holds deployments back stays known: an ECR that cannot be asked for a while, or has no findings any more, lifts
//! nothing. Only a scan that is done and finds nothing that counts does.

use std::{collections::BTreeMap, sync::Mutex};

use crate::{
    controller::{context::lock, registries::Scanned},
    ecr::{Decision, Scan, ScanState},
    image::TaggedImage,
};

/// How many verdicts are known. Of more, the oldest are forgotten.
const MOST: usize = 10_000;

/// The images with findings that hold deployments back, in memory only.
#[derive(Debug, Default)]
pub(super) struct Verdicts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_image: BTreeMap<String, Verdict>,
    /// How many verdicts there have been.
    count: u64,
}

#[derive(Debug)]
struct Verdict {
    /// The greater, the later.
    number: u64,
    /// The digest of the image, if it was known.
    digest: Option<String>,
    /// What is wrong with the image, as the end of a sentence.
    why: String,
}

impl Verdicts {
    /// Returns what is decided about an image, with regard to what was decided before, and remembers it. Of an image for
    /// several platforms, only those of an `architecture` may matter.
    pub(super) fn decide(
        &self,
        image: &Scanned,
        architecture: Option<&str>,
        (scan, decision): (&Scan, Decision),
    ) -> Decision {
        let mut known = lock(&self.0);
        let keys = keys(image, architecture);
        match decision {
            // It may be restored, and ECR says so.
            Decision::Blocked(_) if scan.state == ScanState::Archived => decision,
            Decision::Blocked(why) => {
                for key in keys {
                    known.remember(key, image.digest.clone(), why.clone());
                }
                Decision::Blocked(why)
            }
            Decision::Passes => {
                for key in keys {
                    known.by_image.remove(&key);
                }
                decision
            }
            Decision::Waits | Decision::PassesUnseen(_) | Decision::BlockedUnseen(_) => {
                let is_of_it = |verdict: &&Verdict| {
                    let digests = verdict.digest.as_ref().zip(image.digest.as_ref());
                    digests.is_none_or(|(before, now)| before == now)
                };
                let verdicts = keys.iter().filter_map(|key| known.by_image.get(key));
                let verdict = verdicts.filter(is_of_it).max_by_key(|it| it.number);
                verdict.map_or(decision, |it| Decision::Blocked(it.why.clone()))
            }
        }
    }
}

impl Known {
    fn remember(&mut self, key: String, digest: Option<String>, why: String) {
        self.count += 1;
        let verdict = Verdict {
            number: self.count,
            digest,
            why,
        };
        self.by_image.insert(key, verdict);
        if self.by_image.len() > MOST {
            let oldest = self.by_image.iter().min_by_key(|(_, it)| it.number);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.by_image.remove(&oldest);
            }
        }
    }
}

/// Returns the names of a verdict about an image: its tag, which may not be resolved the next time, and its digest, which other
/// tags may have.
fn keys(image: &Scanned, architecture: Option<&str>) -> Vec<String> {
    let name = image.name.split('@').next().unwrap_or_default();
    let architecture = architecture.unwrap_or("all");
    let by_digest = image.digest.as_ref().and_then(|digest| {
        let read = TaggedImage::read(name)?;
        let (registry, repository) = (read.registry, read.repository);
        Some(format!("{registry}/{repository}@{digest} {architecture}"))
    });
    // What is named by its digest only has no tag that could move.
    let by_name = (!image.name.contains('@')).then(|| format!("{name} {architecture}"));
    by_digest.into_iter().chain(by_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web";

    fn image(tag: &str, digest: Option<&str>) -> Scanned {
        Scanned {
            name: format!("{NAME}:{tag}"),
            digest: digest.map(str::to_owned),
        }
    }

    fn scan(state: ScanState) -> Scan {
        Scan {
            state,
            findings: Vec::new(),
        }
    }

    fn found() -> (Scan, Decision) {
        let why = "has 1 HIGH finding: CVE-1 (HIGH)".to_owned();
        (scan(ScanState::Done), Decision::Blocked(why))
    }

    fn unseen() -> (Scan, Decision) {
        let why = "the registry refuses the request";
        (Scan::missing(why), Decision::PassesUnseen(why.to_owned()))
    }

    /// Decides about images one after the other; returns the last decision.
    fn last(steps: &[(Scanned, (Scan, Decision))]) -> Decision {
        let verdicts = Verdicts::default();
        let mut last = Decision::Passes;
        for (image, (scan, decision)) in steps {
            last = verdicts.decide(image, None, (scan, decision.clone()));
        }
        last
    }

    #[test]
    fn only_a_scan_that_finds_nothing_lifts_what_another_one_found() {
        let (old, new) = (Some("sha256:0a"), Some("sha256:0b"));
        let (blocked, passes) = (found().1, (scan(ScanState::Done), Decision::Passes));
        let silent = (
            Scan::missing("it is too large"),
            Decision::BlockedUnseen("it is too large".to_owned()),
        );
        let pending = (scan(ScanState::Pending), Decision::Waits);
        let held = (image("1", old), found());
        for after in [unseen(), silent, pending] {
            // The same, by another tag, with a tag that cannot be resolved now, and twice.
            for again in [image("1", old), image("2", old), image("1", None)] {
                let steps = [
                    held.clone(),
                    (again.clone(), after.clone()),
                    (again, after.clone()),
                ];
                assert_eq!(last(&steps), blocked, "{steps:?}");
            }
            // What was not known by a digest may be what has one now.
            let steps = [
                (image("1", None), found()),
                (image("1", old), after.clone()),
            ];
            assert_eq!(last(&steps), blocked, "{steps:?}");
            // Another image.
            for other in [image("1", new), image("2", new), image("2", None)] {
                let steps = [held.clone(), (other, after.clone())];
                assert_eq!(last(&steps), after.1, "{steps:?}");
            }
        }
        let lifted = [held, (image("1", old), passes), (image("1", old), unseen())];
        assert_eq!(last(&lifted), unseen().1);
    }

    #[test]
    fn what_is_archived_may_be_restored() {
        let archived = (
            scan(ScanState::Archived),
            Decision::Blocked("is archived".to_owned()),
        );
        let image = image("1", Some("sha256:0a"));
        let steps = [(image.clone(), archived), (image, unseen())];
        assert_eq!(last(&steps), unseen().1);
    }

    #[test]
    fn the_oldest_verdicts_are_forgotten() {
        let verdicts = Verdicts::default();
        let decide = |tag: &str, (scan, decision): (Scan, Decision)| {
            verdicts.decide(&image(tag, None), None, (&scan, decision))
        };
        decide("first", found());
        decide("second", found());
        for tag in 0..MOST - 1 {
            decide(&tag.to_string(), found());
        }
        assert_eq!(lock(&verdicts.0).by_image.len(), MOST);
        assert_eq!(decide("first", unseen()), unseen().1);
        assert_eq!(decide("second", unseen()), found().1);
    }

    #[test]
    fn a_verdict_is_about_one_architecture() {
        let verdicts = Verdicts::default();
        let image = image("1", Some("sha256:0a"));
        let decide = |architecture, (scan, decision): (Scan, Decision)| {
            verdicts.decide(&image, architecture, (&scan, decision))
        };
        decide(Some("amd64"), found());
        assert_eq!(decide(Some("arm64"), unseen()), unseen().1);
        assert_eq!(decide(Some("amd64"), unseen()), found().1);
    }
}
