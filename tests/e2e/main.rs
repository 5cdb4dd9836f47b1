//! The operator with real pods, on one real node.
//!
//! The operator itself runs beside the node, with the rights that the plain manifests give it.
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

mod service;
mod task;

#[path = "../support/mod.rs"]
mod support;

use ecs_operator_testbed::{Image, Node, find};
use tokio::sync::OnceCell;

use self::support::{Bed, Operator, install};

/// The image of all containers: what it does is in its arguments.
const IMAGE: &str = "example:1";

/// A fresh namespace of the node that all tests share.
async fn bed(prefix: &str) -> Bed {
    static SHARED: OnceCell<(Operator, &'static Node)> = OnceCell::const_new();
    let start = async || -> anyhow::Result<_> {
        let node = Node::shared().await?;
        node.push(IMAGE, &Image::of_program(find("example")?)?)?;
        install(node).await?;
        Ok((Operator::start(node, "operator", &[]).await?, node))
    };
    let (operator, node) = SHARED.get_or_try_init(start).await.unwrap();
    Bed::new(operator, node, prefix).await
}

/// A container that does this.
fn container(name: &str, command: &[&str]) -> serde_json::Value {
    serde_json::json!({
        "name": name,
        "image": IMAGE,
        "cpu": 16,
        "memory": 32,
        "command": command,
        "stopTimeout": 2,
    })
}
