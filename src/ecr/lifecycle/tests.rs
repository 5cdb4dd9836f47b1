//! Tests of lifecycle policies.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    diagnostic::Reason,
    ecr::{RepositoryImage, StorageClass},
};

fn now() -> Timestamp {
    "2026-01-16T10:00:00Z".parse().expect("it is a time")
}

fn before(days: f64) -> Timestamp {
    now() - SignedDuration::from_secs_f64(days * 86_400.0)
}

/// An image from its name, its tags and its age in days.
fn image(name: &str, tags: &[&str], age: f64) -> RepositoryImage {
    RepositoryImage {
        digest: name.to_owned(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        pushed_at: before(age),
        pulled_at: None,
        archived_at: None,
        storage_class: StorageClass::Standard,
    }
}

/// A rule that expires images, with what its selection has besides a count.
fn rule(priority: u64, tags: Value, count: Value) -> Value {
    let mut selection = tags;
    for (name, value) in count.as_object().expect("it is an object") {
        selection[name] = value.clone();
    }
    json!({"rulePriority": priority, "selection": selection, "action": {"type": "expire"}})
}

fn prefixes(list: &[&str]) -> Value {
    json!({"tagStatus": "tagged", "tagPrefixList": list})
}

fn patterns(list: &[&str]) -> Value {
    json!({"tagStatus": "tagged", "tagPatternList": list})
}

fn status(status: &str) -> Value {
    json!({"tagStatus": status})
}

fn most(number: u32) -> Value {
    json!({"countType": "imageCountMoreThan", "countNumber": number})
}

fn older(days: u32) -> Value {
    json!({"countType": "sinceImagePushed", "countUnit": "days", "countNumber": days})
}

fn policy(rules: &[Value]) -> LifecyclePolicy {
    let text = json!({"rules": rules}).to_string();
    let (policy, repository) = LifecyclePolicy::read(&text).expect("it is valid");
    assert_eq!(repository, None);
    policy
}

/// The images that a policy takes now, in the order of their names.
fn taken(rules: &[Value], images: &[RepositoryImage]) -> String {
    let fates = policy(rules).fates(images, now());
    let due = fates.iter().filter(|(_, fate)| fate.when == When::Due);
    due.map(|(name, _)| name.as_str()).collect()
}

/// The examples of the user guide
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html>).
#[test]
fn the_examples_of_the_guide_expire_what_it_says() {
    let two = [
        image("A", &["beta-1", "prod-1"], 10.0),
        image("B", &["beta-2", "prod-2"], 9.0),
        image("C", &["beta-3"], 8.0),
    ];
    let (beta, prod) = (prefixes(&["beta"]), prefixes(&["prod"]));
    let first = [
        rule(1, prod.clone(), most(1)),
        rule(2, beta.clone(), most(1)),
    ];
    assert_eq!(taken(&first, &two), "A");
    let second = [rule(1, beta, most(1)), rule(2, prod, most(1))];
    assert_eq!(taken(&second, &two), "AB");
    let third = [
        image("A", &["alpha-1"], 12.0),
        image("B", &["beta-1"], 11.0),
        image("C", &["alpha-2", "beta-2"], 10.0),
        image("D", &["alpha-3"], 4.0),
        image("E", &["beta-3"], 3.0),
        image("F", &["alpha-4", "beta-4"], 2.0),
    ];
    let both = prefixes(&["alpha", "beta"]);
    assert_eq!(taken(&[rule(1, both.clone(), older(5))], &third), "C");
    let fourth = [
        image("A", &["alpha-1", "beta-1", "gamma-1"], 10.0),
        image("B", &["alpha-2", "beta-2"], 9.0),
        image("C", &["alpha-3", "beta-3", "gamma-2"], 8.0),
    ];
    assert_eq!(taken(&[rule(1, both, most(1))], &fourth), "AB");
    let fifth = [
        image("A", &["alpha-1"], 4.0),
        image("B", &["beta-1"], 3.0),
        image("C", &[], 2.0),
        image("D", &["alpha-2"], 1.0),
    ];
    assert_eq!(taken(&[rule(1, status("any"), most(1))], &fifth), "ABC");
    let sixth = [
        image("A", &["alpha-1", "beta-1"], 4.0),
        image("B", &[], 3.0),
        image("C", &["alpha-2"], 2.0),
        image("D", &["git hash"], 1.0),
        image("E", &[], 0.9),
    ];
    let rules = [
        rule(1, prefixes(&["alpha"]), most(1)),
        rule(2, status("untagged"), older(1)),
        rule(3, status("any"), most(1)),
    ];
    assert_eq!(taken(&rules, &sixth), "ABD");
}

