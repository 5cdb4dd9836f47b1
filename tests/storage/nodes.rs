//! Two real nodes with the operator, and what becomes of the second one.

use std::{env, process::Command};

use anyhow::{Context as _, Result, ensure};
use ecs_operator_testbed::{Image, Node, NodeOptions, Silence, find, until};
use k8s_openapi::api::core::v1::Node as Object;
use kube::Api;

use crate::{
    container::IMAGE,
    support::{
        LIMIT,
        helm::{OPERATOR_IMAGE, helm},
    },
};

/// The node that is drained and lost.
pub const SECOND: &str = "node-2";

/// What Kubernetes deletes the pods of a lost node for, once an administrator says that it is off.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// Two nodes with the operator.
pub async fn start() -> Result<Node> {
    let program = env::var_os("E2E_PROGRAM").context(
        "`cargo xtask test e2e` runs these tests; or set E2E_PROGRAM to a static program",
    )?;
    let options = NodeOptions {
        second: true,
        ..NodeOptions::default()
    };
    let node = Node::start_with(&options).await?;
    node.push(IMAGE, &Image::of_program(find("example")?)?)?;
    node.push(OPERATOR_IMAGE, &Image::of_program(program)?)?;
    helm(&node.kubeconfig(), &[])?;
    Ok(node)
}

fn kubectl(node: &Node, args: &[&str]) -> Result<()> {
    let mut command = Command::new(find("kubectl")?);
    command
        .arg("--kubeconfig")
        .arg(node.kubeconfig())
        .args(args);
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "kubectl {args:?}: {said}");
    Ok(())
}

/// Moves all tasks from the second node, as before an upgrade of it.
pub fn drain(node: &Node) -> Result<()> {
    kubectl(
        node,
        &[
            "drain",
            SECOND,
            "--ignore-daemonsets",
            "--delete-emptydir-data",
            "--timeout=120s",
        ],
    )
}

/// Gives the second node tasks again after a drain.
pub async fn uncordon(node: &Node) -> Result<()> {
    kubectl(node, &["uncordon", SECOND])?;
    takes_tasks(node).await
}

/// Gives the second node tasks again after it was lost and said to be off.
pub async fn back_in_service(node: &Node, silence: Silence<'_>) -> Result<()> {
    drop(silence);
    ready(node, "True").await?;
    kubectl(
        node,
        &["taint", "node", SECOND, &format!("{OUT_OF_SERVICE}-")],
    )?;
    takes_tasks(node).await
}

/// Waits until nothing keeps tasks from the second node: Kubernetes removes its own taints some time later.
async fn takes_tasks(node: &Node) -> Result<()> {
    let nodes: Api<Object> = Api::all(node.client().await?);
    until(&format!("{SECOND} to take tasks"), LIMIT, async || {
        let spec = nodes.get(SECOND).await?.spec.unwrap_or_default();
        let is_free = spec.taints.is_none_or(|taints| taints.is_empty());
        Ok(is_free.then_some(()))
    })
    .await
}

/// Loses the second node until the result is dropped, and waits until Kubernetes knows.
pub async fn lose(node: &Node) -> Result<Silence<'_>> {
    let silence = node.silence_second()?;
    ready(node, "Unknown").await?;
    Ok(silence)
}

/// Says that the second node is off.
pub fn out_of_service(node: &Node) -> Result<()> {
    let taint = format!("{OUT_OF_SERVICE}=nodeshutdown:NoExecute");
    kubectl(node, &["taint", "node", SECOND, &taint])
}

/// Waits until the condition `Ready` of the second node is this.
async fn ready(node: &Node, status: &str) -> Result<()> {
    let nodes: Api<Object> = Api::all(node.client().await?);
    until(
        &format!("{SECOND} to be Ready={status}"),
        LIMIT,
        async || {
            let conditions = nodes
                .get(SECOND)
                .await?
                .status
                .unwrap_or_default()
                .conditions;
            let mut conditions = conditions.into_iter().flatten();
            let is = conditions.any(|it| it.type_ == "Ready" && it.status == status);
            Ok(is.then_some(()))
        },
    )
    .await
}
