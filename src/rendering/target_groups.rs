//! What a running service keeps of its target groups, whatever the settings say for new ones.

use serde_json::Value;

use super::counts::kind;
use crate::settings::{Addon, Settings, TargetGroups};

/// The add-ons that register targets.
const CONTROLLERS: [Addon; 2] = [Addon::AwsLoadBalancerController, Addon::EksAutoMode];

/// Makes settings those of a service that runs as these objects, which were rendered with the settings `before`: if there
/// are two controllers, it keeps its current one, and target groups that it has for itself stay its own.
pub fn keep_target_groups(settings: &mut Settings, objects: &[Value], before: &Settings) {
    if objects.iter().any(owns_target_group) {
        keep_exclusive(settings);
    }
    let had = CONTROLLERS
        .iter()
        .filter(|addon| before.has(**addon))
        .collect::<Vec<_>>();
    if let [one] = had.as_slice()
        && CONTROLLERS.iter().all(|addon| settings.has(*addon))
    {
        settings
            .addons
            .retain(|addon| !CONTROLLERS.contains(addon) || addon == *one);
    }
}

/// Leaves the target groups of a running service to its bindings alone, unless the settings say otherwise. A binding that
/// exists does not become a shared one: its controller would first have to find out which of the registered targets are
/// its own (<https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/use_cases/multi_cluster/>).
pub fn keep_exclusive(settings: &mut Settings) {
    settings
        .target_groups
        .get_or_insert(TargetGroups::Exclusive);
}

/// Whether an object is a binding that has its target group for itself.
fn owns_target_group(object: &Value) -> bool {
    kind(object) == "TargetGroupBinding"
        && object.pointer("/spec/multiClusterTargetGroup") != Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(settings: &Settings, binding: Value, before: &[Addon]) -> Settings {
        let mut settings = settings.clone();
        let objects = [
            json!({"kind": "Deployment"}),
            json!({"kind": "TargetGroupBinding", "spec": binding}),
        ];
        let before = Settings {
            addons: before.iter().copied().collect(),
            ..Settings::default()
        };
        keep_target_groups(&mut settings, &objects, &before);
        settings
    }

    #[test]
    fn a_running_binding_stays_as_it_is() {
        let (own, shared) = (json!({}), json!({"multiClusterTargetGroup": true}));
        let none = Settings::default();
        let groups = |settings: &Settings, binding: &Value| {
            kept(settings, binding.clone(), &[]).target_groups
        };
        assert_eq!(groups(&none, &own), Some(TargetGroups::Exclusive));
        assert_eq!(groups(&none, &shared), None, "new ones are shared");
        let asked = Settings {
            target_groups: Some(TargetGroups::Shared),
            ..Settings::default()
        };
        assert_eq!(groups(&asked, &own), Some(TargetGroups::Shared));
    }

    #[test]
    fn of_two_controllers_the_current_one_stays() {
        let both = Settings {
            addons: CONTROLLERS.into(),
            ..Settings::default()
        };
        for one in CONTROLLERS {
            let settings = kept(&both, json!({}), &[one]);
            assert_eq!(settings.addons, [one].into());
        }
        assert_eq!(kept(&both, json!({}), &CONTROLLERS).addons.len(), 2);
    }
}
