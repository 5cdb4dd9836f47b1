//! The NodePool of a capacity provider. It is read when the provider changes and every few minutes, and written only if
//! it differs: a watch would take a right and a cache more, for a handful of objects.
//!
//! An annotation says whose it is, and not an owner reference: a deletion of the provider in the foreground would delete
//! it at once, and drain its nodes while they are in use.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::Value;

use crate::{
    controller::{
        apply::OF_NO_OBJECT,
        caches::owned_fields::FIELD_MANAGER,
        context::Context,
        error::{Error, code},
        refusal::Refusal,
    },
    crd::EcsCapacityProvider,
    diagnostic::StateReason,
    settings::{APPLIED, PROVIDER_UID},
    translate::{CustomObject, hex_digest},
};

/// The kind of node pools.
const NODE_POOL: &str = "NodePool";

/// What there is of a NodePool.
pub(super) enum Found {
    /// It is as it should be.
    Ready,
    /// It is there, and does not work yet.
    NotReady(Refusal),
    /// The provider has none, for this reason: Karpenter or the right is missing, or one of its name is someone else's.
    Absent(Refusal),
}

/// Brings the NodePool to what is wanted, if it is the provider's own or does not exist.
///
/// # Errors
///
/// When a request fails for another reason than that Karpenter or the right is missing.
pub(super) async fn keep(
    cx: &Context,
    provider: &EcsCapacityProvider,
    wanted: &CustomObject,
) -> Result<Found, Error> {
    let api = node_pools(cx);
    let name = wanted.metadata.name.as_deref().unwrap_or_default();
    let live = match api.get_opt(name).await {
        Ok(live) => live,
        Err(error) => return Ok(Found::Absent(missing(error, "get", name)?)),
    };
    if let Some(live) = &live {
        if !belongs_to(live, provider) {
            let message = format!(
                "NodePool {name} exists and is not one of this capacity provider: delete or rename it, or give the capacity provider another name"
            );
            let refusal = Refusal::new(StateReason::ObjectNotOwned, &message);
            return Ok(Found::Absent(refusal));
        }
        if live.metadata.deletion_timestamp.is_some() {
            let message = format!("NodePool {name} is being deleted");
            let refusal = Refusal::new(StateReason::NodePoolNotReady, &message);
            return Ok(Found::NotReady(refusal));
        }
    }
    let body = body(provider, wanted, live.as_ref())?;
    let live = match live {
        Some(live) if is_as_wanted(&live, &body) => live,
        _ => {
            let params = PatchParams::apply(FIELD_MANAGER).force();
            match api.patch(name, &params, &Patch::Apply(&body)).await {
                Ok(written) => written,
                Err(error) => return Ok(Found::Absent(missing(error, "apply", name)?)),
            }
        }
    };
    Ok(match trouble(&live.data) {
        None => Found::Ready,
        Some(message) => {
            let message = format!("NodePool {name} is not ready: {message}");
            Found::NotReady(Refusal::new(StateReason::NodePoolNotReady, &message))
        }
    })
}

/// Deletes the NodePool of a provider that nothing uses anymore. Returns why it cannot be deleted, if it may be there.
/// `is_known` says whether the provider had one.
///
/// # Errors
///
/// When a request fails for another reason than a missing right.
pub(super) async fn delete(
    cx: &Context,
    provider: &EcsCapacityProvider,
    is_known: bool,
) -> Result<Option<Refusal>, Error> {
    let api = node_pools(cx);
    let name = provider.name_any();
    let live = match api.get_opt(&name).await {
        // Without Karpenter, the kind is not there either.
        Ok(live) => live.filter(|live| belongs_to(live, provider)),
        Err(error) if code(&error) == Some(403) && !is_known => None,
        Err(error) => return missing(error, "get", &name).map(Some),
    };
    let Some(live) = live.filter(|live| live.metadata.deletion_timestamp.is_none()) else {
        return Ok(None);
    };
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: live.uid(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match api.delete(&name, &params).await {
        Ok(_) => Ok(None),
        Err(error) if code(&error) == Some(404) => Ok(None),
        Err(error) => missing(error, "delete", &name).map(Some),
    }
}

fn node_pools(cx: &Context) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("karpenter.sh", "v1", NODE_POOL);
    let kind = ApiResource::from_gvk_with_plural(&kind, "nodepools");
    Api::all_with(cx.client.clone(), &kind)
}

