//! The options of `ecs-operator controller` about scans of images.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::values;
use crate::ecr::{FindingSeverity, OnMissing, ScanRules};

#[derive(Debug, Args)]
pub(super) struct ImageScanOptions {
    /// Hold back a deployment of images in listed registries of ECR in which scans have found something of this severity,
    /// or a greater one: CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL or UNDEFINED [default: nothing is held back]
    #[arg(
        id = "image_scan_block",
        long = "image-scan-block",
        value_name = "SEVERITY",
        requires = "digest_registry"
    )]
    block: Option<FindingSeverity>,
    /// Whether a deployment begins of whose images it is not known what scans have found
    #[arg(
        long = "image-scan-on-missing",
        value_enum,
        default_value = "allow",
        requires = "image_scan_block"
    )]
    on_missing: OnMissingOption,
    /// For how many minutes a deployment waits for a scan that is not done
    #[arg(
        long = "image-scan-wait-minutes",
        value_name = "NUMBER",
        default_value_t = 10,
        value_parser = clap::value_parser!(u16).range(0..=1440),
        requires = "image_scan_block"
    )]
    wait_minutes: u16,
    /// A finding that holds nothing back, such as CVE-2026-1234 (repeatable)
    #[arg(
        long = "image-scan-ignore",
        value_name = "NAME",
        requires = "image_scan_block"
    )]
    ignore: Vec<String>,
    /// Hold deployments back only for findings for which there may be a fix
    #[arg(long = "image-scan-fixable-only", requires = "image_scan_block")]
    fixable_only: bool,
}

values! {
    OnMissingOption => OnMissing {
        Allow => Self::Allow,
        Block => Self::Block,
    }
}

impl ImageScanOptions {
    /// Returns what holds deployments back, if anything does.
    pub(super) fn rules(&self) -> Option<ScanRules> {
        Some(ScanRules {
            block: self.block?,
            on_missing: self.on_missing.into(),
            wait: Duration::from_secs(60 * u64::from(self.wait_minutes)),
            ignored: self.ignore.iter().cloned().collect(),
            fixable_only: self.fixable_only,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::arguments::{Arguments, Command};

    #[test]
    fn nothing_is_held_back_unless_a_severity_and_a_registry_are_given() {
        let parse = |flags: &[&str]| {
            let program = ["ecs-operator", "controller"];
            let parsed = Arguments::try_parse_from(program.iter().chain(flags));
            parsed.map(|arguments| match arguments.command {
                Command::Controller(options) => options.scan_rules().is_some(),
                _ => panic!("it is another command"),
            })
        };
        let registry = "--digest-registry=*.dkr.ecr.eu-west-1.amazonaws.com";
        let block = "--image-scan-block=HIGH";
        assert_eq!(parse(&[registry]).ok(), Some(false));
        assert_eq!(parse(&[registry, block]).ok(), Some(true));
        let all = [
            registry,
            block,
            "--image-scan-on-missing=block",
            "--image-scan-wait-minutes=0",
            "--image-scan-ignore=CVE-1",
            "--image-scan-ignore=CVE-2",
            "--image-scan-fixable-only",
        ];
        assert_eq!(parse(&all).ok(), Some(true));
        for (flags, expected) in [
            (&[block][..], "--digest-registry"),
            (
                &[registry, "--image-scan-block=high"],
                "expected one of CRITICAL, HIGH",
            ),
            (
                &[registry, "--image-scan-ignore=CVE-1"],
                "--image-scan-block",
            ),
            (
                &[registry, "--image-scan-fixable-only"],
                "--image-scan-block",
            ),
            (
                &[registry, "--image-scan-wait-minutes=5"],
                "--image-scan-block",
            ),
            (
                &[registry, "--image-scan-on-missing=block"],
                "--image-scan-block",
            ),
        ] {
            let error = parse(flags).expect_err("it is refused").to_string();
            assert!(error.contains(expected), "{flags:?}: {error}");
        }
    }
}
