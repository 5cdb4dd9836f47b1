//! `ecs-operator diff`: what an apply of resources or ECS documents would change, without a write.

mod given;
mod manifests;
mod text;

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use serde_json::Value;

use self::{given::given, manifests::manifests, text::text};
use super::{ClusterOptions, block_on, say, show, terminal::harmless};
use crate::{
    cli::{Error, controller::TenancyOption, settings::SettingsOptions},
    controller::{Snapshot, is_namespace, is_of_cluster, preview, read_only},
};

/// The exit status if something would change.
const CHANGES: u8 = 1;
/// The exit status if something is rejected or not known.
const FAILURES: u8 = 2;

#[derive(Debug, Args)]
pub(in crate::cli) struct DiffOptions {
    /// Files, folders, or - for standard input
    #[arg(
        long = "filename",
        short = 'f',
        required = true,
        num_args = 1..,
        value_name = "INPUT"
    )]
    inputs: Vec<PathBuf>,
    /// Where the settings of the operator come from [default: options, if there are any, or else its Deployment, or else the newest service revision]
    #[arg(long, value_enum, value_name = "SOURCE")]
    settings_from: Option<SettingsFrom>,
    /// Who shares the cluster [default: as the operator's Deployment says, or else several teams]
    #[arg(long, value_enum)]
    tenancy: Option<TenancyOption>,
    /// The namespace of the operator's Deployment
    #[arg(long, value_name = "NAME", default_value = "ecs-operator")]
    operator_namespace: String,
    #[command(flatten)]
    cluster: ClusterOptions,
    #[command(flatten)]
    settings: SettingsOptions,
}

/// Where the settings of the operator come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SettingsFrom {
    /// The arguments of the operator's Deployment
    Deployment,
    /// The newest service revision in the namespace, which has those that it was rendered with
    Revision,
    /// The options of this command
    Options,
}

/// Shows what would change. The exit status is that of `kubectl diff`.
pub(in crate::cli) fn run(options: &DiffOptions) -> Result<ExitCode, Error> {
    block_on(async {
        let (client, namespace) = options.cluster.connect().await?;
        let client = read_only(client);
        let manifests = manifests(&options.inputs, &options.settings.settings())?;
        for skipped in &manifests.skipped {
            say(&harmless(skipped))?;
        }
        let (mut changes, mut failures) = (false, manifests.has_errors);
        let groups = by_namespace(manifests.resources, &namespace);
        let are_several = groups.len() > 1;
        for (namespace, manifests) in groups {
            let snapshot = Snapshot::read(&client, &namespace).await;
            let snapshot = snapshot.map_err(Error::request("read the namespace"))?;
            let given = given(options, &client, &snapshot, &namespace).await?;
            for line in &given.said {
                say(&format!("note: {}", harmless(line)))?;
            }
            let preview = Box::pin(preview(&snapshot, &given.operator, &manifests)).await;
            let preview = preview.map_err(|error| Error::Preview(error.to_string()))?;
            show(&text(&preview, are_several.then_some(&*namespace))?)?;
            changes |= preview.has_changes();
            failures |= preview.has_failures();
        }
        Ok(match (failures, changes) {
            (true, _) => ExitCode::from(FAILURES),
            (false, true) => ExitCode::from(CHANGES),
            (false, false) => ExitCode::SUCCESS,
        })
    })
}

/// Groups manifests by their namespace; those without one are for that of the context, and policies and namespaces for
/// all.
fn by_namespace(manifests: Vec<Value>, usual: &str) -> BTreeMap<String, Vec<Value>> {
    let (policies, manifests): (Vec<_>, Vec<_>) = manifests
        .into_iter()
        .partition(|it| is_of_cluster(it) || is_namespace(it));
    let mut grouped: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for manifest in manifests {
        let own = manifest.pointer("/metadata/namespace");
        let own = own.and_then(Value::as_str).unwrap_or(usual);
        grouped.entry(own.to_owned()).or_default().push(manifest);
    }
    if grouped.is_empty() && !policies.is_empty() {
        grouped.insert(usual.to_owned(), Vec::new());
    }
    for manifests in grouped.values_mut() {
        manifests.extend(policies.iter().cloned());
    }
    grouped
}
