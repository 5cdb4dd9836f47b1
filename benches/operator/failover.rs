//! Measures how long it takes another replica to go on when the leader is killed.

use std::time::Instant;

use anyhow::{Context as _, Result};
use ecs_operator_testbed::until;

use crate::{
    bed::{Bed, LIMIT},
    numbers::verdict,
    start,
};

/// Kills the leader beside another replica, which has all objects in its caches.
pub async fn run(bed: &mut Bed, services: usize) -> Result<()> {
    let next = bed.another_operator().await?;
    until("the other replica to be ready", LIMIT, async || {
        Ok(next.is_ready().await.then_some(()))
    })
    .await?;
    let killed = bed.operator.replace(next).context("no operator")?;
    let begun = Instant::now();
    killed.signal("KILL")?;
    bed.operator().leads().await;
    let leads = begun.elapsed().as_secs_f64();
    start::all_looked_at(bed.operator(), services).await?;
    let looked_at = begun.elapsed().as_secs_f64();
    let (requests, _) = bed.quiet().await?;
    let (_, writes) = requests.split(&["GET", "PUT"]);
    println!(
        "  failover: the other replica leads {leads:.2} s after the leader was killed, of which the lease lasts up to 15 s; every service looked at after {looked_at:.2} s; it wrote: {writes}, but for its lease"
    );
    println!("    target of no writes: {}", verdict(writes.sum() == 0));
    Ok(())
}
