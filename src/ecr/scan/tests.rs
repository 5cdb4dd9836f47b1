//! Tests of what holds a deployment back.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn rules(block: &str) -> ScanRules {
    ScanRules {
        block: block.parse().expect("it is a severity"),
        on_missing: OnMissing::Allow,
        wait: Duration::from_mins(10),
        ignored: BTreeSet::new(),
        fixable_only: false,
    }
}

fn read(answer: &Value) -> Scan {
    let page = ScanPage::read(answer.to_string().as_bytes());
    page.expect("it is read").scan
}

fn with_status(status: &str, findings: &Value) -> Scan {
    read(&json!({"imageScanStatus": {"status": status}, "imageScanFindings": findings}))
}

fn basic(list: &[(&str, &str)]) -> Value {
    let list = list.iter().map(|(name, severity)| {
        json!({"name": name, "severity": severity, "attributes": [{"key": "package_name", "value": "a"}]})
    });
    json!({"findings": list.collect::<Vec<_>>(), "findingSeverityCounts": {}})
}

fn enhanced(list: &[(&str, &str, &str, &str)]) -> Value {
    let list = list.iter().map(|(name, severity, fix, status)| {
        json!({
            "title": format!("{name} - a"), "severity": severity, "status": status, "fixAvailable": fix,
            "packageVulnerabilityDetails": {"vulnerabilityId": name},
        })
    });
    json!({"enhancedFindings": list.collect::<Vec<_>>()})
}

/// One critical finding without a fix, and three high ones, two of them with one.
fn example() -> Scan {
    with_status(
        "ACTIVE",
        &enhanced(&[
            ("CVE-1", "CRITICAL", "NO", "ACTIVE"),
            ("CVE-2", "HIGH", "YES", "ACTIVE"),
            ("CVE-3", "HIGH", "PARTIAL", "ACTIVE"),
            ("CVE-4", "HIGH", "NO", "ACTIVE"),
            ("CVE-5", "CRITICAL", "YES", "SUPPRESSED"),
            ("CVE-6", "CRITICAL", "YES", "CLOSED"),
        ]),
    )
}

fn blocked(why: &str) -> Decision {
    Decision::Blocked(why.to_owned())
}

#[test]
fn findings_count_from_a_severity_and_unless_they_are_ignored() {
    let high = rules("HIGH");
    assert_eq!(
        high.decide(&example(), false),
        blocked(
            "has 1 CRITICAL and 3 HIGH findings: CVE-1 (CRITICAL), CVE-2 (HIGH), CVE-3 (HIGH), CVE-4 (HIGH)"
        )
    );
    let fixable = ScanRules {
        fixable_only: true,
        ..high
    };
    assert_eq!(
        fixable.decide(&example(), false),
        blocked("has 2 HIGH findings: CVE-2 (HIGH), CVE-3 (HIGH)")
    );
    let critical = ScanRules {
        fixable_only: true,
        ..rules("CRITICAL")
    };
    assert_eq!(critical.decide(&example(), false), Decision::Passes);
    let ignoring = ScanRules {
        ignored: ["CVE-1".to_owned()].into(),
        ..rules("CRITICAL")
    };
    assert_eq!(ignoring.decide(&example(), false), Decision::Passes);
    assert_eq!(
        rules("CRITICAL").decide(&example(), false),
        blocked("has 1 CRITICAL finding: CVE-1 (CRITICAL)")
    );
}

#[test]
fn findings_of_basic_scans_may_have_a_fix_and_five_are_named() {
    let names = [
        "CVE-1", "CVE-2", "CVE-3", "CVE-4", "CVE-5", "CVE-6", "CVE-6",
    ];
    let scan = with_status("COMPLETE", &basic(&names.map(|name| (name, "MEDIUM"))));
    let fixable = ScanRules {
        fixable_only: true,
        ..rules("LOW")
    };
    assert_eq!(
        fixable.decide(&scan, false),
        blocked(
            "has 7 MEDIUM findings: CVE-1 (MEDIUM), CVE-2 (MEDIUM), CVE-3 (MEDIUM), CVE-4 (MEDIUM), CVE-5 (MEDIUM), and 1 more"
        )
    );
    assert_eq!(rules("HIGH").decide(&scan, false), Decision::Passes);
    let odd = with_status(
        "COMPLETE",
        &basic(&[("CVE-1", "UNTRIAGED"), ("CVE-2", "TERRIBLE")]),
    );
    assert_eq!(rules("INFORMATIONAL").decide(&odd, false), Decision::Passes);
    assert!(matches!(
        rules("UNDEFINED").decide(&odd, false),
        Decision::Blocked(_)
    ));
}

