//! The status of a rule.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::Time,
    jiff::{SignedDuration, Timestamp},
};
use kube::ResourceExt as _;

use super::{fetch::Accepted, journal::News};
use crate::{
    controller::{
        refusal::Refusal,
        status::{Aspect, conditions},
    },
    crd::{ACCEPTED, EcsRule, READY, RuleStatus},
    diagnostic::StateReason,
};

/// The `state` of a rule that starts tasks.
pub(super) const ENABLED: &str = "ENABLED";
/// The `state` of a rule that starts none.
pub(super) const DISABLED: &str = "DISABLED";

/// How old a rule without a status can be, so that nobody has written one yet.
const NEW: SignedDuration = SignedDuration::from_mins(5);

/// Returns the status of a rule that is rejected.
pub(super) fn rejected(
    rule: &EcsRule,
    before: &RuleStatus,
    refusal: &Refusal,
    now: Timestamp,
) -> RuleStatus {
    let refused = Aspect {
        type_: ACCEPTED,
        holds: Some(false),
        reason: refusal.reason,
        message: refusal.message.clone(),
    };
    let not_ready = Aspect {
        type_: READY,
        holds: Some(false),
        reason: StateReason::NotAccepted.into(),
        message: "The spec is rejected, so it starts nothing.".to_owned(),
    };
    let generation = rule.metadata.generation;
    RuleStatus {
        conditions: conditions(
            vec![refused, not_ready],
            &before.conditions,
            generation,
            now,
        ),
        observed_generation: generation,
        // Events count again from when it is accepted.
        state: None,
        ..before.clone()
    }
}

/// Returns the status of a rule that is accepted, with its tasks as before.
pub(super) fn accepted(
    rule: &EcsRule,
    before: &RuleStatus,
    accepted: &Accepted,
    news: &News,
    now: Timestamp,
) -> RuleStatus {
    let is_disabled = accepted.rule.is_disabled;
    let translated = Aspect {
        type_: ACCEPTED,
        holds: Some(true),
        reason: StateReason::Translated.into(),
        message: "The spec is accepted.".to_owned(),
    };
    let (reason, message) = if is_disabled {
        (
            StateReason::RuleDisabled,
            "Its State is DISABLED, so it starts nothing.",
        )
    } else {
        (
            StateReason::MatchesEvents,
            "It matches events and starts tasks.",
        )
    };
    let ready = Aspect {
        type_: READY,
        holds: Some(true),
        reason: reason.into(),
        message: message.to_owned(),
    };
    let generation = rule.metadata.generation;
    RuleStatus {
        conditions: conditions(vec![translated, ready], &before.conditions, generation, now),
        observed_generation: generation,
        state: Some(if is_disabled { DISABLED } else { ENABLED }.to_owned()),
        pattern: Some(accepted.pattern.clone()),
        since: since_of(rule, before, accepted, now).map(Time),
        warnings: accepted.warnings.clone(),
        ..news.added_to(before, now)
    }
}

/// Returns since when events count for a rule: as before, unless it was enabled, or its pattern or its targets changed, or
/// nobody knows what it was meanwhile. What happened while it was another rule starts nothing.
pub(super) fn since_of(
    rule: &EcsRule,
    before: &RuleStatus,
    accepted: &Accepted,
    now: Timestamp,
) -> Option<Timestamp> {
    let known = before.since.as_ref().map(|since| since.0);
    let was_enabled = before.state.as_deref() == Some(ENABLED);
    if accepted.rule.is_disabled {
        return known;
    }
    // It may have been disabled between two generations that nobody saw.
    let generation = rule.metadata.generation;
    let is_followed = generation
        .zip(before.observed_generation)
        .is_none_or(|(now, seen)| now.saturating_sub(seen) <= 1);
    if let (Some(known), true) = (known, was_enabled && is_followed)
        && before.pattern.as_ref() == Some(&accepted.pattern)
    {
        return Some(known);
    }
    let is_first = *before == RuleStatus::default() && generation == Some(1);
    let created = rule.creation_timestamp().filter(|_| is_first);
    // Of an older one, the status may be lost, and with it what it has started.
    let created = created
        .map(|created| created.0)
        .filter(|created| now.duration_since(*created) <= NEW);
    Some(created.map_or(now, |created| created.min(now)))
}

/// Whether a status has nothing new but counts, starts and tasks, which can wait to be written.
pub(super) fn says_the_same(before: &RuleStatus, after: &RuleStatus) -> bool {
    before.conditions == after.conditions
        && before.observed_generation == after.observed_generation
        && counts_the_same(before, after)
        && before.warnings == after.warnings
}

