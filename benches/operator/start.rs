//! Measures the memory of the operator, and its start when all services exist.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ecs_operator_testbed::until;

use crate::{
    bed::{Bed, LIMIT},
    numbers::verdict,
    process,
    support::Operator,
};

/// The maximum time from the start until the operator is ready.
const TARGET: f64 = 5.0;
/// The maximum memory with all services, in MiB.
const MEMORY: f64 = 200.0;

/// Prints the memory of the operator.
pub fn memory(bed: &Bed, when: &str) {
    let memory = bed.operator().process().and_then(process::memory);
    if let Some((resident, highest)) = memory {
        println!(
            "  memory {when}: {resident:.1} MiB resident, {highest:.1} MiB at most; target of at most {MEMORY} MiB resident: {}",
            verdict(resident <= MEMORY)
        );
    }
}

/// Stops the operator and starts another one.
pub async fn run(bed: &mut Bed, services: usize) -> Result<()> {
    let ended = bed
        .operator
        .take()
        .and_then(|operator| operator.terminate());
    ensure!(ended == Some(0), "the operator ended with {ended:?}");
    bed.start_operator().await?;
    let begun = Instant::now();
    while !bed.operator().is_ready().await {
        ensure!(begun.elapsed() < LIMIT, "{}", bed.operator().last_words());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let ready = begun.elapsed().as_secs_f64();
    all_looked_at(bed.operator(), services).await?;
    let looked_at = begun.elapsed().as_secs_f64();
    let (requests, _) = bed.quiet().await?;
    let (_, writes) = requests.split(&["GET", "PUT"]);
    println!(
        "  start: ready after {ready:.2} s, every service looked at after {looked_at:.2} s; the operator wrote: {writes}, but for its lease"
    );
    println!(
        "    target of ready within {TARGET} s: {}; target of no writes: {}",
        verdict(ready <= TARGET),
        verdict(writes.sum() == 0)
    );
    memory(bed, "after a start");
    Ok(())
}

/// Waits until an operator has looked at every service.
pub async fn all_looked_at(operator: &Operator, services: usize) -> Result<()> {
    until("every service to be looked at", LIMIT, async || {
        let looked_at = operator
            .metric("ecs_operator_reconciles_total", "EcsService")
            .await;
        let waiting = operator.metric("ecs_operator_queue_depth", "").await;
        Ok((looked_at as usize > services && waiting == 0).then_some(()))
    })
    .await
}
