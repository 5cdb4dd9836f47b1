//! Objects from files.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt as _,
    api::{Patch, PatchParams},
    runtime::conditions,
    runtime::wait::Condition as _,
};

use crate::wait::until;

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
            let params = PatchParams::apply("ecs-operator-testbed").force();
            api.patch(&name, &params, &Patch::Apply(&crd))
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
