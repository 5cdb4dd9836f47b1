//! The same application in the templates of several tools gives the same objects.

use std::path::Path;

use crate::{diff::diff, program};

const TARGET_GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/shop/0123456789abcdef";

/// Returns what a conversion prints, which has to succeed.
fn converted(arguments: &[&str]) -> String {
    let common = [
        "--aws-region",
        "eu-west-1",
        "--aws-account-id",
        "111122223333",
        "--deregistration-delay",
        "30",
    ];
    let all = ["convert"].iter().chain(arguments).chain(&common).copied();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = program::run(root, all);
    assert_eq!(output.status, Some(0), "{}", output.stderr);
    output.stdout
}

#[test]
fn the_same_application_gives_the_same_objects() {
    let target_group = format!("TargetGroup={TARGET_GROUP}");
    let template = [
        "examples/sources/shop.yaml",
        "--parameter",
        "Tag=v7",
        "--set",
        &target_group,
    ];
    for target in ["manifests", "resources"] {
        let plain = converted(&["examples/sources/json", "--as", target]);
        let mut of_template = template.to_vec();
        of_template.extend(["--as", target]);
        let found = converted(&of_template);
        assert!(plain == found, "{target}\n{}", diff(&plain, &found));
    }
}
