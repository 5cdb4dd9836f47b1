//! Reads a policy, and says everything for which ECR would refuse it
//! (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>).

use serde_json::{Map, Value};

use super::{Action, Count, LifecyclePolicy, Rule, Tags};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message, Subject},
    ecr::image::StorageClass,
};

/// The most stars in a pattern.
const MOST_STARS: usize = 4;
/// The member of the answer of `GetLifecyclePolicy` that has the policy.
const TEXT: &str = "lifecyclePolicyText";
/// The member of that answer that has the repository.
const REPOSITORY: &str = "repositoryName";

type Members = Map<String, Value>;

impl LifecyclePolicy {
    /// Reads a policy, or the answer of `aws ecr get-lifecycle-policy`, which has one as text. The second part is the
    /// repository that the answer names.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn read(text: &str) -> Result<(Self, Option<String>), Diagnostics> {
        let mut reader = Reader::default();
        let root = FieldPath::root(Subject::LifecyclePolicy);
        let answer = reader.json(&root, text);
        let repository = answer.as_ref().and_then(|it| it.get(REPOSITORY)?.as_str());
        let repository = repository.map(str::to_owned);
        let inner = answer.as_ref().and_then(|it| it.get(TEXT)?.as_str());
        let policy = match inner {
            Some(text) => reader.json(&root, text),
            None => answer,
        };
        let rules = policy.map_or_else(Vec::new, |policy| reader.rules(&root, &policy));
        if reader.findings.is_empty() {
            Ok((Self { rules }, repository))
        } else {
            Err(reader.findings)
        }
    }
}

/// A rule, and where it is.
pub(super) type Placed = (FieldPath, Rule);

#[derive(Default)]
pub(super) struct Reader {
    findings: Diagnostics,
}

impl Reader {
    pub(super) fn wrong(
        &mut self,
        path: &FieldPath,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let message = Message::LifecyclePolicyInvalid {
            problem: problem.into(),
            advice: advice.into(),
        };
        self.findings.report(path.clone(), message);
    }

    fn json(&mut self, root: &FieldPath, text: &str) -> Option<Members> {
        let why = match serde_json::from_str(text) {
            Ok(Value::Object(members)) => return Some(members),
            Ok(_) => "it is no object".to_owned(),
            Err(error) => error.to_string(),
        };
        let advice = "give the output of aws ecr get-lifecycle-policy, or the policy in it";
        self.wrong(root, format!("this is no lifecycle policy: {why}"), advice);
        None
    }

    fn rules(&mut self, root: &FieldPath, policy: &Members) -> Vec<Rule> {
        self.only(root, policy, &["rules"]);
        let path = root.field("rules");
        let list = policy.get("rules").and_then(Value::as_array);
        let Some(list) = list.filter(|list| !list.is_empty()) else {
            self.wrong(
                &path,
                "a policy has at least one rule",
                "give a list of rules",
            );
            return Vec::new();
        };
        let mut rules: Vec<Placed> = Vec::new();
        for (index, rule) in list.iter().enumerate() {
            let path = path.index(index);
            let rule = self.object(&path, rule).and_then(|it| self.rule(&path, it));
            rules.extend(rule.map(|rule| (path, rule)));
        }
        rules.sort_by_key(|(_, rule)| rule.priority);
        self.compare(&rules);
        rules.into_iter().map(|(_, rule)| rule).collect()
    }

    fn rule(&mut self, path: &FieldPath, rule: &Members) -> Option<Rule> {
        let known = ["rulePriority", "description", "selection", "action"];
        self.only(path, rule, &known);
        let priority = rule.get("rulePriority").and_then(Value::as_u64);
        let priority = priority.filter(|priority| *priority >= 1);
        if priority.is_none() {
            let path = path.field("rulePriority");
            self.wrong(
                &path,
                "a rule has a number from 1",
                "number the rules in their order",
            );
        }
        let (action, action_path) = self.member(path, rule, "action");
        let action = action.and_then(|it| self.action(&action_path, it));
        let (selection, path) = self.member(path, rule, "selection");
        let selection = selection?;
        let known = [
            "tagStatus",
            "tagPrefixList",
            "tagPatternList",
            "storageClass",
            "countType",
            "countUnit",
            "countNumber",
        ];
        self.only(&path, selection, &known);
        let tags = self.tags(&path, selection);
        let storage_class = self.storage_class(&path, selection);
        let count = self.count(&path, selection);
        let rule = Rule {
            priority: priority?,
            tags: tags?,
            storage_class: storage_class?,
            count: count?,
            action: action?,
        };
        self.agree(&path, &rule);
        Some(rule)
    }

    fn action(&mut self, path: &FieldPath, action: &Members) -> Option<Action> {
        self.only(path, action, &["type", "targetStorageClass"]);
        let target = action.get("targetStorageClass");
        match (text(action, "type"), target.map(Value::as_str)) {
            (Some("expire"), None) => Some(Action::Expire),
            (Some("transition"), Some(Some("archive"))) => Some(Action::Archive),
            (Some("transition"), _) => {
                let path = path.field("targetStorageClass");
                self.wrong(&path, "images go to the archive only", "write archive");
                None
            }
            (Some("expire"), Some(_)) => {
                let path = path.field("targetStorageClass");
                self.wrong(
                    &path,
                    "what expires goes nowhere",
                    "remove it, or use type transition",
                );
                None
            }
            _ => {
                let path = path.field("type");
                self.wrong(
                    &path,
                    "a rule expires images or archives them",
                    "write expire or transition",
                );
                None
            }
        }
    }

