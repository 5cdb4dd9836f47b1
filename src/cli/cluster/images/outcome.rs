//! What becomes of the images that services use.

use std::collections::HashMap;

use k8s_openapi::jiff::Timestamp;

use super::used::Use;
use crate::ecr::{Action, Fate, LifecyclePolicy, Repository, RepositoryImage, StorageClass, When};

/// What becomes of an image that a service uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) used: Use,
    /// The digest, if the repository has the image.
    pub(super) digest: Option<String>,
    pub(super) becomes: Becomes,
}

/// What becomes of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Becomes {
    /// It is not in the repository.
    Gone,
    /// It is in the archive, from where it cannot be pulled.
    Archived,
    /// A rule takes it.
    Taken(Fate),
    /// It stays.
    Stays,
}

impl Becomes {
    /// Whether it cannot be pulled, or will not be at a time.
    pub(super) fn is_lost(self, until: Timestamp) -> bool {
        match self {
            Self::Gone | Self::Archived => true,
            Self::Taken(fate) => match fate.when {
                When::Due => true,
                When::At(at) => at <= until,
                When::AfterPushes(_) => false,
            },
            Self::Stays => false,
        }
    }

    /// Returns what comes first in a list: the more urgent, the smaller.
    fn urgency(self) -> (u8, Option<Timestamp>, u32) {
        match self {
            Self::Gone => (0, None, 0),
            Self::Archived => (1, None, 0),
            Self::Taken(fate) => match (fate.when, fate.action) {
                (When::Due, Action::Expire) => (2, None, 0),
                (When::Due, Action::Archive) => (3, None, 0),
                (When::At(at), _) => (4, Some(at), 0),
                (When::AfterPushes(pushes), _) => (5, None, pushes),
            },
            Self::Stays => (6, None, 0),
        }
    }
}

/// Returns what becomes of images of a repository, the most urgent first.
pub(super) fn outcomes(
    repository: &Repository,
    policy: Option<&LifecyclePolicy>,
    used: Vec<Use>,
    now: Timestamp,
) -> Vec<Outcome> {
    let images = &repository.images;
    let fates = policy
        .map(|policy| policy.fates(images, now))
        .unwrap_or_default();
    let by_digest: HashMap<&str, &RepositoryImage> =
        images.iter().map(|image| (&*image.digest, image)).collect();
    let by_tag: HashMap<&str, &RepositoryImage> = images
        .iter()
        .flat_map(|image| image.tags.iter().map(move |tag| (&**tag, image)))
        .collect();
    let outcome = |used: Use| {
        let found = match (&used.digest, &used.tag) {
            (Some(digest), _) => by_digest.get(&**digest),
            (None, Some(tag)) => by_tag.get(&**tag),
            (None, None) => None,
        };
        let becomes = match found {
            None => Becomes::Gone,
            // What is archived may also be deleted, which makes no difference to who wants to pull it.
            Some(image) if image.storage_class == StorageClass::Archive => Becomes::Archived,
            Some(image) => fates
                .get(&image.digest)
                .map_or(Becomes::Stays, |fate| Becomes::Taken(*fate)),
        };
        Outcome {
            digest: found.map(|image| image.digest.clone()),
            used,
            becomes,
        }
    };
    let mut outcomes: Vec<_> = used.into_iter().map(outcome).collect();
    outcomes.sort_by(|one, other| {
        let order = one.becomes.urgency().cmp(&other.becomes.urgency());
        order.then_with(|| one.used.cmp(&other.used))
    });
    outcomes
}