#[test]
fn the_state_of_a_scan_decides_if_there_are_no_findings() {
    let none = json!({});
    let block = ScanRules {
        on_missing: OnMissing::Block,
        ..rules("CRITICAL")
    };
    for status in ["COMPLETE", "ACTIVE"] {
        assert_eq!(
            block.decide(&with_status(status, &none), false),
            Decision::Passes,
            "{status}"
        );
    }
    for status in ["IN_PROGRESS", "PENDING"] {
        let scan = with_status(status, &none);
        assert_eq!(block.decide(&scan, false), Decision::Waits, "{status}");
        let why = "has no findings that could be judged, because its scan is still not done";
        let unseen = Decision::BlockedUnseen(why.to_owned());
        assert_eq!(block.decide(&scan, true), unseen, "{status}");
        let allowed = rules("CRITICAL").decide(&scan, true);
        assert_eq!(
            allowed,
            Decision::PassesUnseen("its scan is still not done".to_owned())
        );
    }
    for status in [
        "FAILED",
        "UNSUPPORTED_IMAGE",
        "SCAN_ELIGIBILITY_EXPIRED",
        "FINDINGS_UNAVAILABLE",
        "LIMIT_EXCEEDED",
        "IMAGE_SIZE_EXCEEDED",
        "SOMETHING_NEW",
    ] {
        // What an earlier scan found is not what is so now.
        let scan = with_status(status, &basic(&[("CVE-1", "CRITICAL")]));
        assert!(
            matches!(block.decide(&scan, false), Decision::BlockedUnseen(_)),
            "{status}"
        );
        let allowed = rules("CRITICAL").decide(&scan, false);
        assert!(matches!(allowed, Decision::PassesUnseen(_)), "{status}");
    }
    let archived = with_status("IMAGE_ARCHIVED", &none);
    assert_eq!(
        rules("CRITICAL").decide(&archived, true),
        blocked("is archived, and cannot be pulled")
    );
    // What is found before the end counts.
    let early = with_status("IN_PROGRESS", &basic(&[("CVE-1", "CRITICAL")]));
    assert!(matches!(
        rules("CRITICAL").decide(&early, false),
        Decision::Blocked(_)
    ));
    let cut = Scan {
        state: ScanState::Cut,
        ..early
    };
    assert_eq!(
        rules("CRITICAL").decide(&cut, false),
        blocked("has at least 1 CRITICAL finding: CVE-1 (CRITICAL)")
    );
    let cut = Scan {
        state: ScanState::Cut,
        findings: Vec::new(),
    };
    assert!(matches!(
        rules("CRITICAL").decide(&cut, false),
        Decision::PassesUnseen(_)
    ));
    assert!(matches!(
        block.decide(&cut, false),
        Decision::BlockedUnseen(_)
    ));
}

#[test]
fn a_platform_without_a_scan_is_not_taken_to_be_like_the_others() {
    let found = with_status("COMPLETE", &basic(&[("CVE-1", "HIGH")]));
    let clean = with_status("COMPLETE", &json!({}));
    let pending = with_status("PENDING", &json!({}));
    let missing = Scan::missing("it has not been scanned");
    let decide = |scans: &[&Scan]| {
        let scans = scans.iter().copied().cloned().collect();
        let scan = Scan::of_platforms(scans).expect("there are some");
        rules("HIGH").decide(&scan, false)
    };
    assert_eq!(decide(&[&clean, &clean]), Decision::Passes);
    for scans in [[&clean, &missing], [&missing, &clean]] {
        assert_eq!(
            decide(&scans),
            Decision::PassesUnseen("it has not been scanned".to_owned())
        );
    }
    assert_eq!(decide(&[&clean, &pending]), Decision::Waits);
    assert!(matches!(decide(&[&pending, &found]), Decision::Blocked(_)));
    assert!(matches!(
        decide(&[&clean, &found, &missing]),
        Decision::Blocked(_)
    ));
    assert_eq!(decide(&[&missing, &pending]), Decision::Waits);
    assert!(matches!(
        decide(&[&missing, &missing]),
        Decision::PassesUnseen(_)
    ));
    assert_eq!(Scan::of_platforms(Vec::new()), None);
}

#[test]
fn a_tag_that_may_move_is_not_taken_to_be_what_it_names_now() {
    let block = ScanRules {
        on_missing: OnMissing::Block,
        ..rules("HIGH")
    };
    assert!(matches!(
        rules("HIGH").of_tag(Decision::Passes),
        Decision::PassesUnseen(_)
    ));
    assert!(matches!(
        block.of_tag(Decision::Passes),
        Decision::BlockedUnseen(_)
    ));
    for decision in [Decision::Waits, blocked("is archived")] {
        assert_eq!(block.of_tag(decision.clone()), decision);
    }
}

#[test]
fn severities_are_in_order_and_have_the_words_of_aws() {
    assert!(FindingSeverity::ALL.is_sorted());
    for severity in FindingSeverity::ALL {
        assert_eq!(severity.name().parse(), Ok(severity));
    }
    assert!("high".parse::<FindingSeverity>().is_err());
}

#[test]
fn an_answer_without_a_status_is_none() {
    for answer in [
        "",
        "[]",
        "{}",
        r#"{"imageScanStatus": {}}"#,
        r#"{"imageScanStatus": 1}"#,
    ] {
        assert!(ScanPage::read(answer.as_bytes()).is_err(), "{answer}");
    }
    let answer = r#"{"imageScanStatus": {"status": "UNSUPPORTED_IMAGE"}, "nextToken": "n"}"#;
    let page = ScanPage::read(answer.as_bytes()).expect("it is read");
    assert!(page.is_unsupported && page.next.as_deref() == Some("n"));
}

proptest! {
    #[test]
    fn no_finding_causes_a_panic(name in ".{0,200}", severity in ".{0,20}", status in "[A-Z_]{0,20}") {
        let scan = with_status(&format!("A{status}"), &basic(&[(&name, &severity)]));
        let _decision = rules("UNDEFINED").decide(&scan, false);
        let scan = with_status("COMPLETE", &basic(&[(&name, &severity)]));
        prop_assert!(matches!(rules("UNDEFINED").decide(&scan, false), Decision::Blocked(_)));
    }
}
