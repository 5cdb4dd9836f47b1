//! Converts port mappings to container ports.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ContainerPort;

use super::{Draft, container::path};
use crate::{
    diagnostic::{Diagnostics, Message},
    translate::Context,
    validate::{Container, NetworkMode, Port},
};

/// The maximum length of the name of a port.
const PORT_NAME_LENGTH: usize = 15;

/// Adds the ports of all containers.
pub(super) fn apply(cx: &Context<'_>, draft: &mut Draft, notes: &mut Diagnostics) {
    let network = &cx.task_definition.network;
    let mut names = BTreeSet::new();
    for source in &cx.task_definition.containers {
        if network.mode == NetworkMode::Bridge {
            report_static_ports(cx, source, notes);
        }
        let ports = ports(source, &mut names);
        if let Some(container) = draft.container_mut(source.index) {
            container.ports = (!ports.is_empty()).then_some(ports);
        }
    }
    for (container, mapping) in &network.unlisted_ranges {
        let path = path(*container)
            .field("portMappings")
            .index(*mapping)
            .field("containerPortRange");
        notes.report(path, Message::PortRangeTooLarge);
    }
}

/// Returns the ports of a container without duplicates: a second name of a port matters only to Service Connect.
/// `names` are those of the containers before it.
fn ports(source: &Container, names: &mut BTreeSet<String>) -> Vec<ContainerPort> {
    let mut ports: Vec<ContainerPort> = Vec::new();
    for port in &source.ports {
        let Port {
            mapping: _,
            container_port,
            host_port,
            protocol,
            name: _,
            app_protocol: _,
            from_range: _,
        } = port;
        let container_port = i32::from(*container_port);
        let protocol = Some(protocol.name().to_owned());
        let listed = |other: &&mut ContainerPort| {
            other.container_port == container_port && other.protocol == protocol
        };
        let host_port = host_port.map(i32::from);
        if let Some(listed) = ports.iter_mut().find(listed) {
            listed.host_port = listed.host_port.or(host_port);
            continue;
        }
        ports.push(ContainerPort {
            name: Some(port_name(port, names)),
            container_port,
            host_port,
            protocol,
            host_ip: None,
        });
    }
    ports
}

/// Reports fixed host ports. Docker maps a port of the instance; here the scheduler finds a node where it is free, which
/// does not limit a daemon.
///
/// Validation of the API server allows two host ports of one container port, but the list has the container port and the
/// protocol as its key, so applying it would fail
/// (<https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#ports>).
fn report_static_ports(cx: &Context<'_>, source: &Container, notes: &mut Diagnostics) {
    for port in &source.ports {
        let Some(number) = port.host_port else {
            continue;
        };
        let path = path(source.index)
            .field("portMappings")
            .index(port.mapping)
            .field("hostPort");
        let same = |other: &&Port| {
            other.host_port.is_some()
                && (other.container_port, other.protocol) == (port.container_port, port.protocol)
        };
        let opened = source
            .ports
            .iter()
            .find(same)
            .and_then(|first| first.host_port);
        let value = number.to_string();
        if let Some(opened) = opened.filter(|opened| *opened != number) {
            let message = Message::SecondHostPortNotOpened {
                value,
                port: port.container_port.to_string(),
                opened: opened.to_string(),
            };
            notes.report(path, message);
        } else if !cx.is_daemon() {
            notes.report(path, Message::StaticHostPort { port: value });
        }
    }
}

/// Returns the name of the mapping if Kubernetes allows it and no port of the pod has it; otherwise a name that
/// contains its number.
fn port_name(port: &Port, names: &mut BTreeSet<String>) -> String {
    if let Some(name) = port.name.as_ref().filter(|name| is_port_name(name))
        && names.insert(name.clone())
    {
        return name.clone();
    }
    let protocol = port.protocol.ecs_name();
    format!("p{}-{protocol}", port.container_port)
}

