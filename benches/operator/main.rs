//! Measures the cost and the speed of the operator. `cargo xtask bench operator --services 1000,5000`, and the cost of
//! scaling policies alone: `cargo xtask bench operator --policies --services 5000`, and that of schedules and pipes:
//! `cargo xtask bench operator --starters`
//!
//! It runs the optimized program, with the permissions of `deploy/`, on a real etcd and API server of this machine, and
//! compares it with a client with the same permissions that makes the same writes and does nothing else. No controllers
//! of Kubernetes and no nodes take part, because their own load, which is the same in both cases, would hide the
//! difference; the benchmark reports in their place that Deployments are done.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::pedantic,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark prints, stops where it cannot go on, and uses of the common support what it needs"
)]

mod bed;
mod creation;
mod failover;
mod fan_out;
mod idle;
mod latency;
mod numbers;
mod plain;
mod pods;
mod policies;
mod process;
mod shop;
mod start;
mod starters;

#[path = "../../tests/control_plane/aws.rs"]
mod aws;
#[path = "../../tests/support/mod.rs"]
mod support;

use anyhow::{Context as _, Result};

/// The default number of services.
const SERVICES: usize = 1000;

/// As in the program; the plain client uses the same.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut take = |option: &str| {
        let all = arguments.len();
        arguments.retain(|argument| argument != option);
        arguments.len() < all
    };
    let (is_of_policies, is_of_starters) = (take("--policies"), take("--starters"));
    let sizes = sizes(arguments.into_iter())?;
    println!("machine: {}", process::machine());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if is_of_starters {
        return runtime.block_on(starters::run());
    }
    for services in sizes {
        println!("{services} services:");
        if is_of_policies {
            runtime.block_on(measure_policies(services))?;
        } else {
            runtime.block_on(measure(services))?;
        }
    }
    Ok(())
}

/// Returns the sizes in `--services 1000,5000`. Other arguments, which `cargo bench` passes, are ignored.
fn sizes(arguments: impl Iterator<Item = String>) -> Result<Vec<usize>> {
    let mut arguments = arguments.filter(|argument| argument != "--bench");
    let Some(option) = arguments.next() else {
        return Ok(vec![SERVICES]);
    };
    let list = match option.strip_prefix("--services") {
        Some("") => arguments.next(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    };
    let list = list.context(
        "usage: cargo xtask bench operator [--starters] [--policies] [--services 1000,5000]",
    )?;
    let size = |text: &str| text.trim().parse().context("a number of services");
    list.split(',').map(size).collect()
}

/// Measures all numbers at one size.
async fn measure(services: usize) -> Result<()> {
    let (mut bed, names, plainly) = creation::run(services).await?;
    creation::settle(&bed, &names).await?;
    idle::run(&bed).await?;
    latency::run(&bed, &names).await?;
    pods::run(&bed, &names).await?;
    start::memory(&bed, "after all that");
    start::run(&mut bed, services).await?;
    failover::run(&mut bed, services).await?;
    fan_out::run(&bed, &names, plainly).await?;
    policies::run(&bed, &names).await
}

/// Measures what scaling policies cost at one size.
async fn measure_policies(services: usize) -> Result<()> {
    let (bed, names) = creation::alone(services).await?;
    creation::settle(&bed, &names).await?;
    pods::run(&bed, &names).await?;
    policies::run(&bed, &names).await
}