fn releases() -> [RepositoryImage; 6] {
    [
        image("A", &["release-1"], 30.0),
        image("B", &["release-2"], 20.0),
        image("C", &["v1.0-rc1"], 15.0),
        image("D", &["v1.0"], 14.0),
        image("E", &[], 2.0),
        image("F", &["release-3", "v1.1"], 1.0),
    ]
}

#[test]
fn patterns_and_rules_for_any_image_leave_what_others_keep() {
    for (rules, expected) in [
        (vec![rule(1, patterns(&["release-*"]), most(2))], "A"),
        (
            vec![
                rule(1, patterns(&["v*-rc*"]), most(1)),
                rule(2, patterns(&["v*"]), most(1)),
            ],
            "D",
        ),
        (vec![rule(1, patterns(&["release-*", "v*"]), most(1))], ""),
        (
            vec![
                rule(1, prefixes(&["release"]), most(2)),
                rule(2, status("any"), older(10)),
            ],
            "ACD",
        ),
        // Only a star stands for something.
        (vec![rule(1, patterns(&["v1.?"]), older(1))], ""),
    ] {
        assert_eq!(taken(&rules, &releases()), expected, "{rules:?}");
    }
}

#[test]
fn what_will_be_taken_has_a_time_or_a_number_of_pushes() {
    let rules = [
        rule(3, patterns(&["release-*"]), most(3)),
        rule(7, status("any"), older(20)),
    ];
    let fates = policy(&rules).fates(&releases(), now());
    let of = |name: &str| fates.get(name).map(|fate| (fate.priority, fate.when));
    assert_eq!(of("A"), Some((3, When::AfterPushes(1))));
    assert_eq!(of("B"), Some((3, When::AfterPushes(2))));
    assert_eq!(of("F"), Some((3, When::AfterPushes(3))));
    let at = |text: &str| When::At(text.parse().expect("it is a time"));
    assert_eq!(of("C"), Some((7, at("2026-01-21T10:00:00Z"))));
    assert_eq!(of("E"), Some((7, at("2026-02-03T10:00:00Z"))));
    let only = policy(&[rule(1, patterns(&["v*"]), most(9))]).fates(&releases(), now());
    assert!(only.keys().eq(["C", "D", "F"]), "{only:?}");
    // A day begins and ends when it is over, not before.
    let exact = [image("A", &[], 20.0)];
    assert_eq!(taken(&[rule(1, status("any"), older(20))], &exact), "A");
    let fates = policy(&[rule(1, status("any"), older(u32::MAX))]).fates(&exact, now());
    assert!(fates.is_empty(), "{fates:?}");
}

