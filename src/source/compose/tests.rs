//! Tests of files as a whole, and of their members.

use super::{
    super::{
        syntax::parse_one,
        testing::{expansion, units, value_after},
    },
    *,
};

fn values() -> Values {
    Values {
        region: Some("eu-west-1".to_owned()),
        ..Values::default()
    }
}

/// Returns the requests of a file, and what is said of it.
fn expanded(file: &str) -> (Vec<String>, Vec<String>) {
    let root = parse_one("compose.yaml", file).unwrap().unwrap();
    assert!(is_file(&root), "{file}");
    let (requests, findings) = expansion(file, &expand(&root, "compose.yaml", &values()));
    let findings = findings.iter();
    let findings = findings.map(|message| format!("{}: {message}", message.reason()));
    (requests, findings.collect())
}

/// Returns the value after `key:` in the requests of a service with these members.
fn made(members: &str, key: &str) -> String {
    let (requests, _) = expanded(&format!("services: {{web: {{image: a, {members}}}}}\n"));
    value_after(&requests.join("\n"), key)
}

#[test]
fn files_are_recognized() {
    let table = [
        ("services: {a: {image: b}}", true),
        ("services: {a: {build: .}, b: {command: c}}", true),
        ("services: {a: {extends: {service: b}}}", true),
        ("services: {a: {command: c}}", false),
        ("services: {a: {image: b}, c: null}", false),
        ("include: [a.yaml, {path: [b.yaml]}]", true),
        ("include: [a]", false),
        ("services: [{image: b}]", false),
        ("services: {}", false),
        ("a: {image: b}", false),
    ];
    for (file, expected) in table {
        let root = parse_one("a.yml", file).unwrap().unwrap();
        assert_eq!(is_file(&root), expected, "{file}");
    }
}

