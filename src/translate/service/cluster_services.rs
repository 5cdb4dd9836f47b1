//! The Services of an ECS service. Several features may request the same name, and share one Service with the ports of
//! all. Several ECS services may offer a Service Connect name; they share the Service of that name.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use serde_json::json;

use crate::{
    settings::{Addon, OFFERS},
    translate::{
        Context, LABEL_LENGTH, Manifests, Object, WORKLOAD_LENGTH, kname,
        labels::Labels,
        names::{hex_digest, service_name},
    },
    validate::{AppProtocol, Protocol},
};

/// The Services that are being built, by name.
#[derive(Debug, Default)]
pub(super) struct ClusterServices {
    services: BTreeMap<String, Draft>,
}

#[derive(Debug, Default)]
struct Draft {
    reach: Reach,
    /// Whether only Service Connect requests it, so that other ECS services may also offer the name.
    shared: bool,
    ports: BTreeMap<(u16, Protocol), Target>,
    labels: Labels,
    annotations: BTreeMap<String, String>,
}

/// How a Service can be reached. Each kind includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Through DNS, with the addresses of its pods.
    #[default]
    Headless,
    /// From pods, at one address.
    Cluster,
    /// Also through the nodes.
    NodePort,
    /// Also through its Network Load Balancer.
    LoadBalancer,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    port: u16,
    name: Option<String>,
    app_protocol: Option<AppProtocol>,
}

/// A requested port of a Service.
pub(super) struct Wanted<'a> {
    /// The port of the Service.
    pub(super) port: u16,
    /// The port of the container.
    pub(super) target: u16,
    /// The protocol of both.
    pub(super) protocol: Protocol,
    /// The name of the port; `p<port>-<protocol>` if it has none.
    pub(super) name: Option<&'a str>,
    /// The application protocol.
    pub(super) app_protocol: Option<AppProtocol>,
}

impl Wanted<'_> {
    /// Creates a port with the same number outside and inside.
    pub(super) const fn same(port: u16, protocol: Protocol) -> Self {
        Self {
            port,
            target: port,
            protocol,
            name: None,
            app_protocol: None,
        }
    }
}

impl Draft {
    /// Returns the label of the pods that offer this name with exactly these ports.
    fn offer(&self, name: &str) -> Labels {
        let content = json!([self.labels, service_ports(&self.ports)]);
        let digest = hex_digest(content.to_string(), 8);
        Labels::from([(format!("{OFFERS}{name}"), digest)])
    }
}

impl ClusterServices {
    /// Ensures that the Service `name` exists with at least this `reach`.
    pub(super) fn open(&mut self, name: &str, reach: Reach) {
        let draft = self.services.entry(name.to_owned()).or_default();
        draft.reach = draft.reach.max(reach);
        draft.shared = false;
    }

    /// Ensures that the Service `name` exists, which is shared by the ECS services that offer this name.
    pub(super) fn share(&mut self, name: &str) {
        let draft = self
            .services
            .entry(name.to_owned())
            .or_insert_with(|| Draft {
                shared: true,
                ..Draft::default()
            });
        draft.reach = draft.reach.max(Reach::Cluster);
    }

    /// Adds a label to the Service `name`.
    pub(super) fn label(&mut self, name: &str, key: &str, value: String) {
        let draft = self.services.entry(name.to_owned()).or_default();
        draft.labels.insert(key.to_owned(), value);
    }

    /// Adds an annotation to the Service `name`.
    pub(super) fn annotate(&mut self, name: &str, key: &str, value: String) {
        let draft = self.services.entry(name.to_owned()).or_default();
        draft.annotations.insert(key.to_owned(), value);
    }

    /// Adds a port to the Service `name`, unless the port number is already used for another target.
    pub(super) fn offer(&mut self, name: &str, wanted: &Wanted<'_>) -> bool {
        let draft = self.services.entry(name.to_owned()).or_default();
        let target = Target {
            port: wanted.target,
            name: wanted.name.map(|name| kname(name, LABEL_LENGTH)),
            app_protocol: wanted.app_protocol,
        };
        draft
            .ports
            .entry((wanted.port, wanted.protocol))
            .or_insert(target)
            .port
            == wanted.target
    }

    /// Adds a port to the Service `name` and returns its number there. If the number is already used for another
    /// target, it is the highest free one: load balancers are configured with the number and reach the pods at the
    /// target port.
    pub(super) fn claim(&mut self, name: &str, wanted: &Wanted<'_>) -> u16 {
        if self.offer(name, wanted) {
            return wanted.port;
        }
        let ports = &self.services.entry(name.to_owned()).or_default().ports;
        let free = (1..=u16::MAX)
            .rev()
            .find(|port| !ports.contains_key(&(*port, wanted.protocol)))
            .unwrap_or(wanted.port);
        self.offer(
            name,
            &Wanted {
                port: free,
                ..*wanted
            },
        );
        free
    }

    /// Returns the labels with which shared Services select the pods. Services with other ports do not select them.
    pub(super) fn offers(&self) -> Labels {
        let shared = self.services.iter().filter(|(_, draft)| draft.shared);
        shared.flat_map(|(name, draft)| draft.offer(name)).collect()
    }

