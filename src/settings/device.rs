//! The resources by which device plugins offer devices of the node.

use super::dns::{is_bounded, is_subdomain};

/// The longest name of a resource
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>).
const LONGEST_NAME: usize = 63;

/// Parses `HOSTPATH=RESOURCE`, such as `/dev/fuse=example.com/fuse`.
#[must_use]
pub fn parse_device(text: &str) -> Option<(String, String)> {
    // A path may contain '=', a resource may not.
    let (path, resource) = text.rsplit_once('=')?;
    (path.starts_with('/') && is_extended_resource(resource))
        .then(|| (path.to_owned(), resource.to_owned()))
}

/// Whether a device plugin can offer a resource of this name: `DOMAIN/NAME`, and the domain is not that of Kubernetes
/// (<https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/#device-plugin-registration>).
#[must_use]
pub fn is_extended_resource(text: &str) -> bool {
    let Some((domain, name)) = text.split_once('/') else {
        return false;
    };
    let of_kubernetes = domain == "kubernetes.io" || domain.ends_with(".kubernetes.io");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
    let name_fits = name.len() <= LONGEST_NAME && is_bounded(name, is_plain, b"-_.");
    // Quotas give resources this prefix.
    !of_kubernetes && !domain.starts_with("requests.") && is_subdomain(domain) && name_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what the schema of the chart says about devices.
    fn schema_of_chart() -> serde_json::Value {
        let text = include_str!("../../charts/ecs-operator/values.schema.json");
        let schema: serde_json::Value = serde_json::from_str(text).expect("JSON");
        schema["properties"]["settings"]["properties"]["devices"].clone()
    }

    #[test]
    fn a_device_is_a_path_and_an_extended_resource() {
        let parsed = |text| parse_device(text);
        let chart = jsonschema::validator_for(&schema_of_chart()).expect("a schema");
        let values = |text: &str| {
            let (path, resource) = text.rsplit_once('=').unwrap_or((text, ""));
            serde_json::json!({path: resource})
        };
        for (text, path, resource) in [
            (
                "/dev/fuse=example.com/fuse",
                "/dev/fuse",
                "example.com/fuse",
            ),
            ("/dev/a=b=c.d/E_f.g", "/dev/a=b", "c.d/E_f.g"),
            ("/dev/kvm=devices/kvm", "/dev/kvm", "devices/kvm"),
        ] {
            let expected = Some((path.to_owned(), resource.to_owned()));
            assert_eq!(parsed(text), expected, "{text}");
            assert!(chart.is_valid(&values(text)), "{text}");
        }
        for text in [
            "",
            "/dev/fuse",
            "/dev/fuse=",
            "dev/fuse=example.com/fuse",
            "=example.com/fuse",
            "/dev/fuse=fuse",
            "/dev/fuse=/fuse",
            "/dev/fuse=example.com/",
            "/dev/fuse=example.com/fuse-",
            "/dev/fuse=example.com/a/b",
            "/dev/fuse=Example.com/fuse",
            "/dev/fuse=example..com/fuse",
            "/dev/fuse=kubernetes.io/fuse",
            "/dev/fuse=node.kubernetes.io/fuse",
            "/dev/fuse=requests.example.com/fuse",
            "/dev/fuse=example.com/ü",
        ] {
            assert_eq!(parsed(text), None, "{text}");
            assert!(!chart.is_valid(&values(text)), "{text}");
        }
    }
}
