//! Service discovery and Service Connect.

use super::cluster_services::{ClusterServices, Reach, Wanted};
use crate::{
    diagnostic::{Diagnostics, FieldPath, Message},
    names::{CONNECT_NAME, CONNECT_NAMESPACE},
    settings::Mode,
    translate::{Context, LABEL_LENGTH, kname, labels::Labels},
    validate::{Service, ServiceConnect, ServiceConnectService, ServiceRegistry, is_dns_name},
};

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
            // A matter of pods.
            hosts: _,
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

/// Returns the labels with which Services that several ECS services share select the pods.
pub(super) fn labels(cx: &Context<'_>, service: &Service) -> Labels {
    let mut services = ClusterServices::default();
    // The notes are reported when the Services are created.
    apply(cx, service, &mut services, &mut Diagnostics::new());
    services.offers()
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
    let name = cx.service_named(discovery_name);
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
        Found::Not(alias) => match remedy(cx, namespace, &alias) {
            None => services.annotate(&name, CONNECT_NAME, alias),
            Some(or) => notes.report(
                alias_path(&path, dns_name.is_some()),
                Message::ServiceConnectAliasNeedsClusterIP {
                    name: alias,
                    or: or.to_owned(),
                },
            ),
        },
    }
    for name in names {
        if name == cx.own_service() {
            services.open(&name, Reach::Cluster);
        } else {
            services.share(&name);
        }
        services.claim(&name, &wanted);
        if let Some(namespace) = namespace {
            services.label(&name, CONNECT_NAMESPACE, connect_namespace_label(namespace));
        }
    }
}

/// Returns what else helps clients to find a name that no Service can have; `None` if the operator adds it to the hosts of
/// their pods.
fn remedy(cx: &Context<'_>, namespace: Option<&str>, alias: &str) -> Option<&'static str> {
    match (cx.settings.mode, namespace) {
        _ if !is_dns_name(alias) => Some(""),
        (Mode::Controller, Some(_)) => None,
        (Mode::Controller, None) => Some(", or give namespace"),
        (Mode::Convert, Some(_)) => {
            Some(", or use the operator, which adds the name to the hosts of clients")
        }
        (Mode::Convert, None) => Some(
            ", or give namespace and use the operator, which adds the name to the hosts of clients",
        ),
    }
}

fn alias_path(path: &FieldPath, has_dns_name: bool) -> FieldPath {
    if has_dns_name {
        path.field("clientAliases").index(0).field("dnsName")
    } else {
        path.field("discoveryName")
    }
}

/// How clients find an offered name.
enum Found {
    /// With the name of the Service.
    ByService,
    /// With a second Service of this name.
    ByAnother(String),
    /// Not by the cluster's DNS: no Service of the namespace can have this name.
    Not(String),
}

/// Returns how clients find a name. They use the alias's `dnsName`, or `<discovery name>.<namespace>` if it has none.
/// The cluster's DNS resolves names of one label in the pod's own namespace, and names of two labels if the second one
/// is a Kubernetes namespace.
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
        // Neither the cluster's default namespace nor its spelling by clients is known.
        (None, None) => return Found::ByService,
    };
    let in_cluster = format!("{name}.{}", cx.settings.namespace);
    if alias == name
        || alias == in_cluster
        || alias == format!("{in_cluster}.svc")
        || alias == format!("{in_cluster}.svc.cluster.local")
    {
        Found::ByService
    } else if cx.service_named(&alias) == alias {
        Found::ByAnother(alias)
    } else {
        Found::Not(alias)
    }
}