/// Whether the same events count.
pub(super) fn counts_the_same(before: &RuleStatus, after: &RuleStatus) -> bool {
    before.state == after.state && before.since == after.since && before.pattern == after.pattern
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::fetch::read, *};

    fn rule(state: &str, source: &str, generation: i64) -> EcsRule {
        let pattern = json!({"source": [source]}).to_string();
        serde_json::from_value(json!({
            "metadata": {
                "name": "next", "namespace": "shop", "generation": generation,
                "creationTimestamp": "1970-01-01T00:01:00Z",
            },
            "spec": {
                "State": state, "EventPattern": pattern,
                "Targets": [{
                    "Id": "a", "Arn": "arn:aws:ecs:eu-west-1:123456789012:cluster/shop",
                    "EcsParameters": {"TaskDefinitionArn": "job"},
                }],
            },
        }))
        .expect("it is a rule")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is in range")
    }

    fn next(rule: &EcsRule, before: &RuleStatus, now: i64) -> RuleStatus {
        let read = read(rule, false).expect("it is accepted");
        accepted(rule, before, &read, &News::default(), at(now))
    }

    #[test]
    fn events_count_from_when_a_rule_is_what_it_is() {
        let since = |status: &RuleStatus| status.since.as_ref().map(|since| since.0.as_second());
        let new = next(&rule("ENABLED", "aws.ecs", 1), &RuleStatus::default(), 360);
        // Also what happened before an operator saw it.
        assert_eq!(since(&new), Some(60));
        let same = next(&rule("ENABLED", "aws.ecs", 2), &new, 600);
        assert_eq!(since(&same), Some(60));
        let other = next(&rule("ENABLED", "shop", 3), &same, 700);
        assert_eq!(since(&other), Some(700));
        let disabled = next(&rule("DISABLED", "shop", 4), &other, 800);
        assert_eq!(disabled.state.as_deref(), Some(DISABLED));
        let enabled = next(&rule("ENABLED", "shop", 5), &disabled, 900);
        assert_eq!(since(&enabled), Some(900));
        assert!(counts_the_same(
            &enabled,
            &next(&rule("ENABLED", "shop", 5), &enabled, 950)
        ));
        // A status that is lost makes up for nothing.
        let lost = next(&rule("ENABLED", "shop", 5), &RuleStatus::default(), 1000);
        assert_eq!(since(&lost), Some(1000));
        let refusal = Refusal::new(StateReason::InvalidTaskDefinition, "no");
        let refused = rejected(&rule("ENABLED", "shop", 6), &enabled, &refusal, at(1100));
        let mended = next(&rule("ENABLED", "shop", 7), &refused, 1200);
        assert_eq!(since(&mended), Some(1200));
    }

    #[test]
    fn what_happened_while_nobody_saw_what_a_rule_was_does_not_count() {
        let since = |status: &RuleStatus| status.since.as_ref().map(|since| since.0.as_second());
        let old = next(&rule("ENABLED", "aws.ecs", 1), &RuleStatus::default(), 361);
        assert_eq!(since(&old), Some(361), "its status may be lost");
        let edited = next(&rule("ENABLED", "aws.ecs", 2), &old, 400);
        assert_eq!(since(&edited), Some(361));
        let disabled_between = next(&rule("ENABLED", "aws.ecs", 4), &edited, 500);
        assert_eq!(since(&disabled_between), Some(500));
        // A clock of the API server that is ahead hides nothing.
        let early = next(&rule("ENABLED", "aws.ecs", 1), &RuleStatus::default(), 50);
        assert_eq!(since(&early), Some(50));
    }

    #[test]
    fn another_target_does_not_start_what_happened_before() {
        let since = |status: &RuleStatus| status.since.as_ref().map(|since| since.0.as_second());
        let with = |ids: &[&str], generation| {
            let mut rule = json!(rule("ENABLED", "aws.ecs", generation));
            let target = rule["spec"]["Targets"][0].clone();
            let targets = ids.iter().map(|id| {
                let mut target = target.clone();
                target["Id"] = json!(id);
                target
            });
            rule["spec"]["Targets"] = targets.collect();
            serde_json::from_value::<EcsRule>(rule).expect("it is a rule")
        };
        let one = next(&with(&["a"], 1), &RuleStatus::default(), 100);
        let both = next(&with(&["a", "b"], 2), &one, 200);
        assert_eq!((since(&one), since(&both)), (Some(60), Some(200)));
        let swapped = next(&with(&["b", "a"], 3), &both, 300);
        assert_eq!(since(&swapped), Some(200), "the names are the same");
        let renamed = next(&with(&["c", "a"], 4), &swapped, 400);
        assert_eq!(since(&renamed), Some(400));
    }

    #[test]
    fn a_pattern_names_only_what_it_spells_out() {
        let mut rule = json!(rule("ENABLED", "shop.orders", 1));
        rule["spec"]["EventPattern"] = json!(
            r#"{"source": ["shop.orders", {"prefix": "bank"}], "detail": {"source": ["x"]}}"#
        );
        let rule: EcsRule = serde_json::from_value(rule).expect("it is a rule");
        let read = read(&rule, true).expect("it is accepted");
        assert!(read.names_source("shop.orders"));
        for other in ["bank", "bank.accounts", "x", ""] {
            assert!(!read.names_source(other), "{other}");
        }
    }
}
