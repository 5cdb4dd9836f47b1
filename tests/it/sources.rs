//! The same application in the templates of several tools gives the same objects.

use std::{
    env,
    fs::{self, File},
    path::Path,
};

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
    let address = format!("aws_lb_target_group.shop.arn={TARGET_GROUP}");
    let configuration = [
        "examples/sources/terraform",
        "--parameter",
        "tag=v7",
        "--set",
        &address,
    ];
    for target in ["manifests", "resources"] {
        let plain = converted(&["examples/sources/json", "--as", target]);
        for source in [template, configuration] {
            let mut arguments = source.to_vec();
            arguments.extend(["--as", target]);
            let found = converted(&arguments);
            let difference = diff(&plain, &found);
            assert!(plain == found, "{} {target}\n{difference}", source[0]);
        }
    }
}

/// What the CDK synthesizes, and a plan of Terraform, also have the defaults of AWS, which stay in custom resources.
#[test]
fn the_same_application_with_its_defaults_gives_the_same_manifests() {
    let plain = converted(&["examples/sources/json"]);
    let synthesized = format!("TargetGroup3D7CD9B8={TARGET_GROUP}");
    let planned = format!("aws_lb_target_group.shop.arn={TARGET_GROUP}");
    for arguments in [
        &[
            "examples/sources/cdk",
            "--parameter",
            "Tag=v7",
            "--set",
            &synthesized,
        ][..],
        &["examples/sources/plan/plan.json", "--set", &planned],
    ] {
        let found = converted(arguments);
        let difference = diff(&plain, &found);
        assert!(plain == found, "{}\n{difference}", arguments[0]);
    }
}

/// Copilot adds variables, logs, a port name, Cloud Map and paces of scaling, so that the plain documents have them too.
#[test]
fn a_manifest_of_copilot_gives_what_copilot_deploys() {
    let target_group = format!("shop.TargetGroup={TARGET_GROUP}");
    let manifest = [
        "examples/sources/copilot/manifest.yml",
        "--environment",
        "prod",
        "--set",
        "COPILOT_APPLICATION_NAME=store",
        "--set",
        "COPILOT_LB_DNS=shop.example.com",
        "--set",
        "shop.TaskRole=arn:aws:iam::111122223333:role/shop-task",
        "--set",
        "shop.ExecutionRole=arn:aws:iam::111122223333:role/shop-execution",
        "--set",
        &target_group,
    ];
    let deployed = converted(&["examples/sources/copilot/deployed.json"]);
    let found = converted(&manifest);
    let difference = diff(&deployed, &found);
    assert!(deployed == found, "{difference}");
}

#[test]
fn a_folder_that_has_the_output_is_converted_again() {
    let folder = env::temp_dir().join(format!("ecs-operator-twice-{}", std::process::id()));
    let _absent = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the folder is created");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/sources/shop.yaml");
    fs::copy(example, folder.join("shop.yaml")).expect("the example is there");
    for target in ["manifests", "resources"] {
        let mut outputs = Vec::new();
        for _ in 0..2 {
            let output = folder.join("out.yaml");
            let status = program::command(&folder)
                .args(["convert", ".", "--as", target, "--parameter", "Tag=v7"])
                .stdout(File::create(&output).expect("the output is created"))
                .status()
                .expect("the program starts");
            assert!(status.success(), "{target}");
            outputs.push(fs::read_to_string(&output).expect("the output is there"));
        }
        assert!(outputs[0].contains("kind:"), "{target}");
        assert_eq!(outputs[0], outputs[1]);
    }
    fs::remove_dir_all(&folder).expect("the folder is removed");
}

/// What is beside a manifest is read with it.
#[test]
fn a_folder_of_copilot_gives_what_its_manifest_does() {
    let case = "tests/cases/copilot-overrides-and-addons";
    let manifest = format!("{case}/manifest.yml");
    let more = [
        "--environment",
        "prod",
        "--set",
        "COPILOT_APPLICATION_NAME=shop",
    ];
    let given = |input| converted(&[&[input][..], &more].concat());
    let (expected, found) = (given(&manifest), given(case));
    let difference = diff(&expected, &found);
    assert!(expected == found, "{difference}");
}