/// Whether this is an IANA service name (RFC 6335), and not a name that [`port_name`] generates.
fn is_port_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let made_of_number = name
        .strip_prefix('p')
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(number, protocol)| {
            number.parse::<u16>().is_ok() && matches!(protocol, "tcp" | "udp")
        });
    name.len() <= PORT_NAME_LENGTH
        && name.chars().all(plain)
        && name.chars().any(|c| c.is_ascii_lowercase())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
        && !made_of_number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        settings::Compute,
        translate::testing::{Scenario, yaml},
    };

    /// Returns a service in a network mode whose containers have these port mappings.
    fn service(mode: &str, mappings: &[&str]) -> Scenario {
        let containers: Vec<String> = mappings
            .iter()
            .enumerate()
            .map(|(index, mappings)| {
                format!(r#"{{"name": "c{index}", "image": "i", "memory": 64, "portMappings": [{mappings}]}}"#)
            })
            .collect();
        Scenario::service(format!(
            r#"{{"family": "web", "networkMode": "{mode}", "containerDefinitions": [{}]}}"#,
            containers.join(",")
        ))
    }

    #[test]
    fn host_ports_follow_the_network_mode() {
        for (mode, mapping, host_port) in [
            ("awsvpc", r#"{"containerPort": 80, "hostPort": 80}"#, "null"),
            ("awsvpc", r#"{"containerPort": 80, "hostPort": 0}"#, "null"),
            ("awsvpc", r#"{"containerPort": 80}"#, "null"),
            ("host", r#"{"containerPort": 80, "hostPort": 80}"#, "80"),
            ("host", r#"{"containerPort": 80, "hostPort": 0}"#, "80"),
            ("host", r#"{"containerPort": 80}"#, "80"),
            (
                "bridge",
                r#"{"containerPort": 80, "hostPort": 8080}"#,
                "8080",
            ),
            ("bridge", r#"{"containerPort": 80, "hostPort": 0}"#, "null"),
            ("bridge", r#"{"containerPort": 80}"#, "null"),
        ] {
            let outcome = service(mode, &[mapping]).run();
            let port = &outcome.container("c0")["ports"][0];
            assert_eq!(port["hostPort"], yaml(host_port), "{mode} {mapping}");
            let expected: &[&str] = match (mode, host_port) {
                ("bridge", "8080") => &[
                    "containerDefinitions[0].portMappings[0].hostPort: StaticHostPort: host port 8080 limits the service to one task per node; remove hostPort, and reach the tasks through the Service",
                ],
                _ => &[],
            };
            let messages = outcome.messages();
            let found: Vec<&String> = messages
                .iter()
                .filter(|m| m.contains("StaticHostPort"))
                .collect();
            assert_eq!(found, expected, "{mode} {mapping}");
        }
    }

    #[test]
    fn protocols_are_tcp_unless_udp() {
        for (protocol, expected) in [
            (
                r#", "protocol": "tcp""#,
                "{name: p53-tcp, containerPort: 53, protocol: TCP}",
            ),
            (
                r#", "protocol": "udp""#,
                "{name: p53-udp, containerPort: 53, protocol: UDP}",
            ),
            (
                r#", "protocol": "UDP""#,
                "{name: p53-udp, containerPort: 53, protocol: UDP}",
            ),
            (
                r#", "protocol": "sctp""#,
                "{name: p53-tcp, containerPort: 53, protocol: TCP}",
            ),
            ("", "{name: p53-tcp, containerPort: 53, protocol: TCP}"),
        ] {
            let outcome = service(
                "awsvpc",
                &[&format!(r#"{{"containerPort": 53{protocol}}}"#)],
            )
            .run();
            assert_eq!(
                outcome.container("c0")["ports"][0],
                yaml(expected),
                "{protocol}"
            );
        }
    }

    #[test]
    fn ports_have_names_that_kubernetes_takes() {
        let outcome = service(
            "awsvpc",
            &[
                r#"{"containerPort": 80, "name": "http"}, {"containerPort": 81, "name": "a_b"},
                {"containerPort": 82, "name": "much-too-long-for-a-port"}, {"containerPort": 53, "protocol": "udp"},
                {"containerPort": 83, "name": "p84-tcp"}, {"containerPort": 85, "name": "http2"},
                {"containerPort": 85, "name": "second-name"}"#,
                r#"{"containerPort": 84, "name": "8"}, {"containerPortRange": "7000-7002", "protocol": "udp"}"#,
            ],
        )
        .run();
        let names = |container: &str| -> Vec<String> {
            let ports = outcome.container(container)["ports"].as_array();
            let ports = ports.expect("ports").iter();
            ports
                .map(|port| port["name"].as_str().expect("a name").to_owned())
                .collect()
        };
        assert_eq!(
            names("c0"),
            ["http", "p81-tcp", "p82-tcp", "p53-udp", "p83-tcp", "http2"]
        );
        assert_eq!(
            names("c1"),
            ["p84-tcp", "p7000-udp", "p7001-udp", "p7002-udp"]
        );
        for (name, expected) in [
            ("http", true),
            ("a-1", true),
            ("exactly-15-char", true),
            ("exactly-16-chars", false),
            ("1", false),
            ("-a", false),
            ("a-", false),
            ("a--b", false),
            ("p80-tcp", false),
            ("p80-grpc", true),
        ] {
            assert_eq!(is_port_name(name), expected, "{name}");
        }
    }

    #[test]
    fn a_large_range_is_not_listed() {
        let listed = service("awsvpc", &[r#"{"containerPortRange": "7000-7099"}"#]).run();
        assert_eq!(
            listed.container("c0")["ports"].as_array().map(Vec::len),
            Some(100)
        );
        assert!(listed.warnings().is_empty());
        let large = service(
            "awsvpc",
            &[r#"{"containerPort": 80}, {"containerPortRange": "7000-7100"}"#],
        )
        .run();
        assert_eq!(
            large.container("c0")["ports"].as_array().map(Vec::len),
            Some(1)
        );
        assert_eq!(
            large.warnings(),
            ["containerDefinitions[0].portMappings[1].containerPortRange: PortRangeTooLarge"]
        );
    }

    #[test]
    fn a_port_may_be_mapped_for_both_protocols_and_twice() {
        let ports = |mode: &str, mappings: &str| -> Vec<String> {
            let outcome = service(mode, &[mappings]).run();
            let ports = outcome.container("c0")["ports"].as_array();
            let ports = ports.expect("ports").iter();
            ports
                .map(|port| format!("{} {}", port["name"], port["hostPort"]))
                .collect()
        };
        assert_eq!(
            ports(
                "awsvpc",
                r#"{"containerPortRange": "52-53", "protocol": "udp"}, {"containerPort": 53}"#
            ),
            ["\"p52-udp\" null", "\"p53-udp\" null", "\"p53-tcp\" null"]
        );
        for mappings in [
            r#"{"containerPort": 80, "hostPort": 8080}, {"containerPort": 80, "hostPort": 8081}"#,
            r#"{"containerPort": 80}, {"containerPort": 80, "hostPort": 8080}"#,
        ] {
            assert_eq!(ports("bridge", mappings), ["\"p80-tcp\" 8080"]);
        }
    }

    #[test]
    fn a_daemon_opens_the_first_host_port_too() {
        let mappings =
            r#"{"containerPort": 80, "hostPort": 8080}, {"containerPort": 80, "hostPort": 8081}"#;
        let outcome = service("bridge", &[mappings])
            .request(r#"{"schedulingStrategy": "DAEMON"}"#)
            .run();
        let ports = outcome.container("c0")["ports"].as_array();
        assert_eq!(ports.map(Vec::len), Some(1));
        assert_eq!(
            outcome.warnings(),
            ["containerDefinitions[0].portMappings[1].hostPort: SecondHostPortNotOpened"]
        );
    }

    /// Checks the rejection of each row: a network mode, port mappings, and the finding after their path.
    #[track_caller]
    fn rejected(rows: &[(&str, &str, &str)]) {
        for (mode, mappings, rejection) in rows {
            assert_eq!(
                service(mode, &[mappings]).rejections(),
                [format!("containerDefinitions[0].portMappings{rejection}")],
                "{mode} {mappings}"
            );
        }
    }

    #[test]
    fn ports_that_ecs_or_a_pod_cannot_have_are_rejected() {
        rejected(&[
            (
                "awsvpc",
                r#"{"containerPort": 80, "hostPort": 81}"#,
                "[0].hostPort: HostPortMismatch: hostPort 81 must be absent, 0 or equal to containerPort 80 in network mode awsvpc; remove hostPort",
            ),
            (
                "host",
                r#"{"containerPort": 80, "hostPort": 81}"#,
                "[0].hostPort: HostPortMismatch: hostPort 81 must be absent, 0 or equal to containerPort 80 in network mode host; remove hostPort",
            ),
            (
                "none",
                r#"{"containerPort": 80}"#,
                ": PortMappingsWithNetworkNone: portMappings are not allowed with networkMode none; remove portMappings, or use networkMode awsvpc",
            ),
            (
                "awsvpc",
                r#"{"containerPort": 0}"#,
                "[0].containerPort: InvalidValue: 0: must be 1 to 65535",
            ),
            (
                "awsvpc",
                "{}",
                "[0].containerPort: RequiredField: containerPort is required",
            ),
            (
                "bridge",
                r#"{"containerPort": 80, "hostPort": 65536}"#,
                "[0].hostPort: InvalidValue: 65536: must be 0 to 65535",
            ),
            (
                "bridge",
                r#"{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81, "hostPort": 8080}"#,
                "[1].hostPort: InvalidValue: 8080: another port mapping of the task has this host port",
            ),
            (
                "awsvpc",
                r#"{"containerPort": 80, "name": "web"}, {"containerPort": 81, "name": "web"}"#,
                "[1].name: InvalidValue: web: another port mapping has this name",
            ),
        ]);
    }

    #[test]
    fn ranges_that_ecs_does_not_take_are_rejected() {
        rejected(&[
            (
                "awsvpc",
                r#"{"containerPortRange": "9-8"}"#,
                "[0].containerPortRange: InvalidValue: 9-8: must be first-last, each 1 to 65535, the first below the last",
            ),
            (
                "host",
                r#"{"containerPortRange": "8-9"}"#,
                "[0].containerPortRange: InvalidValue: 8-9: ranges need networkMode bridge or awsvpc",
            ),
            (
                "bridge",
                r#"{"containerPortRange": "8-9", "containerPort": 8}"#,
                "[0].containerPort: InvalidValue: 8: give containerPort or containerPortRange, not both",
            ),
            (
                "bridge",
                r#"{"containerPortRange": "8-9", "hostPort": 8}"#,
                "[0].hostPort: InvalidValue: 8: goes with containerPort, not with containerPortRange",
            ),
        ]);
        let many: Vec<String> = (0..101)
            .map(|i| format!(r#"{{"containerPortRange": "{}-{}"}}"#, 2 * i + 1, 2 * i + 2))
            .collect();
        rejected(&[(
            "awsvpc",
            &many.join(","),
            ": InvalidValue: 101 port ranges: a container takes at most 100",
        )]);
    }

    #[test]
    fn no_two_containers_listen_on_one_port() {
        let at = "containerDefinitions[1].portMappings[0]";
        let advice = "containers of a pod share one network namespace: change one port";
        for (a, b, rejection) in [
            (
                r#"{"containerPort": 80, "hostPort": 0}"#,
                r#"{"containerPort": 80, "hostPort": 8080}"#,
                Some(format!(
                    "{at}.containerPort: ContainerPortConflict: containers c0 and c1 both use 80/tcp; {advice}"
                )),
            ),
            (
                r#"{"containerPort": 80}"#,
                r#"{"containerPortRange": "70-90"}"#,
                Some(format!(
                    "{at}.containerPortRange: ContainerPortConflict: containers c0 and c1 both use 80/tcp; {advice}"
                )),
            ),
            (
                r#"{"containerPortRange": "1000-9000"}"#,
                r#"{"containerPortRange": "8000-8001"}"#,
                Some(format!(
                    "{at}.containerPortRange: ContainerPortConflict: containers c0 and c1 both use 8000/tcp; {advice}"
                )),
            ),
            (
                r#"{"containerPort": 80, "hostPort": 8080}"#,
                r#"{"containerPort": 81, "hostPort": 8080}"#,
                Some(format!(
                    "{at}.hostPort: InvalidValue: 8080: another port mapping of the task has this host port"
                )),
            ),
            (r#"{"containerPort": 80}"#, r#"{"containerPort": 81}"#, None),
            (
                r#"{"containerPort": 53}"#,
                r#"{"containerPort": 53, "protocol": "udp"}"#,
                None,
            ),
            (
                r#"{"containerPort": 80, "hostPort": 8080}"#,
                r#"{"containerPort": 80, "hostPort": 8080, "protocol": "udp"}"#,
                None,
            ),
        ] {
            let scenario = service("bridge", &[a, b]);
            match rejection {
                Some(rejection) => assert_eq!(scenario.rejections(), [rejection]),
                None => assert!(scenario.run().container("c1")["ports"].is_array()),
            }
        }
    }

    #[test]
    fn eks_fargate_has_no_host_ports() {
        let definition = |host_port| {
            Scenario::service(format!(
                r#"{{"family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
                "memory": "512", "containerDefinitions": [{{"name": "web", "image": "i",
                "portMappings": [{{"containerPort": 80, "hostPort": {host_port}}}]}}]}}"#
            ))
            .settings(|settings| settings.compute = Compute::EksFargate)
        };
        assert!(definition(80).run().container("web")["ports"][0]["hostPort"].is_null());
        assert_eq!(
            definition(8080).rejections(),
            [
                "containerDefinitions[0].portMappings[0].hostPort: HostPortOnFargate: EKS Fargate opens no host port, and hostPort differs from containerPort; remove hostPort: pods are reached on containerPort"
            ]
        );
    }
}
