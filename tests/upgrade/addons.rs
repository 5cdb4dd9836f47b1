//! Add-ons that come and go.

use ecs_operator_testbed::Options;

use crate::{
    stage::{Stage, Version},
    support::addons::{ADDONS, AUTO_MODE, Kind},
};

/// The kinds of the add-on with this API group.
fn of_group(group: &str) -> Vec<Kind> {
    ADDONS
        .iter()
        .filter(|kind| kind.0 == group)
        .copied()
        .collect()
}

#[tokio::test]
async fn an_addon_that_comes_or_goes_changes_no_object_of_another() {
    let today = Version::today();
    let mut addons: Vec<Kind> = ADDONS.to_vec();
    addons.retain(|kind| kind.0 != "elbv2.k8s.aws");
    addons.push(AUTO_MODE);
    let mut stage = Stage::with_addons(&today, &Options::default(), &addons).await;
    stage.fleet_arises().await;

    let (load_balancers, keda) = (of_group("elbv2.k8s.aws"), of_group("keda.sh"));
    stage.install(&load_balancers).await;
    stage
        .compare("elbv2.k8s.aws beside eks.amazonaws.com")
        .await;
    stage.remove(&load_balancers).await;
    stage.compare("elbv2.k8s.aws removed again").await;
    // Its objects go with it, and come back with it; whose they are tells that it is missing.
    stage.forget("object keda.sh/");
    stage.forget("EcsService queue/accepted");
    stage.forget("EcsService queue/ready");
    stage.remove(&keda).await;
    stage.compare("keda.sh removed").await;
    stage.install(&keda).await;
    stage.compare("keda.sh installed again").await;
    stage.verdict();
}