#[test]
fn images_go_to_the_archive_and_expire_there() {
    let rules = [
        json!({
            "rulePriority": 1,
            "selection": {"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 30},
            "action": {"type": "transition", "targetStorageClass": "archive"},
        }),
        json!({
            "rulePriority": 2,
            "selection": {
                "tagStatus": "any", "storageClass": "archive",
                "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 90,
            },
            "action": {"type": "expire"},
        }),
    ];
    let archived = |name: &str, since: Option<f64>| RepositoryImage {
        storage_class: StorageClass::Archive,
        archived_at: since.map(before),
        ..image(name, &["1"], 200.0)
    };
    let images = [
        image("A", &["1"], 40.0),
        RepositoryImage {
            pulled_at: Some(before(10.0)),
            ..image("B", &["2"], 40.0)
        },
        archived("C", Some(100.0)),
        archived("D", Some(80.0)),
        archived("E", None),
    ];
    let fates = policy(&rules).fates(&images, now());
    let fate = |priority, action, when| {
        Some(Fate {
            priority,
            action,
            when,
        })
    };
    let at = |text: &str| When::At(text.parse().expect("it is a time"));
    let of = |name: &str| fates.get(name).copied();
    assert_eq!(of("A"), fate(1, Action::Archive, When::Due));
    assert_eq!(
        of("B"),
        fate(1, Action::Archive, at("2026-02-05T10:00:00Z"))
    );
    assert_eq!(of("C"), fate(2, Action::Expire, When::Due));
    assert_eq!(of("D"), fate(2, Action::Expire, at("2026-01-26T10:00:00Z")));
    assert_eq!(of("E"), None, "when it went there is not known");
}

#[test]
fn the_answer_of_get_lifecycle_policy_has_the_policy_as_text() {
    let policy = json!({"rules": [rule(1, status("any"), most(1))]});
    let answer = json!({
        "registryId": "123456789012", "repositoryName": "web", "lifecyclePolicyText": policy.to_string(),
        "lastEvaluatedAt": 1_768_557_600.0,
    });
    let (read, repository) = LifecyclePolicy::read(&answer.to_string()).expect("it is valid");
    assert_eq!(repository.as_deref(), Some("web"));
    let plain = LifecyclePolicy::read(&policy.to_string());
    assert_eq!(plain, Ok((read, None)));
}

/// Where a policy is wrong, and what is said about that.
fn problems(policy: &Value) -> Vec<String> {
    let found = LifecyclePolicy::read(&policy.to_string()).expect_err("it is wrong");
    let found = found.iter().map(|it| {
        assert_eq!(it.reason(), Reason::LifecyclePolicyInvalid);
        format!("{}: {}", it.path, it.message)
    });
    found.collect()
}

#[test]
fn a_rule_that_ecr_would_refuse_is_refused() {
    let change = |path: &str, value: Value| {
        let mut changed = rule(1, prefixes(&["v"]), older(5));
        let (parent, name) = path.rsplit_once('/').expect("it has a slash");
        let parent = changed.pointer_mut(parent).expect("it is there");
        parent[name] = value;
        changed
    };
    let of_archive = |count: Value| {
        json!({
            "rulePriority": 1, "action": {"type": "expire"},
            "selection": {"tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned",
                "countUnit": "days", "countNumber": count},
        })
    };
    for (rule, expected) in [
        (json!([]), "rules[0]: this is no object"),
        (
            change("/rulePriority", json!(0)),
            "rules[0].rulePriority: a rule has",
        ),
        (
            change("/rulePriority", json!("1")),
            "rules[0].rulePriority: a rule has",
        ),
        (
            change("/comment", json!("")),
            "rules[0].comment: this is no member",
        ),
        (
            change("/selection", json!(null)),
            "rules[0].selection: this is no object",
        ),
        (
            change("/selection/tagStatus", json!("all")),
            "rules[0].selection.tagStatus: ",
        ),
        (
            change("/selection/tagStatus", json!("any")),
            "rules[0].selection: a list of tags",
        ),
        (
            change("/selection/tagPatternList", json!(["v*"])),
            "rules[0].selection: tagPrefixList and",
        ),
        (
            change("/selection/tagPrefixList", json!([])),
            "rules[0].selection.tagPrefixList: ",
        ),
        (
            change("/selection/tagPrefixList", json!([""])),
            "rules[0].selection.tagPrefixList: ",
        ),
        (
            rule(1, status("tagged"), most(1)),
            "rules[0].selection: tagStatus tagged needs",
        ),
        (
            rule(1, patterns(&["a*b*c*d*e*"]), most(1)),
            "rules[0].selection.tagPatternList: a pattern",
        ),
        (
            change("/selection/storageClass", json!("cold")),
            "rules[0].selection.storageClass: ",
        ),
        (
            change("/selection/countType", json!("sinceYesterday")),
            "rules[0].selection.countType: ",
        ),
        (
            change("/selection/countType", json!("imageCountMoreThan")),
            "rules[0].selection.countUnit: a number",
        ),
        (
            change("/selection/countUnit", json!("hours")),
            "rules[0].selection.countUnit: an age",
        ),
        (
            change("/selection/countNumber", json!(0)),
            "rules[0].selection.countNumber: ",
        ),
        (
            change("/selection/countNumber", json!(1.5)),
            "rules[0].selection.countNumber: ",
        ),
        (
            change("/selection/countType", json!("sinceImagePulled")),
            "rules[0].selection.countType: images do not",
        ),
        (
            change("/selection/countType", json!("sinceImageTransitioned")),
            "rules[0].selection.countType: only images",
        ),
        (
            of_archive(json!(89)),
            "rules[0].selection.countType: images stay",
        ),
        (
            change("/action/type", json!("delete")),
            "rules[0].action.type: ",
        ),
        (
            change("/action/targetStorageClass", json!("archive")),
            "rules[0].action.targetStorageClass: what",
        ),
        (
            change("/action", json!({"type": "transition"})),
            "rules[0].action.targetStorageClass: images",
        ),
    ] {
        let found = problems(&json!({"rules": [rule]}));
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{rule}: {found:?}"
        );
    }
    let to_archive = json!({
        "rulePriority": 1, "action": {"type": "transition", "targetStorageClass": "archive"},
        "selection": {"tagStatus": "any", "storageClass": "archive", "countType": "imageCountMoreThan", "countNumber": 1},
    });
    let found = problems(&json!({"rules": [to_archive]}));
    assert!(found[0].contains("cannot go there"), "{found:?}");
    policy(&[of_archive(json!(90))]);
}

