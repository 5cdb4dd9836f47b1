//! The operator with real pods: installed by Helm, as pods of its own image.
//!
//! With `E2E_KUBECONFIG` in the cluster that it names, whose nodes must have the images already, as `cargo xtask kind`
//! does it; otherwise on a node of the test bed, with the program that `E2E_PROGRAM` names in the operator's image.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::pedantic,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking, and uses of the common support what it needs"
)]

mod container;
mod deployments;
mod load;
mod operator;
mod pod;
mod scaling;
mod service;
mod starters;
mod storage;
mod task;
mod trouble;
mod watched;
mod zero_downtime;

#[path = "../support/mod.rs"]
mod support;

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use ecs_operator_testbed::{Image, Node, NodeOptions, find};
use tokio::sync::OnceCell;

use self::{
    container::IMAGE,
    support::{
        Bed,
        addons::{ADDONS, serve_addons},
        helm::{OPERATOR_IMAGE, helm},
    },
};

/// The kubeconfig file of the cluster that all tests share, with the operator at work.
async fn cluster() -> &'static Path {
    static SHARED: OnceCell<PathBuf> = OnceCell::const_new();
    let start = async || -> Result<PathBuf> {
        let kubeconfig = match env::var_os("E2E_KUBECONFIG") {
            Some(path) => path.into(),
            None => node().await?,
        };
        // Its controller is not there, so that no secret is.
        let external_secrets: Vec<_> = ADDONS
            .iter()
            .filter(|(group, ..)| *group == "external-secrets.io")
            .copied()
            .collect();
        let client = ecs_operator_testbed::client(&kubeconfig).await?;
        serve_addons(&client, &external_secrets).await?;
        helm(&kubeconfig, &[])?;
        Ok(kubeconfig)
    };
    SHARED.get_or_try_init(start).await.unwrap()
}

/// Two nodes of the test bed, whose registry has the images.
async fn node() -> Result<PathBuf> {
    let program = env::var_os("E2E_PROGRAM").context(
        "`cargo xtask test e2e` runs these tests; or set E2E_PROGRAM to a static program, or E2E_KUBECONFIG",
    )?;
    static SHARED: OnceCell<Node> = OnceCell::const_new();
    let options = NodeOptions {
        second: true,
        ..NodeOptions::default()
    };
    let start = async || Node::start_with(&options).await;
    let node = SHARED.get_or_try_init(start).await?;
    node.push(IMAGE, &Image::of_program(find("example")?)?)?;
    node.push(OPERATOR_IMAGE, &Image::of_program(program)?)?;
    Ok(node.kubeconfig())
}

/// A fresh namespace of the cluster.
async fn bed(prefix: &str) -> Bed {
    Bed::new(cluster().await, prefix).await
}
