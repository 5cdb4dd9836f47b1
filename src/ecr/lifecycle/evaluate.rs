//! Which images a policy takes, and when
//! (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html#lp_evaluation_rules>).

use std::{cmp::Reverse, collections::BTreeMap};

use jiff::{SignedDuration, Timestamp};

use super::{Action, Count, LifecyclePolicy, Rule, Tags};
use crate::{ecr::image::RepositoryImage, policy::is_like};

/// What a policy does to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The priority of the rule, which is its number.
    pub priority: u64,
    /// What the rule does.
    pub action: Action,
    /// When it does that.
    pub when: When,
}

/// When a rule takes an image, if nothing changes that is not said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At the next evaluation, which is within a day.
    Due,
    /// Within a day after this time.
    At(Timestamp),
    /// As soon as this many more images that the rule is about have been pushed.
    AfterPushes(u32),
}

impl LifecyclePolicy {
    /// Returns what becomes of the images of a repository, by their digests. Those that no rule is about are not among them.
    ///
    /// A rule leaves an image to none after it, whether it takes the image or not. That an image is kept for as long as an
    /// index names it is not considered: nothing here says which indexes there are.
    #[must_use]
    pub fn fates(&self, images: &[RepositoryImage], now: Timestamp) -> BTreeMap<String, Fate> {
        let mut fates = BTreeMap::new();
        let mut young_first: Vec<(&RepositoryImage, bool)> =
            images.iter().map(|image| (image, false)).collect();
        young_first.sort_by_key(|(image, _)| (Reverse(image.pushed_at), &image.digest));
        for rule in &self.rules {
            let concerned = young_first
                .iter_mut()
                .filter(|(image, _)| rule.is_about(image));
            for (younger, (image, is_claimed)) in (0..).zip(concerned) {
                // Those that an earlier rule claims are counted all the same.
                if !std::mem::replace(is_claimed, true)
                    && let Some(when) = rule.takes(image, younger, now)
                {
                    let fate = Fate {
                        priority: rule.priority,
                        action: rule.action,
                        when,
                    };
                    fates.insert(image.digest.clone(), fate);
                }
            }
        }
        fates
    }
}

impl Rule {
    fn is_about(&self, image: &RepositoryImage) -> bool {
        let all = |wanted: &[String], is_it: &dyn Fn(&str, &str) -> bool| {
            let mut wanted = wanted.iter();
            wanted.all(|wanted| image.tags.iter().any(|tag| is_it(wanted, tag)))
        };
        let has_tags = match &self.tags {
            Tags::Any => true,
            Tags::Untagged => image.tags.is_empty(),
            Tags::Prefixes(prefixes) => all(prefixes, &|prefix, tag| tag.starts_with(prefix)),
            // Only stars stand for something here.
            Tags::Patterns(patterns) => all(patterns, &|pattern, tag| {
                !pattern.contains('?') && is_like(pattern, tag)
            }),
        };
        has_tags && image.storage_class == self.storage_class
    }

    /// Returns when this takes an image that it is about, of which so many are `younger`; `None` if never, or if that is not
    /// known.
    fn takes(&self, image: &RepositoryImage, younger: u32, now: Timestamp) -> Option<When> {
        let (since, days) = match self.count {
            Count::MoreThan(most) => {
                return Some(match most.saturating_sub(younger) {
                    0 => When::Due,
                    pushes => When::AfterPushes(pushes),
                });
            }
            Count::DaysSincePushed(days) => (image.pushed_at, days),
            Count::DaysSincePulled(days) => {
                let pulled = image.pulled_at.filter(|pulled| *pulled > image.pushed_at);
                (pulled.unwrap_or(image.pushed_at), days)
            }
            Count::DaysSinceArchived(days) => (image.archived_at?, days),
        };
        let days = SignedDuration::from_hours(24 * i64::from(days));
        let at = since.checked_add(days).ok()?;
        Some(if at <= now { When::Due } else { When::At(at) })
    }
}