    /// Adds the finished Services.
    pub(super) fn add_to(self, cx: &Context<'_>, objects: &mut Manifests) {
        for (name, draft) in self.services {
            let offer = draft.offer(&name);
            let Draft {
                reach,
                shared,
                ports,
                labels,
                annotations,
            } = draft;
            let (selector, mut metadata) = if shared {
                (offer, cx.shared_metadata(name, "service-connect"))
            } else {
                (cx.selector(), cx.metadata(name))
            };
            metadata.labels.get_or_insert_default().extend(labels);
            metadata.annotations = (!annotations.is_empty()).then_some(annotations);
            let ports = service_ports(&ports);
            objects.push(Object::Service(Service {
                metadata,
                spec: Some(ServiceSpec {
                    type_: Some(reach.service_type().to_owned()),
                    cluster_ip: (reach == Reach::Headless).then(|| "None".to_owned()),
                    load_balancer_class: (reach == Reach::LoadBalancer)
                        .then(|| network_load_balancer_class(cx).to_owned()),
                    publish_not_ready_addresses: (reach == Reach::Headless).then_some(false),
                    selector: Some(selector),
                    ports: (!ports.is_empty()).then_some(ports),
                    ..ServiceSpec::default()
                }),
                status: None,
            }));
        }
    }
}

/// Returns the class of Network Load Balancers. EKS Auto Mode has its own controller
/// (<https://docs.aws.amazon.com/eks/latest/userguide/auto-configure-nlb.html>).
fn network_load_balancer_class(cx: &Context<'_>) -> &'static str {
    if cx.settings.has(Addon::EksAutoMode) && !cx.settings.has(Addon::AwsLoadBalancerController) {
        "eks.amazonaws.com/nlb"
    } else {
        "service.k8s.aws/nlb"
    }
}

impl Reach {
    const fn service_type(self) -> &'static str {
        match self {
            Self::Headless | Self::Cluster => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

impl Context<'_> {
    /// Returns the name of the Service with this service's own name. It leaves room for a suffix.
    pub(super) fn own_service(&self) -> String {
        service_name(
            &self.name(),
            WORKLOAD_LENGTH,
            self.settings.kubernetes_minor,
        )
    }

    /// Returns the name of a Service that a user chose.
    pub(super) fn service_named(&self, name: &str) -> String {
        service_name(name, LABEL_LENGTH, self.settings.kubernetes_minor)
    }
}

/// Returns the ports by number. Kubernetes requires different names.
fn service_ports(ports: &BTreeMap<(u16, Protocol), Target>) -> Vec<ServicePort> {
    let default_name =
        |(port, protocol): (u16, Protocol)| format!("p{port}-{}", protocol.name().to_lowercase());
    let mut used: BTreeSet<String> = ports.keys().copied().map(default_name).collect();
    ports
        .iter()
        .map(|(key, target)| {
            let own = target.name.clone().filter(|name| used.insert(name.clone()));
            ServicePort {
                name: Some(own.unwrap_or_else(|| default_name(*key))),
                port: i32::from(key.0),
                protocol: Some(key.1.name().to_owned()),
                target_port: Some(IntOrString::Int(i32::from(target.port))),
                app_protocol: target.app_protocol.map(|app| app_protocol(app).to_owned()),
                node_port: None,
            }
        })
        .collect()
}

const fn app_protocol(protocol: AppProtocol) -> &'static str {
    match protocol {
        AppProtocol::Http => "http",
        AppProtocol::Http2 => "kubernetes.io/h2c",
        AppProtocol::Grpc => "grpc",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(services: &ClusterServices, name: &str) -> Vec<(String, i32, i32)> {
        service_ports(&services.services[name].ports)
            .into_iter()
            .map(|port| {
                let IntOrString::Int(target) = port.target_port.unwrap() else {
                    panic!("all target ports are numbers");
                };
                (port.name.unwrap(), port.port, target)
            })
            .collect()
    }

    #[test]
    fn one_service_has_the_ports_of_all_that_want_it() {
        let mut services = ClusterServices::default();
        let connect = Wanted {
            port: 80,
            target: 8080,
            protocol: Protocol::Tcp,
            name: Some("http"),
            app_protocol: Some(AppProtocol::Http),
        };
        assert_eq!(services.claim("web", &connect), 80);
        // The load balancer's port 80 has another container port, so it gets a different number.
        let moved = services.claim("web", &Wanted::same(80, Protocol::Tcp));
        assert_eq!(moved, 65535);
        assert_eq!(
            services.claim("web", &Wanted::same(9000, Protocol::Tcp)),
            9000
        );
        assert!(!services.offer("web", &Wanted::same(80, Protocol::Tcp)));
        assert_eq!(
            ports(&services, "web"),
            [
                ("http".to_owned(), 80, 8080),
                ("p9000-tcp".to_owned(), 9000, 9000),
                ("p65535-tcp".to_owned(), 65535, 80),
            ]
        );
    }

    #[test]
    fn port_names_differ() {
        let mut services = ClusterServices::default();
        for (port, name) in [(80, "p81-tcp"), (81, "a"), (82, "a")] {
            services.offer(
                "web",
                &Wanted {
                    name: Some(name),
                    ..Wanted::same(port, Protocol::Tcp)
                },
            );
        }
        let names: Vec<_> = ports(&services, "web").into_iter().map(|p| p.0).collect();
        assert_eq!(names, ["p80-tcp", "a", "p82-tcp"]);
    }
}
