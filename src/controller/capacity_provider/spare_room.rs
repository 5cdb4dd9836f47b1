//! The room that placeholders keep on the nodes of a capacity provider. Its Deployment is read when the provider is
//! reconciled, and written only if it differs, at most once a minute: tasks come and go more often than nodes.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{OwnerReference, Time},
    jiff::{SignedDuration, Timestamp},
};
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::Value;

use super::node_pool::{body, is_as_wanted};
use crate::{
    controller::{
        caches::owned_fields::FIELD_MANAGER,
        context::Context,
        error::{Error, code},
        refusal::Refusal,
    },
    crd::EcsCapacityProvider,
    decide::spare_room::Placeholders,
    diagnostic::StateReason,
    settings::SIZED_AT,
    translate::{CustomObject, ProvidedNodes, spare_room},
};

/// The kind of what keeps room.
const DEPLOYMENT: &str = "Deployment";
/// How long its size stays.
const STAYS: SignedDuration = SignedDuration::from_mins(1);

/// A MiB in bytes, as a power of two.
const MEBIBYTE: u32 = 20;

/// What there is of the room.
#[derive(Default)]
pub(super) struct Room {
    /// The name of the Deployment, if there may be one.
    pub(super) deployment: Option<String>,
    /// Why no room is kept.
    pub(super) obstacle: Option<Refusal>,
}

/// Brings the room to what the provider says, or ends it. `known` is the Deployment that the provider had.
///
/// # Errors
///
/// When a request fails for another reason than a missing right.
pub(super) async fn keep_room(
    cx: &Context,
    provider: &EcsCapacityProvider,
    nodes: &ProvidedNodes,
    known: Option<&str>,
) -> Result<Room, Error> {
    let Some(home) = cx.home.as_deref() else {
        return Ok(Room::default());
    };
    let name = provider.name_any();
    let Some(target) = nodes.spare_target else {
        return match known {
            Some(known) => end(cx, provider, home, known).await,
            None => Ok(Room::default()),
        };
    };
    let Placeholders { count, each } = Placeholders::beside(&cx.pods.reserved_on(&name), target);
    let whole = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
    let each = (whole(each.millicores), whole(each.bytes >> MEBIBYTE));
    let wanted = spare_room(&name, home, count, each, nodes.selection.as_ref());
    let api = deployments(cx, home);
    let name = wanted.metadata.name.clone().unwrap_or_default();
    let live = match api.get_opt(&name).await {
        Ok(live) => live,
        Err(error) => return refused(error, "get", &name),
    };
    if live
        .as_ref()
        .is_some_and(|live| !belongs_to(live, provider))
    {
        let message = format!(
            "Deployment {home}/{name} exists and does not keep room for this capacity provider: delete or rename it"
        );
        return Ok(Room {
            deployment: None,
            obstacle: Some(Refusal::new(StateReason::ObjectNotOwned, &message)),
        });
    }
    let now = Timestamp::now();
    let body = sized(body(provider, &wanted, live.as_ref())?, provider, now);
    let live = match live {
        Some(live) if is_as_wanted(&live, &body) || is_recent(&live, now) => live,
        _ => {
            let params = PatchParams::apply(FIELD_MANAGER).force();
            match api.patch(&name, &params, &Patch::Apply(&body)).await {
                Ok(written) => written,
                Err(error) => return refused(error, "apply", &name),
            }
        }
    };
    Ok(Room {
        deployment: Some(name),
        obstacle: trouble(&live.data).map(|message| {
            let message = format!(
                "no placeholder can be created, so no room is kept: {message}: set capacityProviders.spareRoom in the Helm chart, which creates their PriorityClass"
            );
            Refusal::new(StateReason::SpareRoomNotKept, &message)
        }),
    })
}

/// Ends the room.
async fn end(
    cx: &Context,
    provider: &EcsCapacityProvider,
    home: &str,
    name: &str,
) -> Result<Room, Error> {
    let api = deployments(cx, home);
    let live = match api.get_opt(name).await {
        Ok(live) => live.filter(|live| belongs_to(live, provider)),
        Err(error) => return refused(error, "get", name),
    };
    let Some(live) = live else {
        return Ok(Room::default());
    };
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: live.uid(),
            resource_version: None,
        }),
        ..DeleteParams::background()
    };
    match api.delete(name, &params).await {
        Ok(_) => Ok(Room::default()),
        Err(error) if code(&error) == Some(404) => Ok(Room::default()),
        Err(error) => refused(error, "delete", name),
    }
}

