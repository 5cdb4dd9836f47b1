//! Measures the operator while nothing changes.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::{bed::Bed, numbers::verdict, process};

/// The duration without changes.
const IDLE: Duration = Duration::from_mins(1);

pub async fn run(bed: &Bed) -> Result<()> {
    bed.quiet().await?;
    let id = bed.operator().process().context("the operator has ended")?;
    let (requests, writes) = (bed.requests().await?, bed.writes().await?);
    let processor = process::processor_seconds(id).context("Linux tells no times")?;
    // Nothing has to happen except time passing.
    tokio::time::sleep(IDLE).await;
    let processor = process::processor_seconds(id).context("Linux tells no times")? - processor;
    let requests = bed.requests().await?.since(&requests);
    let (leases, writes) = bed.writes().await?.since(&writes).split(&["leases"]);
    let (renewals, others) = requests.split(&["PUT"]);
    let (reads, by_operator) = others.split(&["GET"]);
    println!(
        "  idle for a minute: {processor:.2} s of a processor; the operator wrote: {by_operator}, but for its lease {} times; it read {} times; the API server took from anybody: {writes}, but for leases {} times",
        renewals.sum(),
        reads.sum(),
        leases.sum()
    );
    let kept = by_operator.sum() == 0 && writes.sum() == 0;
    println!("    target of no writes: {}", verdict(kept));
    Ok(())
}
