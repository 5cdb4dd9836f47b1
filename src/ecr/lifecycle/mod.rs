//! Lifecycle policies (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html>): which images ECR
//! deletes or archives, and when.

mod check;
mod evaluate;
mod read;
#[cfg(test)]
mod tests;

pub use evaluate::{Fate, When};

use super::image::StorageClass;

/// A lifecycle policy that ECR would take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LifecyclePolicy {
    /// The rules, those that come first before the others.
    rules: Vec<Rule>,
}

/// What happens to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It is deleted.
    Expire,
    /// It goes to the archive, from where it cannot be pulled.
    Archive,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// The smallest number comes first.
    priority: u64,
    tags: Tags,
    storage_class: StorageClass,
    count: Count,
    action: Action,
}

/// The tags of the images that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    /// Whatever they are.
    Any,
    /// None.
    Untagged,
    /// For each of these beginnings one.
    Prefixes(Vec<String>),
    /// For each of these patterns one.
    Patterns(Vec<String>),
}

/// Which of these images a rule takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Count {
    /// Those beyond this many of the youngest.
    MoreThan(u32),
    /// Those that were pushed more than this many days ago.
    DaysSincePushed(u32),
    /// Those that were not pulled, or else not pushed, for this many days.
    DaysSincePulled(u32),
    /// Those that went to the archive more than this many days ago.
    DaysSinceArchived(u32),
}
