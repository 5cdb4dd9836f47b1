//! Service discovery and Service Connect.

use super::cluster_services::{ClusterServices, Reach, Wanted};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    translate::{Context, LABEL_LENGTH, kname, names::service_name},
    validate::{Service, ServiceConnect, ServiceConnectService, ServiceRegistry},
};

/// The label that tells which Service Connect namespace a Service is in.
const NAMESPACE: &str = "ecs-operator.dev/service-connect-namespace";

/// Adds the Services of `serviceConnectConfiguration` and `serviceRegistries`.
pub(super) fn apply(
    cx: &Context<'_>,
    service: &Service,
    services: &mut ClusterServices,
    notes: &mut Diagnostics,
) {
    if let Some(connect) = &service.service_connect {
        let ServiceConnect {
            namespace,
            services: offers,
        } = connect;
        for offer in offers {
            connect_service(cx, namespace.as_deref(), offer, services, notes);
        }
    }
    let name = format!("{}-discovery", cx.own_service());
    for ServiceRegistry { index, port } in &service.service_registries {
        services.open(&name, Reach::Headless);
        if let Some((port, protocol)) = *port {
            services.offer(&name, &Wanted::same(port, protocol));
        }
        notes.report(
            cx.root().field("serviceRegistries").index(*index),
            Message::CloudMapNotRegistered {
                name: name.clone(),
                namespace: cx.settings.namespace.clone(),
            },
        );
    }
}

fn connect_service(
    cx: &Context<'_>,
    namespace: Option<&str>,
    offer: &ServiceConnectService,
    services: &mut ClusterServices,
    notes: &mut Diagnostics,
) {
    let ServiceConnectService {
        index,
        port_name,
        discovery_name,
        port,
        container_port,
        protocol,
        app_protocol,
        dns_name,
    } = offer;
    let path = cx
        .root()
        .field("serviceConnectConfiguration")
        .field("services")
        .index(*index);
    let wanted = Wanted {
        port: *port,
        target: *container_port,
        protocol: *protocol,
        name: Some(port_name),
        app_protocol: *app_protocol,
    };
    let name = service_name(discovery_name, cx.settings.kubernetes_minor);
    if name != *discovery_name {
        notes.report(
            path.field("discoveryName"),
            Message::NameSanitized {
                original: discovery_name.clone(),
                name: name.clone(),
            },
        );
    }
    let mut names = vec![name.clone()];
    match clients_find(cx, namespace, discovery_name, dns_name.as_deref(), &name) {
        Found::ByService => {}
        Found::ByAnother(alias) => names.push(alias),
        Found::Not(alias) => notes.report(
            alias_path(&path, dns_name.is_some()),
            Message::ServiceConnectAliasNeedsClusterIP { name: alias },
        ),
    }
    for name in names {
        services.open(&name, Reach::Cluster);
        services.claim(&name, &wanted);
        if let Some(namespace) = namespace {
            services.label(&name, NAMESPACE, label_value(namespace));
        }
    }
}

fn alias_path(path: &FieldPath, has_dns_name: bool) -> FieldPath {
    if has_dns_name {
        path.field("clientAliases").index(0).field("dnsName")
    } else {
        path.field("discoveryName")
    }
}

/// How clients find what a service offers.
enum Found {
    /// By the name of the Service.
    ByService,
    /// By a second Service of this name.
    ByAnother(String),
    /// Not by the cluster's DNS: the operator has to write this name into `/etc/hosts`.
    Not(String),
}

/// Clients use the alias's `dnsName`, or `<discovery name>.<namespace>` if it has none. The cluster's DNS finds names
/// of one label in the pod's own namespace, and names of two labels if the second one is a Kubernetes namespace.
fn clients_find(
    cx: &Context<'_>,
    namespace: Option<&str>,
    discovery_name: &str,
    dns_name: Option<&str>,
    name: &str,
) -> Found {
    let alias = match (dns_name, namespace) {
        (Some(dns_name), _) => dns_name.to_owned(),
        (None, Some(namespace)) => format!("{discovery_name}.{namespace}"),
        // The cluster's default namespace is not known, nor how clients spell it.
        (None, None) => return Found::ByService,
    };
    let in_cluster = format!("{name}.{}", cx.settings.namespace);
    if alias == name
        || alias == in_cluster
        || alias == format!("{in_cluster}.svc")
        || alias == format!("{in_cluster}.svc.cluster.local")
    {
        Found::ByService
    } else if service_name(&alias, cx.settings.kubernetes_minor) == alias {
        Found::ByAnother(alias)
    } else {
        Found::Not(alias)
    }
}

/// A Cloud Map namespace may be named like a domain, which a label's value may be too.
fn label_value(namespace: &str) -> String {
    let fits = namespace.len() <= LABEL_LENGTH
        && namespace
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && namespace.starts_with(|c: char| c.is_ascii_alphanumeric())
        && namespace.ends_with(|c: char| c.is_ascii_alphanumeric());
    if fits {
        namespace.to_owned()
    } else {
        kname(namespace, LABEL_LENGTH)
    }
}
