//! Applies objects from files.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt as _,
    api::{DynamicObject, GroupVersionKind, Patch, PatchParams},
    discovery::{Scope, oneshot as discovery},
    runtime::{conditions, wait::Condition as _},
};

use crate::wait::until;

/// The field manager of the applied objects.
const MANAGER: &str = "ecs-operator-testbed";

/// Applies the definitions of custom resources in a folder and waits until the API server serves them.
pub(crate) async fn install_crds(client: &Client, folder: &Path) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut names = Vec::new();
    for path in files(folder)? {
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let crds: Vec<CustomResourceDefinition> = serde_saphyr::from_multiple(&text)
            .with_context(|| format!("parse {}", path.display()))?;
        for crd in crds {
            let name = crd.name_any();
            api.patch(
                &name,
                &PatchParams::apply(MANAGER).force(),
                &Patch::Apply(&crd),
            )
            .await
            .with_context(|| format!("apply {name} of {}", path.display()))?;
            names.push(name);
        }
    }
    ensure!(!names.is_empty(), "no definitions in {}", folder.display());
    for name in names {
        until(
            &format!("{name} to be served"),
            Duration::from_secs(30),
            async || {
                let crd = api.get(&name).await?;
                Ok(conditions::is_crd_established()
                    .matches_object(Some(&crd))
                    .then_some(()))
            },
        )
        .await?;
    }
    Ok(())
}

/// Applies objects of any kinds; namespaced objects without a namespace go to `namespace`.
pub(crate) async fn apply(client: &Client, namespace: &str, text: &str) -> Result<()> {
    let objects: Vec<DynamicObject> =
        serde_saphyr::from_multiple(text).context("parse the objects")?;
    for object in objects {
        let name = object.name_any();
        let types = object
            .types
            .as_ref()
            .with_context(|| format!("{name} has no kind"))?;
        let kind = GroupVersionKind::try_from(types)?;
        let (resource, capabilities) = discovery::pinned_kind(client, &kind)
            .await
            .with_context(|| format!("find the kind of {} {name}", types.kind))?;
        let api: Api<DynamicObject> = match capabilities.scope {
            Scope::Cluster => Api::all_with(client.clone(), &resource),
            Scope::Namespaced => {
                let namespace = object.namespace().unwrap_or_else(|| namespace.to_owned());
                Api::namespaced_with(client.clone(), &namespace, &resource)
            }
        };
        api.patch(
            &name,
            &PatchParams::apply(MANAGER).force(),
            &Patch::Apply(&object),
        )
        .await
        .with_context(|| format!("apply {} {name}", types.kind))?;
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect()
        })
        .with_context(|| format!("read {}", folder.display()))?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|ending| ending == "yaml" || ending == "json")
    });
    files.sort();
    Ok(files)
}
