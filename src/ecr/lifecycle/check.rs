//! Checks what no member of a policy shows by itself
//! (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Action, Count, Rule, Tags,
    read::{Placed, Reader},
};
use crate::{diagnostic::FieldPath, ecr::image::StorageClass};

/// The fewest days that an image stays in the archive.
const FEWEST_DAYS_ARCHIVED: u32 = 90;

impl Reader {
    /// Checks what the members of a selection and the action mean together.
    pub(super) fn agree(&mut self, path: &FieldPath, rule: &Rule) {
        let path = path.field("countType");
        let is_of_archive = rule.storage_class == StorageClass::Archive;
        match (rule.count, rule.action) {
            (_, Action::Archive) if is_of_archive => {
                let problem = "what is in the archive cannot go there";
                self.wrong(&path, problem, "use storageClass standard, or type expire");
            }
            (Count::DaysSincePulled(_), Action::Expire) => {
                let problem = "images do not expire by when they were pulled";
                self.wrong(&path, problem, "use sinceImagePushed, or type transition");
            }
            (Count::DaysSinceArchived(_), _) if !is_of_archive => {
                let problem = "only images in the archive went there";
                self.wrong(&path, problem, "use storageClass archive");
            }
            (Count::DaysSinceArchived(days), _) if days < FEWEST_DAYS_ARCHIVED => {
                let problem = "images stay in the archive for at least 90 days";
                self.wrong(&path, problem, "write countNumber 90 or more");
            }
            _ => {}
        }
    }

    /// Checks what no rule shows by itself.
    pub(super) fn compare(&mut self, rules: &[Placed]) {
        let mut priorities = BTreeSet::new();
        let mut prefixes = BTreeSet::new();
        let mut untagged = BTreeSet::new();
        let last: BTreeMap<StorageClass, u64> = rules
            .iter()
            .map(|(_, rule)| (rule.storage_class, rule.priority))
            .collect();
        for (path, rule) in rules {
            let class = rule.storage_class;
            if !priorities.insert(rule.priority) {
                let path = path.field("rulePriority");
                let problem = format!("two rules have the number {}", rule.priority);
                self.wrong(&path, problem, "give each rule a number of its own");
            }
            let path = path.field("selection");
            match &rule.tags {
                Tags::Any if last.get(&class) != Some(&rule.priority) => {
                    let problem = "a rule for any image leaves none to the rules after it";
                    self.wrong(&path, problem, "give it the greatest number");
                }
                Tags::Untagged if !untagged.insert(class) => {
                    let problem = "another rule is about untagged images too";
                    self.wrong(&path, problem, "keep one of them");
                }
                Tags::Prefixes(list) if !prefixes.insert((class, list)) => {
                    let problem = "another rule has the same prefixes";
                    self.wrong(&path, problem, "keep one of them");
                }
                _ => {}
            }
        }
    }
}