fn deployments(cx: &Context, home: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("apps", "v1", DEPLOYMENT);
    let kind = ApiResource::from_gvk_with_plural(&kind, "deployments");
    Api::namespaced_with(cx.client.clone(), home, &kind)
}

/// Returns what is missing if the error says that. Nodes are made all the same.
fn refused(error: kube::Error, verb: &'static str, name: &str) -> Result<Room, Error> {
    if !matches!(code(&error), Some(400 | 403 | 422)) {
        return Err(Error::Api {
            verb,
            kind: DEPLOYMENT.to_owned(),
            name: name.to_owned(),
            source: Box::new(error),
        });
    }
    let message = format!("the room on the nodes is not kept as it should be: {error}");
    Ok(Room {
        deployment: Some(name.to_owned()),
        obstacle: Some(Refusal::new(StateReason::SpareRoomNotKept, &message)),
    })
}

fn belongs_to(live: &DynamicObject, provider: &EcsCapacityProvider) -> bool {
    let owners = live.owner_references();
    owners
        .iter()
        .any(|owner| Some(&owner.uid) == provider.metadata.uid.as_ref())
}

/// Adds when the size was decided, and the owner, with which the Deployment is deleted: unlike nodes, it has nothing to
/// lose.
fn sized(mut body: CustomObject, provider: &EcsCapacityProvider, now: Timestamp) -> CustomObject {
    let metadata = &mut body.metadata;
    // A time in JSON is a text.
    let now = serde_json::to_value(Time(now)).unwrap_or_default();
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(
        SIZED_AT.to_owned(),
        now.as_str().unwrap_or_default().to_owned(),
    );
    let owner = provider.owner_ref(&()).map(|owner| OwnerReference {
        block_owner_deletion: None,
        controller: None,
        ..owner
    });
    metadata.owner_references = owner.map(|owner| vec![owner]);
    body
}

/// Whether the size was decided less than a minute ago, by a clock that agrees with this one.
fn is_recent(live: &DynamicObject, now: Timestamp) -> bool {
    let sized = live.annotations().get(SIZED_AT);
    let sized = sized.and_then(|sized| sized.parse::<Timestamp>().ok());
    let age = sized.map(|sized| now.duration_since(sized));
    age.is_some_and(|age| !age.is_negative() && age < STAYS)
}

/// Returns why the pods of a Deployment cannot be created.
fn trouble(live: &Value) -> Option<String> {
    let conditions = live.pointer("/status/conditions")?.as_array()?;
    let is = |it: &&Value| it["type"] == "ReplicaFailure" && it["status"] == "True";
    let failed = conditions.iter().find(is)?;
    Some(
        failed["message"]
            .as_str()
            .unwrap_or("the API server does not say why")
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(object: Value) -> DynamicObject {
        serde_json::from_value(object).expect("it is an object")
    }

    #[test]
    fn a_size_stays_for_a_minute() {
        let now: Timestamp = "2026-01-15T10:30:00Z".parse().expect("it is a time");
        for (sized, expected) in [
            (json!("2026-01-15T10:29:30Z"), true),
            (json!("2026-01-15T10:29:00Z"), false),
            // A clock that was ahead does not keep it forever.
            (json!("2026-01-15T11:29:00Z"), false),
            (json!("soon"), false),
        ] {
            let live = live(json!({"metadata": {"annotations": {SIZED_AT: sized}}}));
            assert_eq!(is_recent(&live, now), expected, "{sized}");
        }
        assert!(!is_recent(&live(json!({"metadata": {}})), now));
    }

    #[test]
    fn pods_that_are_refused_are_told() {
        let with = |status: &str| {
            let condition =
                json!({"type": "ReplicaFailure", "status": status, "message": "no PriorityClass"});
            trouble(&json!({"status": {"conditions": [condition]}}))
        };
        assert_eq!(with("True").as_deref(), Some("no PriorityClass"));
        assert_eq!(with("False"), None);
        assert_eq!(trouble(&json!({})), None);
    }
}