#[test]
fn members_are_translated() {
    let table = [
        ("", "serviceName", r#""web""#),
        ("", "cpu", r#""256""#),
        ("", "launchType", r#""FARGATE""#),
        ("command: run 'a b'", "command", r#"["run","a b"]"#),
        ("command: []", "command", "-"),
        ("entrypoint: [run]", "entryPoint", r#"["run"]"#),
        (
            "environment: [A=1, 'B=c=d', C]",
            "environment",
            r#"[{name:"A",value:"1"},{name:"B",value:"c=d"},{name:"C",value:"${C}"}]"#,
        ),
        (
            "environment: {A: 1, B: null, C: true}",
            "environment",
            r#"[{name:"A",value:"1"},{name:"B",value:"${B}"},{name:"C",value:"true"}]"#,
        ),
        (
            "ports: ['8080:80/tcp'], expose: [81]",
            "portMappings",
            concat!(
                r#"[{containerPort:80,protocol:"tcp",name:"p80"},"#,
                r#"{containerPort:81,protocol:"tcp",name:"p81"}]"#
            ),
        ),
        (
            "expose: [5432]",
            "serviceConnectConfiguration",
            concat!(
                r#"{enabled:true,namespace:"compose",services:[{portName:"p5432","#,
                r#"discoveryName:"web",clientAliases:[{port:5432,dnsName:"web"}]}]}"#
            ),
        ),
        ("expose: [5432]", "expose", "-"),
        ("ports: ['5432:5432']", "expose", "-"),
        (
            "ports: ['443:8443']",
            "expose",
            r#"{type:"alb",containerName:"web",containerPort:8443}"#,
        ),
        (
            "ports: [{target: 8080, x-aws-protocol: http}]",
            "expose",
            r#"{type:"alb",containerName:"web",containerPort:8080}"#,
        ),
        (
            "healthcheck: {test: curl -f http://localhost, interval: 1m30s}",
            "healthCheck",
            concat!(
                r#"{interval:90,timeout:30,retries:3,startPeriod:0,"#,
                r#"command:["CMD-SHELL","curl -f http://localhost"]}"#
            ),
        ),
        ("healthcheck: {test: [NONE]}", "healthCheck", "-"),
        ("healthcheck: {test: a, disable: true}", "healthCheck", "-"),
        (
            "deploy: {resources: {limits: {cpus: '0.5', memory: 1500M}}}",
            "memory",
            r#""2048""#,
        ),
        ("cpus: 0.5, mem_limit: 1g", "cpu", r#""512""#),
        ("privileged: true, mem_limit: 700m", "memory", r#""700""#),
        ("mem_limit: lots", "memory", r#""lots""#),
        (
            "deploy: {resources: {limits: {memory: 1g}, reservations: {memory: 256m}}}",
            "memoryReservation",
            "256",
        ),
        (
            "deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 2}]}}}",
            "resourceRequirements",
            r#"[{type:"GPU",value:"2"}]"#,
        ),
        ("deploy: {replicas: 3}", "desiredCount", "3"),
        ("scale: 2", "desiredCount", "2"),
        (
            "deploy: {mode: global}",
            "schedulingStrategy",
            r#""DAEMON""#,
        ),
        (
            "deploy: {replicas: 4, update_config: {parallelism: 1, order: start-first}}",
            "deploymentConfiguration",
            "{minimumHealthyPercent:100,maximumPercent:125}",
        ),
        (
            "deploy: {replicas: 4, update_config: {parallelism: 2}}",
            "deploymentConfiguration",
            "{minimumHealthyPercent:50,maximumPercent:100}",
        ),
        (
            "deploy: {replicas: 0, update_config: {failure_action: rollback}}",
            "deploymentCircuitBreaker",
            "{enable:true,rollback:true}",
        ),
        (
            "deploy: {update_config: {x-aws-min_percent: 25, x-aws-max_percent: 125}}",
            "deploymentConfiguration",
            "{minimumHealthyPercent:25,maximumPercent:125}",
        ),
        (
            "deploy: {x-aws-autoscaling: {max: 5, cpu: 75}}",
            "scalableTarget",
            "{MinCapacity:1,MaxCapacity:5}",
        ),
        (
            "volumes: ['data:/data:ro']",
            "volumes",
            concat!(
                r#"[{name:"data",efsVolumeConfiguration:{fileSystemId:"${data.FileSystem}","#,
                r#"transitEncryption:"ENABLED"}}]"#
            ),
        ),
        (
            "volumes: ['data:/data:ro']",
            "mountPoints",
            r#"[{sourceVolume:"data",containerPath:"/data",readOnly:true}]"#,
        ),
        (
            "volumes: ['/var/log:/logs']",
            "volumes",
            r#"[{name:"var-log",host:{sourcePath:"/var/log"}}]"#,
        ),
        ("volumes: ['/var/log:/logs']", "launchType", r#""EC2""#),
        ("volumes: ['./src:/src']", "volumes", "-"),
        ("tmpfs: /run", "volumes", r#"[{name:"run"}]"#),
        (
            "ulimits: {nofile: {soft: 1, hard: 2}, nproc: 3}",
            "ulimits",
            r#"[{name:"nofile",softLimit:1,hardLimit:2},{name:"nproc",softLimit:3,hardLimit:3}]"#,
        ),
        (
            "sysctls: [net.core.somaxconn=1024]",
            "systemControls",
            r#"[{namespace:"net.core.somaxconn",value:"1024"}]"#,
        ),
        (
            "cap_add: [SYS_PTRACE], cap_drop: [ALL], init: true",
            "linuxParameters",
            r#"{capabilities:{add:["SYS_PTRACE"],drop:["ALL"]},initProcessEnabled:true}"#,
        ),
        (
            "cap_add: [cap_net_admin], cap_drop: [all]",
            "linuxParameters",
            r#"{capabilities:{add:["NET_ADMIN"],drop:["ALL"]}}"#,
        ),
        ("cap_add: [NET_ADMIN]", "launchType", r#""EC2""#),
        (
            "extra_hosts: ['a:10.0.0.1', 'b=host-gateway']",
            "pod",
            r#"{patch:{spec:{hostAliases:[{ip:"10.0.0.1",hostnames:["a"]}]}}}"#,
        ),
        (
            "healthcheck: {test: [CMD, a], interval: 1s, timeout: 2m, retries: 30, start_period: 10m}",
            "healthCheck",
            r#"{interval:5,timeout:60,retries:10,startPeriod:300,command:["CMD","a"]}"#,
        ),
        (
            "gpus: all",
            "resourceRequirements",
            r#"[{type:"GPU",value:"1"}]"#,
        ),
        (
            "gpus: [{count: 2}]",
            "resourceRequirements",
            r#"[{type:"GPU",value:"2"}]"#,
        ),
        (
            "deploy: {resources: {reservations: {devices: [{capabilities: [gpu], device_ids: ['0', '3']}]}}}",
            "resourceRequirements",
            r#"[{type:"GPU",value:"2"}]"#,
        ),
        ("mem_limit: 0", "memory", r#""512""#),
        ("mem_limit: 1.5GiB", "memory", r#""2048""#),
        ("command: [sleep, 10]", "command", r#"["sleep","10"]"#),
        (
            "environment: [A=1, A=2]",
            "environment",
            r#"[{name:"A",value:"2"}]"#,
        ),
        ("ports: ['80:${PORT}']", "containerPort", r#""${PORT}""#),
        ("volumes: ['${PWD}/a:/b']", "volumes", "-"),
        ("user: '1000'", "user", r#""1000""#),
        ("working_dir: /app", "workingDirectory", r#""/app""#),
        ("read_only: true", "readonlyRootFilesystem", "true"),
        ("stop_grace_period: 1m30s", "stopTimeout", "90"),
        ("labels: [a=b, c]", "dockerLabels", r#"{a:"b",c:""}"#),
        ("platform: linux/arm64", "cpuArchitecture", r#""ARM64""#),
        (
            "logging: {options: {awslogs-group: g}}",
            "logConfiguration",
            concat!(
                r#"{logDriver:"awslogs",options:{awslogs-group:"g",awslogs-region:"eu-west-1","#,
                r#"awslogs-stream-prefix:"compose"}}"#
            ),
        ),
        ("logging: {driver: json-file}", "logConfiguration", "-"),
        ("logging: {driver: syslog}", "launchType", r#""EC2""#),
        (
            "secrets: [db]",
            "pod",
            concat!(
                r#"{volumes:[{name:"secret-db",secret:{secretName:"db"}}],containers:[{name:"web","#,
                r#"volumeMounts:[{name:"secret-db",mountPath:"/run/secrets/db",subPath:"db",readOnly:true}]}]}"#
            ),
        ),
    ];
    for (members, key, expected) in table {
        assert_eq!(made(members, key), expected, "{members}");
    }
}

#[test]
fn a_member_that_nothing_takes_is_named() {
    let table = [
        ("colour: blue", "services.web.colour"),
        ("deploy: {colour: blue}", "services.web.deploy.colour"),
        (
            "deploy: {resources: {colour: blue}}",
            "services.web.deploy.resources.colour",
        ),
        (
            "deploy: {update_config: {colour: blue}}",
            "services.web.deploy.update_config.colour",
        ),
        (
            "healthcheck: {test: a, colour: blue}",
            "services.web.healthcheck.colour",
        ),
        ("logging: {colour: blue}", "services.web.logging.colour"),
        (
            "ports: [{target: 80, colour: blue}]",
            "services.web.ports.colour",
        ),
        ("ports: [web]", "services.web.ports"),
        (
            "volumes: [{target: /a, colour: blue}]",
            "services.web.volumes.colour",
        ),
        ("volumes: ['./a:/b']", "services.web.volumes"),
        ("healthcheck: {interval: 1s}", "services.web.healthcheck"),
        (
            "healthcheck: {test: a, interval: 1s}",
            "services.web.healthcheck.interval",
        ),
        ("gpus: all", "services.web.gpus"),
        (
            "deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: all}]}}}",
            "services.web.deploy.resources.reservations.devices",
        ),
        (
            "extra_hosts: ['a:host-gateway']",
            "services.web.extra_hosts.a",
        ),
        ("pre_start: []", "services.web.pre_start"),
        ("dns_opt: [a]", "services.web.dns_opt"),
        ("volumes: ['${PWD}/a:/b']", "services.web.volumes"),
        (
            "env_file: [a.env, {path: b.env, required: false}]",
            "services.web.env_file",
        ),
        ("env_file: .env", "services.web.env_file"),
        ("profiles: [debug]", "services.web.profiles"),
        ("extends: {service: b}", "services.web.extends"),
        ("x-aws-policies: [a]", "services.web.x-aws-policies"),
        ("platform: plan9/mips", "services.web.platform"),
        ("deploy: {placement: {}}", "services.web.deploy.placement"),
        ("entrypoint: []", "services.web.entrypoint"),
        ("restart: 'no'", "services.web.restart"),
        (
            "deploy: {restart_policy: {condition: on-failure}}",
            "services.web.deploy.restart_policy",
        ),
        ("command: run", "services.web.expose"),
    ];
    for (members, path) in table {
        let (_, findings) = expanded(&format!("services: {{web: {{image: a, {members}}}}}\n"));
        let named = format!("ManifestFieldNotRead: not translated: {path}");
        assert!(findings.contains(&named), "{members}: {findings:#?}");
    }
    let (_, findings) = expanded("services: {web: {image: a, expose: [80], restart: always}}\n");
    let is_named = |it: &String| it.starts_with("ManifestFieldNotRead");
    assert!(!findings.iter().any(is_named), "{findings:#?}");
    let (_, findings) =
        expanded("services: {web: {image: a}}\ncolour: blue\nx-own: 1\ninclude: [b]\n");
    let all = findings.join("\n");
    assert!(all.contains("not translated: colour") && all.contains("not translated: include"));
    assert!(!all.contains("x-own"), "{all}");
}

#[test]
fn volumes_that_are_made_already_have_their_file_system() {
    let (requests, _) = expanded(
        "services: {a: {image: b, volumes: ['data:/data']}}\n\
         volumes: {data: {external: true, name: fs-0123}}\n",
    );
    assert!(requests.join("").contains(r#"fileSystemId:"fs-0123""#));
}

#[test]
fn what_the_file_does_not_say_is_asked_for() {
    let (_, findings) = expanded("services: {web: {build: ., environment: {A: '${B}'}}}\n");
    let expected = [
        "ManifestValuesOpen: the file does not say B, web.image, so placeholders stand for them",
        "TaskSizeAssumed: no limit of memory is given for web, so that a task has 512 MiB",
    ];
    for expected in expected {
        assert!(findings.iter().any(|it| it == expected), "{findings:#?}");
    }
}

#[test]
fn services_are_units_of_their_own() {
    let file = "services: {web: {image: 'a:1'}, db: {image: 'b:1'}}\n";
    let (found, problems) = units(&[("compose.yaml", file)], &[]);
    let summaries: Vec<_> = found.iter().map(super::super::testing::summary).collect();
    assert_eq!(
        summaries,
        ["service web runs web -", "service db runs db -"],
        "{problems:?}"
    );
}

#[test]
fn names_are_those_that_ecs_and_dns_may_have() {
    let (requests, findings) = expanded("services: {Web.Front: {image: a}, b_c: {image: a}}");
    let all = requests.join("\n");
    assert_eq!(value_after(&all, "family"), r#""web-front""#);
    let named = "ManifestFieldNotRead: not translated: services.Web.Front";
    assert!(findings.iter().any(|it| it == named), "{findings:?}");
}

#[test]
fn what_is_only_repeated_asks_for_nothing() {
    let file =
        "x-a: {image: '${UNUSED}'}\nx-b: &b {image: 'a:${TAG}'}\nservices: {web: {<<: *b}}\n";
    let (_, findings) = expanded(file);
    let all = findings.join("\n");
    assert!(all.contains("TAG") && !all.contains("UNUSED"), "{all}");
}