    fn tags(&mut self, path: &FieldPath, selection: &Members) -> Option<Tags> {
        let lists = ["tagPrefixList", "tagPatternList"];
        let given: Vec<&str> = lists
            .into_iter()
            .filter(|list| selection.contains_key(*list))
            .collect();
        match (text(selection, "tagStatus"), given.as_slice()) {
            (Some("any"), []) => Some(Tags::Any),
            (Some("untagged"), []) => Some(Tags::Untagged),
            (Some("any" | "untagged"), _) => {
                let problem = "a list of tags goes with tagStatus tagged only";
                self.wrong(path, problem, "remove it, or write tagged");
                None
            }
            (Some("tagged"), [list]) => self.list(path, selection, list),
            (Some("tagged"), []) => {
                let problem = "tagStatus tagged needs tagPrefixList or tagPatternList";
                self.wrong(
                    path,
                    problem,
                    "give one of them, such as tagPatternList [\"*\"] for all tags",
                );
                None
            }
            (Some("tagged"), _) => {
                let problem = "tagPrefixList and tagPatternList exclude each other";
                self.wrong(
                    path,
                    problem,
                    "keep one: the pattern release-* is the prefix release-",
                );
                None
            }
            _ => {
                let path = path.field("tagStatus");
                self.wrong(
                    &path,
                    "this is no status of tags",
                    "write tagged, untagged or any",
                );
                None
            }
        }
    }

    fn list(&mut self, path: &FieldPath, selection: &Members, name: &str) -> Option<Tags> {
        let path = path.field(name.to_owned());
        let texts: Option<Vec<String>> =
            selection
                .get(name)
                .and_then(Value::as_array)
                .and_then(|list| {
                    let texts = list.iter().map(|text| text.as_str().map(str::to_owned));
                    texts.collect()
                });
        let texts = texts.filter(|list| !list.is_empty() && !list.iter().any(String::is_empty));
        let Some(mut texts) = texts else {
            self.wrong(
                &path,
                "this is no list of texts",
                "give at least one text, and none that is empty",
            );
            return None;
        };
        texts.sort();
        texts.dedup();
        if name == "tagPrefixList" {
            return Some(Tags::Prefixes(texts));
        }
        if texts
            .iter()
            .any(|text| text.matches('*').count() > MOST_STARS)
        {
            self.wrong(
                &path,
                "a pattern has at most four stars",
                "write several rules",
            );
            return None;
        }
        Some(Tags::Patterns(texts))
    }

    fn storage_class(&mut self, path: &FieldPath, selection: &Members) -> Option<StorageClass> {
        match selection.get("storageClass").map(Value::as_str) {
            None | Some(Some("standard")) => Some(StorageClass::Standard),
            Some(Some("archive")) => Some(StorageClass::Archive),
            Some(_) => {
                let path = path.field("storageClass");
                self.wrong(
                    &path,
                    "this is no storage class",
                    "write standard or archive",
                );
                None
            }
        }
    }

    fn count(&mut self, path: &FieldPath, selection: &Members) -> Option<Count> {
        let number = selection.get("countNumber").and_then(Value::as_u64);
        let number = number.and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|number| *number >= 1);
        if number.is_none() {
            let path = path.field("countNumber");
            self.wrong(&path, "this is no number from 1", "write a whole number");
        }
        let count: fn(u32) -> Count = match text(selection, "countType") {
            Some("imageCountMoreThan") => Count::MoreThan,
            Some("sinceImagePushed") => Count::DaysSincePushed,
            Some("sinceImagePulled") => Count::DaysSincePulled,
            Some("sinceImageTransitioned") => Count::DaysSinceArchived,
            _ => {
                let path = path.field("countType");
                let advice = "write imageCountMoreThan, sinceImagePushed, sinceImagePulled or sinceImageTransitioned";
                self.wrong(&path, "this is no type of count", advice);
                return None;
            }
        };
        let count = count(number?);
        let path = path.field("countUnit");
        let wrong = match (count, selection.get("countUnit").map(Value::as_str)) {
            (Count::MoreThan(_), Some(_)) => Some(("a number of images has no unit", "remove it")),
            (Count::MoreThan(_), None) | (_, Some(Some("days"))) => None,
            _ => Some(("an age has a unit", "write days")),
        };
        match wrong {
            Some((problem, advice)) => {
                self.wrong(&path, problem, advice);
                None
            }
            None => Some(count),
        }
    }

    /// Reports members that are not known. What they would change is not known either.
    fn only(&mut self, path: &FieldPath, object: &Members, known: &[&str]) {
        for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
            let path = path.field(name.clone());
            let advice = format!("known are {}", known.join(", "));
            self.wrong(&path, "this is no member of a lifecycle policy", advice);
        }
    }

    fn object<'v>(&mut self, path: &FieldPath, value: &'v Value) -> Option<&'v Members> {
        let object = value.as_object();
        if object.is_none() {
            self.wrong(path, "this is no object", "write it in braces");
        }
        object
    }

    fn member<'v>(
        &mut self,
        path: &FieldPath,
        object: &'v Members,
        name: &'static str,
    ) -> (Option<&'v Members>, FieldPath) {
        let path = path.field(name);
        let member = object.get(name).unwrap_or(&Value::Null);
        (self.object(&path, member), path)
    }
}

fn text<'v>(object: &'v Members, name: &str) -> Option<&'v str> {
    object.get(name)?.as_str()
}
