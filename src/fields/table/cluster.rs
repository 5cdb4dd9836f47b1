//! The fields of `CreateCluster`.

use crate::{
    diagnostic::Reason,
    fields::{FIELD, Field, Kind, Limits, Outcome, RULE, Rule},
};

/// One row for each leaf of the request.
#[rustfmt::skip]
pub(super) const FIELDS: &[Field] = &[
    Field { path: "clusterName", kind: Kind::String, default: Some("default"), outcome: Outcome::Noted, reasons: &[Reason::ClusterIsNamespace], shape: "CreateCluster", ..FIELD },
    Field { path: "tags[].key", kind: Kind::String, limits: Limits { max_length: Some(128), ..Limits::NONE }, outcome: Outcome::Noted, reasons: &[Reason::ClusterTagsIgnored], shape: "Tag", ..FIELD },
    Field { path: "tags[].value", kind: Kind::String, limits: Limits { max_length: Some(256), ..Limits::NONE }, outcome: Outcome::Noted, reasons: &[Reason::ClusterTagsIgnored], shape: "Tag", ..FIELD },
    Field { path: "settings[].name", kind: Kind::String, limits: Limits { values: &["containerInsights"], ..Limits::NONE }, outcome: Outcome::Noted, reasons: &[Reason::ContainerInsightsIgnored], shape: "ClusterSetting", ..FIELD },
    Field { path: "settings[].value", kind: Kind::String, outcome: Outcome::Noted, reasons: &[Reason::ContainerInsightsIgnored], shape: "ClusterSetting", ..FIELD },
    Field { path: "configuration.executeCommandConfiguration.kmsKeyId", kind: Kind::String, outcome: Outcome::Noted, reasons: &[Reason::ExecSessionsNotLogged], shape: "ExecuteCommandConfiguration", ..FIELD },
    Field { path: "configuration.executeCommandConfiguration.logging", kind: Kind::String, limits: Limits { values: &["NONE", "DEFAULT", "OVERRIDE"], ..Limits::NONE }, outcome: Outcome::Noted, reasons: &[Reason::ExecSessionsNotLogged], shape: "ExecuteCommandConfiguration", ..FIELD },
    Field { path: "configuration.executeCommandConfiguration.logConfiguration.cloudWatchLogGroupName", kind: Kind::String, outcome: Outcome::Noted, reasons: &[Reason::ExecSessionsNotLogged], shape: "ExecuteCommandLogConfiguration", ..FIELD },
    Field { path: "configuration.executeCommandConfiguration.logConfiguration.cloudWatchEncryptionEnabled", kind: Kind::Boolean, outcome: Outcome::Noted, reasons: &[Reason::ExecSessionsNotLogged], shape: "ExecuteCommandLogConfiguration", ..FIELD },
    Field { path: "configuration.executeCommandConfiguration.logConfiguration.s3BucketName", kind: Kind::String, outcome: Outcome::Noted, reasons: &[Reason::ExecSessionsNotLogged], shape: "ExecuteCommandLogConfiguration", ..FIELD },
    Field { path: "configuration.executeCommandConfiguration.logConfiguration.s3EncryptionEnabled", kind: Kind::Boolean, outcome: Outcome::Noted, reasons: &[Reason::ExecSessionsNotLogged], shape: "ExecuteCommandLogConfiguration", ..FIELD },
    Field { path: "configuration.executeCommandConfiguration.logConfiguration.s3KeyPrefix", kind: Kind::String, outcome: Outcome::Noted, reasons: &[Reason::ExecSessionsNotLogged], shape: "ExecuteCommandLogConfiguration", ..FIELD },
    Field { path: "configuration.managedStorageConfiguration.kmsKeyId", kind: Kind::String, outcome: Outcome::Noted, reasons: &[Reason::ManagedStorageKeyUnused], shape: "ManagedStorageConfiguration", ..FIELD },
    Field { path: "configuration.managedStorageConfiguration.fargateEphemeralStorageKmsKeyId", kind: Kind::String, outcome: Outcome::Noted, reasons: &[Reason::ManagedStorageKeyUnused], shape: "ManagedStorageConfiguration", ..FIELD },
    Field { path: "capacityProviders[]", kind: Kind::String, outcome: Outcome::Noted, reasons: &[Reason::CapacityProvidersAreNodes], shape: "CreateCluster", ..FIELD },
    Field { path: "defaultCapacityProviderStrategy[].capacityProvider", kind: Kind::String, outcome: Outcome::Translated, reasons: &[Reason::MixedCapacityProviders], target: "`capacityProviderStrategy` of the services and tasks of the namespace that have neither it nor `launchType`", shape: "CapacityProviderStrategyItem", ..FIELD },
    Field { path: "defaultCapacityProviderStrategy[].weight", kind: Kind::Integer, limits: Limits { min: Some(0.0), max: Some(1000.0), ..Limits::NONE }, outcome: Outcome::Translated, reasons: &[Reason::AllWeightsZero], target: "the same in that `capacityProviderStrategy`", shape: "CapacityProviderStrategyItem", ..FIELD },
    Field { path: "defaultCapacityProviderStrategy[].base", kind: Kind::Integer, limits: Limits { min: Some(0.0), max: Some(100_000.0), ..Limits::NONE }, outcome: Outcome::Translated, reasons: &[Reason::MultipleBases], target: "the same in that `capacityProviderStrategy`", shape: "CapacityProviderStrategyItem", ..FIELD },
    Field { path: "serviceConnectDefaults.namespace", kind: Kind::String, outcome: Outcome::Translated, reasons: &[Reason::ServiceConnectNamespaceName], target: "`serviceConnectConfiguration.namespace` of the services of the namespace that enable Service Connect and name none", rule: "an ARN: `ServiceConnectNamespaceName`", shape: "ClusterServiceConnectDefaultsRequest", ..FIELD },
];

/// What holds for members as a whole.
#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    Rule { path: "capacityProviders", always: Some(Reason::CapacityProvidersAreNodes), ..RULE },
    Rule { path: "clusterName", always: Some(Reason::ClusterIsNamespace), ..RULE },
    Rule { path: "configuration.executeCommandConfiguration", always: Some(Reason::ExecSessionsNotLogged), ..RULE },
    Rule { path: "configuration.managedStorageConfiguration", always: Some(Reason::ManagedStorageKeyUnused), ..RULE },
    Rule { path: "defaultCapacityProviderStrategy", max_items: Some(20), ..RULE },
    Rule { path: "defaultCapacityProviderStrategy[].capacityProvider", required: true, ..RULE },
    Rule { path: "serviceConnectDefaults.namespace", required: true, ..RULE },
    Rule { path: "settings", always: Some(Reason::ContainerInsightsIgnored), ..RULE },
    Rule { path: "tags", max_items: Some(50), always: Some(Reason::ClusterTagsIgnored), ..RULE },
];