/// Returns the label of a Cloud Map namespace. It may be named like a domain, which is also a valid label value.
#[must_use]
pub fn connect_namespace_label(namespace: &str) -> String {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{
        names::{CONNECT_NAME, CONNECT_NAMESPACE},
        settings::Mode,
        translate::testing::{Outcome, Scenario, assert_object, yaml},
    };

    const BE: &str = r#"{"family": "be", "networkMode": "awsvpc", "containerDefinitions": [{"name": "app", "image": "app", "memory": 64, "portMappings": [
        {"name": "http", "containerPort": 8080, "appProtocol": "http"}, {"name": "rpc", "containerPort": 9090, "appProtocol": "grpc"}, {"name": "h2", "containerPort": 9091, "appProtocol": "http2"}, {"name": "db", "containerPort": 5432}]}]}"#;

    fn connect(configuration: &Value) -> Scenario {
        let mut configuration = configuration.clone();
        configuration["enabled"] = json!(true);
        Scenario::service(BE)
            .request(json!({"serviceConnectConfiguration": configuration}).to_string())
            .settings(|settings| settings.cluster_ip_services = false)
    }

    fn ports(outcome: &Outcome, name: &str) -> Vec<Value> {
        outcome.object("Service", name)["spec"]["ports"]
            .as_array()
            .expect("ports")
            .iter()
            .map(|port| {
                json!([
                    port["name"],
                    port["port"],
                    port["targetPort"],
                    port["appProtocol"]
                ])
            })
            .collect()
    }

    #[test]
    fn a_service_connect_name_is_a_service() {
        let outcome = connect(&json!({"namespace": "internal", "services": [{"portName": "http", "discoveryName": "backend", "clientAliases": [{"port": 80, "dnsName": "backend.internal"}]}]})).convert().run();
        assert_object(
            outcome.object("Service", "backend"),
            "
apiVersion: v1
kind: Service
metadata:
  name: backend
  labels:
    ecs-operator.dev/service-connect-namespace: internal
spec:
  type: ClusterIP
  selector:
    discovery.ecs-operator.dev/backend: e660af4c
  ports:
  - name: http
    appProtocol: http
    port: 80
    protocol: TCP
    targetPort: 8080
",
        );
        assert_eq!(
            outcome.warnings(),
            [
                "serviceConnectConfiguration.services[0].clientAliases[0].dnsName: ServiceConnectAliasNeedsClusterIP"
            ]
        );
    }

    #[test]
    fn application_protocols_are_written_as_kubernetes_names_them() {
        let services: Vec<_> = ["http", "rpc", "h2", "db"]
            .map(|name| json!({"portName": name, "clientAliases": [{"port": 80, "dnsName": name}]}))
            .into();
        let outcome = connect(&json!({"services": services})).run();
        for (name, target, protocol) in [
            ("http", 8080, json!("http")),
            ("rpc", 9090, json!("grpc")),
            ("h2", 9091, json!("kubernetes.io/h2c")),
            ("db", 5432, Value::Null),
        ] {
            assert_eq!(ports(&outcome, name), [json!([name, 80, target, protocol])]);
        }
    }

    #[test]
    fn the_operator_is_asked_to_add_other_names_to_the_hosts_of_clients() {
        for (alias, name) in [
            (json!([{"port": 80}]), json!("backend.internal")),
            (
                json!([{"port": 80, "dnsName": "api.example.com"}]),
                json!("api.example.com"),
            ),
            (json!([{"port": 80, "dnsName": "backend"}]), Value::Null),
            (json!([{"port": 80, "dnsName": "My_Api"}]), Value::Null),
        ] {
            let outcome = connect(&json!({"namespace": "internal", "services": [{"portName": "http", "discoveryName": "backend", "clientAliases": alias}]})).run();
            let metadata = &outcome.object("Service", "backend")["metadata"];
            assert_eq!(metadata["annotations"][CONNECT_NAME], name);
            assert_eq!(metadata["labels"][CONNECT_NAMESPACE], "internal");
            let warns = outcome.has("ServiceConnectAliasNeedsClusterIP");
            assert_eq!(warns, alias[0]["dnsName"] == "My_Api");
        }
    }

    #[test]
    fn the_advice_leads_to_where_the_name_resolves() {
        let advice = |namespace: Value, name: &str, mode| {
            let outcome = connect(&json!({"namespace": namespace, "services": [{"portName": "http", "discoveryName": "backend", "clientAliases": [{"port": 80, "dnsName": name}]}]}))
                .settings(|settings| settings.mode = mode)
                .run();
            let messages = outcome.messages().concat();
            let advice = messages.split_once("a dnsName without dots");
            advice.map(|(_, advice)| advice.to_owned())
        };
        let operator = "use the operator, which adds the name to the hosts of clients";
        for (namespace, name, convert, controller) in [
            (
                json!("internal"),
                "a.internal",
                Some(format!(", or {operator}")),
                None,
            ),
            (
                Value::Null,
                "a.internal",
                Some(format!(", or give namespace and {operator}")),
                Some(", or give namespace"),
            ),
            (json!("internal"), "My_Api", Some(String::new()), Some("")),
        ] {
            let controller = controller.map(str::to_owned);
            assert_eq!(
                advice(namespace.clone(), name, Mode::Convert),
                convert,
                "{name}"
            );
            assert_eq!(
                advice(namespace, name, Mode::Controller),
                controller,
                "{name}"
            );
        }
    }

    #[test]
    fn clients_have_the_names_of_their_namespace_as_hosts() {
        let scenario = |connect: Value| {
            Scenario::service(BE)
                .request(json!({"serviceConnectConfiguration": connect}).to_string())
                .connect_hosts(&[
                    ("a.internal", "10.0.0.2"),
                    ("b.internal", "10.0.0.1"),
                    ("c.internal", "10.0.0.2"),
                ])
                .run()
        };
        let client = scenario(json!({"enabled": true, "namespace": "internal"}));
        assert_eq!(
            client.pod_spec()["hostAliases"],
            json!([
                {"ip": "10.0.0.1", "hostnames": ["b.internal"]},
                {"ip": "10.0.0.2", "hostnames": ["a.internal", "c.internal"]},
            ])
        );
        let other = scenario(json!({"enabled": false, "namespace": "internal"}));
        assert_eq!(other.pod_spec()["hostAliases"], Value::Null);
    }

    #[test]
    fn names_that_the_cluster_finds_need_no_alias() {
        for (alias, services, warns) in [
            (json!([]), vec!["backend"], true),
            (json!([{"port": 80}]), vec!["backend"], true),
            (
                json!([{"port": 80, "dnsName": "backend"}]),
                vec!["backend"],
                false,
            ),
            (
                json!([{"port": 80, "dnsName": "api"}]),
                vec!["api", "backend"],
                false,
            ),
            (
                json!([{"port": 80, "dnsName": "backend.shop"}]),
                vec!["backend"],
                false,
            ),
            (
                json!([{"port": 80, "dnsName": "backend.shop.svc.cluster.local"}]),
                vec!["backend"],
                false,
            ),
            (
                json!([{"port": 80, "dnsName": "api.example.com"}]),
                vec!["backend"],
                true,
            ),
            (
                json!([{"port": 80, "dnsName": "My_Api"}]),
                vec!["backend"],
                true,
            ),
        ] {
            let outcome = connect(&json!({"namespace": "internal", "services": [{"portName": "http", "discoveryName": "backend", "clientAliases": alias}]}))
                .settings(|settings| settings.namespace = "shop".to_owned())
                .convert()
                .run();
            let names: Vec<_> = outcome
                .objects_of("Service")
                .into_iter()
                .map(|service| service["metadata"]["name"].clone())
                .collect();
            assert_eq!(names, services, "{alias}");
            assert_eq!(
                outcome.has("ServiceConnectAliasNeedsClusterIP"),
                warns,
                "{alias}"
            );
        }
    }

    #[test]
    fn the_service_of_the_same_name_has_the_ports_of_both() {
        let outcome = connect(&json!({"services": [{"portName": "http", "discoveryName": "be", "clientAliases": [{"port": 80, "dnsName": "be"}]}]}))
            .settings(|settings| settings.cluster_ip_services = true)
            .run();
        assert_eq!(outcome.objects_of("Service").len(), 1);
        assert_eq!(
            ports(&outcome, "be"),
            [
                json!(["http", 80, 8080, "http"]),
                json!(["p5432-tcp", 5432, 5432, null]),
                json!(["p8080-tcp", 8080, 8080, null]),
                json!(["p9090-tcp", 9090, 9090, null]),
                json!(["p9091-tcp", 9091, 9091, null]),
            ]
        );
    }

    #[test]
    fn a_client_and_a_disabled_configuration_make_no_service() {
        let client = connect(&json!({"namespace": "internal"})).run();
        assert_eq!(client.objects_of("Service").len(), 0);
        let disabled = json!({"serviceConnectConfiguration": {"enabled": false, "services": [{"portName": "nothing"}]}});
        let outcome = Scenario::service(BE)
            .request(disabled.to_string())
            .settings(|settings| settings.cluster_ip_services = false)
            .run();
        assert_eq!(outcome.objects_of("Service").len(), 0);
    }

    #[test]
    fn what_service_connect_cannot_find_is_refused() {
        for (configuration, rejections) in [
            (
                json!({"services": [{"portName": "https"}]}),
                vec![
                    "serviceConnectConfiguration.services[0].portName: UnknownPortName: no port mapping is named https; give one of the portMappings this name, or correct it",
                ],
            ),
            (
                json!({"namespace": "arn:aws:servicediscovery:eu-west-1:123456789012:namespace/ns-1"}),
                vec![
                    "serviceConnectConfiguration.namespace: ServiceConnectNamespaceName: arn:aws:servicediscovery:eu-west-1:123456789012:namespace/ns-1 is an ARN; the program needs the name of the namespace; give the name, which aws servicediscovery get-namespace shows",
                ],
            ),
            (
                json!({"namespace": "internal", "services": [{"portName": "http", "discoveryName": "api"}, {"portName": "rpc", "discoveryName": "api"}]}),
                vec![
                    "serviceConnectConfiguration.services[1].discoveryName: ServiceConnectNameTaken: api is already a Service Connect name in namespace internal (service be); give one of the services another discoveryName; without it, the name is portName",
                ],
            ),
            (
                json!({"services": [{"portName": "http", "clientAliases": [{"port": 0}]}, {"portName": "rpc", "clientAliases": [{"dnsName": "rpc"}]}]}),
                vec![
                    "serviceConnectConfiguration.services[0].clientAliases[0].port: InvalidValue: 0: must be 1 to 65535",
                    "serviceConnectConfiguration.services[1].clientAliases[0].port: RequiredField: port is required",
                ],
            ),
        ] {
            assert_eq!(connect(&configuration).rejections(), rejections);
        }
    }

    fn registered(registry: &Value) -> Scenario {
        Scenario::service(BE)
            .request(json!({"serviceRegistries": [registry]}).to_string())
            .settings(|settings| settings.cluster_ip_services = false)
    }

    #[test]
    fn a_registry_is_a_headless_service() {
        let arn = "arn:aws:servicediscovery:eu-west-1:123456789012:service/srv-1";
        for (registry, port) in [
            (json!({"registryArn": arn}), Value::Null),
            (
                json!({"registryArn": arn, "containerName": "app"}),
                Value::Null,
            ),
            (json!({"registryArn": arn, "port": 8080}), json!(8080)),
            (
                json!({"registryArn": arn, "containerName": "app", "containerPort": 5432}),
                json!(5432),
            ),
        ] {
            let outcome = registered(&registry).run();
            let spec = &outcome.object("Service", "be-discovery")["spec"];
            let mut expected = yaml(
                "{type: ClusterIP, clusterIP: None, publishNotReadyAddresses: false, selector: {ecs-operator.dev/service: be}}",
            );
            if let Some(number) = port.as_i64() {
                expected["ports"] = json!([{"name": format!("p{number}-tcp"), "port": number, "protocol": "TCP", "targetPort": number}]);
            }
            assert_eq!(*spec, expected, "{registry}");
            assert!(outcome.messages().contains(
                &"serviceRegistries[0]: CloudMapNotRegistered: tasks are not registered in Cloud Map; change clients to the DNS name be-discovery.default.svc"
                    .to_owned()
            ));
        }
    }

    #[test]
    fn a_registry_has_one_way_to_say_its_port() {
        for (registry, rejection) in [
            (
                json!({"port": 80, "containerName": "app", "containerPort": 80}),
                "serviceRegistries[0].port: ServiceRegistryPortConflict: a service registry takes either port, or containerName and containerPort; remove one of the two",
            ),
            (
                json!({"port": 0}),
                "serviceRegistries[0].port: InvalidValue: 0: must be 1 to 65535",
            ),
            (
                json!({"containerName": "nginx"}),
                "serviceRegistries[0].containerName: UnknownContainer: container nginx does not exist in the task definition; correct the name",
            ),
            (
                json!({"containerName": "app", "containerPort": 81}),
                "serviceRegistries[0].containerPort: LoadBalancerPortNotMapped: container app has no portMapping for 81; add containerPort 81 to its portMappings",
            ),
        ] {
            assert_eq!(registered(&registry).rejections(), [rejection]);
        }
    }
}