/// Returns what is missing if the error says that.
fn missing(error: kube::Error, verb: &'static str, name: &str) -> Result<Refusal, Error> {
    Ok(match code(&error) {
        Some(404) => Refusal::new(
            StateReason::NotFound,
            "the cluster has no NodePool of karpenter.sh/v1: install Karpenter, or enable EKS Auto Mode",
        ),
        Some(403) => {
            let message = format!(
                "the operator may not {verb} NodePool {name}: set capacityProviders.karpenter in the Helm chart, which gives it the rights"
            );
            Refusal::new(StateReason::Forbidden, &message)
        }
        Some(400 | 422) => {
            let message = format!("the API server rejects NodePool {name}: {error}");
            Refusal::new(StateReason::Invalid, &message)
        }
        _ => {
            return Err(Error::Api {
                verb,
                kind: NODE_POOL.to_owned(),
                name: name.to_owned(),
                source: Box::new(error),
            });
        }
    })
}

fn belongs_to(live: &DynamicObject, provider: &EcsCapacityProvider) -> bool {
    let uid = live.annotations().get(PROVIDER_UID);
    uid.is_some() && uid == provider.metadata.uid.as_ref()
}

/// Returns what to apply, which is rejected if the live object has changed, or has appeared.
pub(super) fn body(
    provider: &EcsCapacityProvider,
    wanted: &CustomObject,
    live: Option<&DynamicObject>,
) -> Result<CustomObject, Error> {
    let digest = hex_digest(serde_json::to_vec(&wanted.spec)?, 20);
    let mut body = wanted.clone();
    let metadata = &mut body.metadata;
    let of = provider.uid().unwrap_or_default();
    let annotations = [(APPLIED.to_owned(), digest), (PROVIDER_UID.to_owned(), of)];
    metadata.annotations = Some(annotations.into());
    metadata.resource_version = match live {
        Some(live) => live.resource_version(),
        None => Some(OF_NO_OBJECT.to_owned()),
    };
    metadata.uid = live.and_then(|live| live.uid());
    Ok(body)
}

/// Whether an object has everything that was applied last, and that is what is wanted.
pub(super) fn is_as_wanted(live: &DynamicObject, wanted: &CustomObject) -> bool {
    let applied = |metadata: &ObjectMeta| metadata.annotations.as_ref()?.get(APPLIED).cloned();
    let spec = live.data.get("spec").unwrap_or(&Value::Null);
    applied(&live.metadata) == applied(&wanted.metadata) && covers(spec, &wanted.spec)
}

/// Whether a value has all members of another one. Defaults of the API server may be beside them.
fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(name, wanted)| {
            let live = live.get(name);
            live.is_some_and(|live| covers(live, wanted))
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len()
                && live
                    .iter()
                    .zip(wanted)
                    .all(|(live, wanted)| covers(live, wanted))
        }
        _ => live == wanted,
    }
}

/// Returns what Karpenter says is wrong with a NodePool.
fn trouble(live: &Value) -> Option<String> {
    let conditions = live.pointer("/status/conditions")?.as_array()?;
    let text = |condition: &Value, member: &str| {
        let text = condition.get(member).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let is = |it: &&Value| text(it, "type") == "Ready" && text(it, "status") == "False";
    let ready = conditions.iter().find(is)?;
    let mut said = ["message", "reason"]
        .map(|member| text(ready, member))
        .into_iter();
    let said = said.find(|said| !said.is_empty());
    Some(said.unwrap_or_else(|| "Karpenter does not say why".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_api_server_adds_is_no_difference() {
        let wanted = json!({"weight": 1, "list": [{"a": "b"}]});
        for (live, expected) in [
            (
                json!({"weight": 1, "list": [{"a": "b", "c": 1}], "more": {}}),
                true,
            ),
            (json!({"weight": 2, "list": [{"a": "b"}]}), false),
            (json!({"weight": 1, "list": []}), false),
            (json!({"list": [{"a": "b"}]}), false),
        ] {
            assert_eq!(covers(&live, &wanted), expected, "{live}");
        }
    }

    #[test]
    fn karpenter_says_what_is_wrong() {
        let with = |status: &str, message: &str| {
            let condition = json!({"type": "Ready", "status": status, "message": message, "reason": "NodeClassNotFound"});
            trouble(&json!({"status": {"conditions": [condition]}}))
        };
        assert_eq!(with("False", "no class"), Some("no class".to_owned()));
        assert_eq!(with("False", ""), Some("NodeClassNotFound".to_owned()));
        assert_eq!(with("True", ""), None);
        assert_eq!(with("Unknown", "wait"), None, "it has only just been made");
        assert_eq!(trouble(&json!({})), None);
    }
}