#[test]
fn rules_that_exclude_each_other_are_refused() {
    for (rules, expected) in [
        (
            [
                rule(1, status("any"), most(1)),
                rule(2, status("untagged"), older(1)),
            ],
            "rules[0].selection: a rule for any image",
        ),
        (
            [
                rule(4, status("untagged"), most(1)),
                rule(4, prefixes(&["a"]), older(1)),
            ],
            "rules[1].rulePriority: two rules have the number 4",
        ),
        (
            [
                rule(1, status("untagged"), most(1)),
                rule(2, status("untagged"), older(1)),
            ],
            "rules[1].selection: another rule is about untagged",
        ),
        (
            [
                rule(1, prefixes(&["a", "b"]), most(1)),
                rule(2, prefixes(&["b", "a"]), older(1)),
            ],
            "rules[1].selection: another rule has the same prefixes",
        ),
    ] {
        let found = problems(&json!({"rules": rules}));
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{found:?}"
        );
    }
    // A prefix of a set is not the set.
    policy(&[
        rule(1, prefixes(&["a", "b"]), most(1)),
        rule(2, prefixes(&["a"]), older(1)),
    ]);
}

#[test]
fn what_is_no_policy_is_refused() {
    for text in [
        "",
        "[]",
        "{}",
        "{\"rules\": []}",
        "{\"rules\": {}}",
        "{\"lifecyclePolicyText\": \"[\"}",
    ] {
        let found = LifecyclePolicy::read(text).expect_err("it is wrong");
        assert!(
            found.has_errors() && found.iter().count() == 1,
            "{text}: {found:?}"
        );
    }
}

/// Any JSON, with the words of policies more often than others.
fn anything() -> impl Strategy<Value = Value> {
    let words = [
        "rules",
        "rulePriority",
        "selection",
        "action",
        "type",
        "expire",
        "transition",
        "archive",
        "tagStatus",
        "any",
        "tagged",
        "untagged",
        "tagPrefixList",
        "tagPatternList",
        "countType",
        "sinceImagePushed",
        "countUnit",
        "days",
        "countNumber",
        "storageClass",
        "lifecyclePolicyText",
        "imageCountMoreThan",
        "*",
    ];
    let word = proptest::sample::select(words.to_vec()).prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        (1_u32..3).prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(word.clone(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_input_causes_a_panic(value in anything(), ages in proptest::collection::vec(-1e9..1e9_f64, 0..4)) {
        let images: Vec<_> = ages.iter().enumerate().map(|(index, age)| image(&index.to_string(), &["any"], age / 1e4)).collect();
        if let Ok((policy, _)) = LifecyclePolicy::read(&value.to_string()) {
            let _fates = policy.fates(&images, now());
        }
    }

    /// A policy takes at most what its rules are about, and what it keeps does not depend on the order of the images.
    #[test]
    fn the_order_of_the_images_does_not_matter(ages in proptest::collection::vec(0.0..50.0_f64, 0..12), number in 1_u32..6) {
        let tags = [&["v1"][..], &[], &["release-1", "v2"], &["latest"]];
        let mut images: Vec<_> = ages.iter().enumerate().map(|(index, age)| {
            image(&index.to_string(), tags[index % tags.len()], *age)
        }).collect();
        let policy = policy(&[
            rule(1, patterns(&["v*"]), most(number)),
            rule(2, status("untagged"), older(number)),
        ]);
        let fates = policy.fates(&images, now());
        images.reverse();
        prop_assert_eq!(&fates, &policy.fates(&images, now()));
        let kept = fates.values().filter(|fate| fate.priority == 1 && fate.when != When::Due).count();
        prop_assert!(kept <= usize::try_from(number).unwrap_or(0));
    }
}
