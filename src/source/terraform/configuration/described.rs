//! Modules of registries that are read by their inputs. Each has a description, which is a module of our own with the
//! resources that the real one makes, as far as they matter to tasks, under the same addresses. So it is evaluated as any
//! other module, and nothing is downloaded
//! (<https://developer.hashicorp.com/terraform/language/modules/sources>).

/// The description of a module.
#[derive(Debug)]
pub(super) struct Description {
    /// The repository on GitHub, from which its name in a registry follows.
    repository: &'static str,
    /// The folder in the repository.
    folder: &'static str,
    /// What stands for the folder of the module. No path of a file has a zero byte.
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    /// The major versions that have these inputs; the last is read if none is asked for.
    majors: &'static [u32],
}

const DESCRIPTIONS: &[Description] = &[
    Description {
        repository: "cloudposse/terraform-aws-ecs-alb-service-task",
        folder: "",
        path: "\0cloudposse/ecs-alb-service-task",
        text: include_str!("../modules/cloudposse_alb_service_task.tf"),
        majors: &[0],
    },
    Description {
        repository: "cloudposse/terraform-aws-ecs-container-definition",
        folder: "",
        path: "\0cloudposse/ecs-container-definition",
        text: include_str!("../modules/cloudposse_container_definition.tf"),
        majors: &[0],
    },
    Description {
        repository: "cloudposse/terraform-null-label",
        folder: "",
        path: "\0cloudposse/label",
        text: include_str!("../modules/cloudposse_label.tf"),
        majors: &[0],
    },
    Description {
        repository: "terraform-aws-modules/terraform-aws-ecs",
        folder: "",
        path: "\0terraform-aws-modules/ecs",
        text: include_str!("../modules/ecs.tf"),
        majors: &[5, 6, 7],
    },
    Description {
        repository: "terraform-aws-modules/terraform-aws-ecs",
        folder: "modules/cluster",
        path: "\0terraform-aws-modules/ecs/cluster",
        text: include_str!("../modules/ecs_cluster.tf"),
        majors: &[5, 6, 7],
    },
    Description {
        repository: "terraform-aws-modules/terraform-aws-ecs",
        folder: "modules/container-definition",
        path: "\0terraform-aws-modules/ecs/container-definition",
        text: include_str!("../modules/ecs_container_definition.tf"),
        majors: &[5, 6, 7],
    },
    Description {
        repository: "terraform-aws-modules/terraform-aws-ecs",
        folder: "modules/service",
        path: "\0terraform-aws-modules/ecs/service",
        text: include_str!("../modules/ecs_service.tf"),
        majors: &[5, 6, 7],
    },
];

/// A module that is read by its inputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Described {
    pub(super) description: &'static Description,
    /// The major version that it is read as.
    pub(super) major: u32,
    /// That which is asked for, if it is another one.
    pub(super) unknown: Option<u32>,
}

impl Described {
    /// Returns the description of the module that a source names, if there is one.
    pub(super) fn of(source: &str, version: Option<&str>) -> Option<Self> {
        let place = Place::of(source)?;
        let description = DESCRIPTIONS
            .iter()
            .find(|it| it.repository == place.repository && it.folder == place.folder)?;
        let asked = version.or(place.reference).and_then(major);
        let newest = description.majors.last().copied().unwrap_or_default();
        let known = asked.filter(|major| description.majors.contains(major));
        Some(Self {
            description,
            major: known.unwrap_or(newest),
            unknown: asked.filter(|_| known.is_none()),
        })
    }
}

/// Returns the description that a path stands for.
pub(super) fn description_at(path: &str) -> Option<&'static Description> {
    DESCRIPTIONS.iter().find(|it| it.path == path)
}

/// Where the source of a module is.
struct Place<'s> {
    repository: String,
    folder: &'s str,
    /// The branch, tag or commit.
    reference: Option<&'s str>,
}

impl<'s> Place<'s> {
    /// Returns where a source is, if it is an address in a registry or a repository on GitHub.
    fn of(source: &'s str) -> Option<Self> {
        let source = source.strip_prefix("git::").unwrap_or(source);
        let (address, query) = source.split_once('?').unwrap_or((source, ""));
        let reference = query.split('&').find_map(|it| it.strip_prefix("ref="));
        let is_url = address.contains("://");
        let address = address.split_once("://").map_or(address, |(_, rest)| rest);
        let (address, folder) = address.split_once("//").unwrap_or((address, ""));
        let address = address.rsplit_once('@').map_or(address, |(_, rest)| rest);
        let on_github = address
            .strip_prefix("github.com")
            .and_then(|rest| rest.strip_prefix(['/', ':']));
        let repository = match on_github {
            Some(path) => path.strip_suffix(".git").unwrap_or(path).to_owned(),
            None if is_url => return None,
            None => of_registry(address)?,
        };
        Some(Self {
            repository,
            folder: folder.trim_matches('/'),
            reference,
        })
    }
}

/// Returns the repository that an address in a public registry stands for: `NAMESPACE/NAME/PROVIDER`
/// (<https://developer.hashicorp.com/terraform/registry/modules/publish>).
fn of_registry(address: &str) -> Option<String> {
    const HOSTS: &[&str] = &["registry.terraform.io/", "registry.opentofu.org/"];
    let mut hosts = HOSTS.iter();
    let address = hosts
        .find_map(|host| address.strip_prefix(host))
        .unwrap_or(address);
    let mut parts = address.split('/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(namespace), Some(name), Some(provider), None) => {
            Some(format!("{namespace}/terraform-{provider}-{name}"))
        }
        _ => None,
    }
}

/// Returns the major version that a constraint or a tag asks for: 5 for `~> 5.2`, for `>= 5.0, < 6.0` and for `v5.1.0`
/// (<https://developer.hashicorp.com/terraform/language/expressions/version-constraints>).
fn major(version: &str) -> Option<u32> {
    let mut clauses = version.split(',').map(str::trim);
    let lower = clauses.find(|it| !it.starts_with(['<', '!']))?;
    let number = lower.trim_start_matches(['=', '>', '~', ' ', 'v']);
    let is_version = number.contains('.') || lower.starts_with(['v', '=', '>', '~']);
    let digits = number.split('.').next().filter(|_| is_version)?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_by_their_sources() {
        const SERVICE: &str = "\0terraform-aws-modules/ecs/service";
        const CONTAINER: &str = "\0cloudposse/ecs-container-definition";
        for (source, version, expected) in [
            (
                "terraform-aws-modules/ecs/aws",
                Some("~> 5.0"),
                Some(("\0terraform-aws-modules/ecs", 5, None)),
            ),
            (
                "terraform-aws-modules/ecs/aws//modules/service",
                Some("6.2.1"),
                Some((SERVICE, 6, None)),
            ),
            (
                "registry.terraform.io/terraform-aws-modules/ecs/aws//modules/service",
                None,
                Some((SERVICE, 7, None)),
            ),
            (
                "github.com/terraform-aws-modules/terraform-aws-ecs//modules/service?ref=v5.0.0",
                None,
                Some((SERVICE, 5, None)),
            ),
            (
                "git::https://github.com/terraform-aws-modules/terraform-aws-ecs.git//modules/service?depth=1&ref=v6.0.0",
                None,
                Some((SERVICE, 6, None)),
            ),
            (
                "git@github.com:terraform-aws-modules/terraform-aws-ecs.git//modules/service?ref=main",
                None,
                Some((SERVICE, 7, None)),
            ),
            (
                "git::ssh://git@github.com/cloudposse/terraform-aws-ecs-container-definition.git?ref=0.58.1",
                None,
                Some((CONTAINER, 0, None)),
            ),
            (
                "terraform-aws-modules/ecs/aws//modules/service",
                Some(">= 9.0, < 10"),
                Some((SERVICE, 7, Some(9))),
            ),
            ("terraform-aws-modules/vpc/aws", Some("5.0.0"), None),
            (
                "https://example.com/terraform-aws-modules/ecs/aws",
                None,
                None,
            ),
            ("terraform-aws-modules/ecs/aws//modules/other", None, None),
            ("example.com/terraform-aws-modules/ecs/aws", None, None),
            ("../service", None, None),
            ("", None, None),
        ] {
            let found = Described::of(source, version);
            let found = found.map(|it| (it.description.path, it.major, it.unknown));
            assert_eq!(found, expected, "{source}");
        }
    }

    #[test]
    fn constraints_have_a_major_version() {
        for (version, expected) in [
            ("5.12.1", Some(5)),
            ("~> 5.0", Some(5)),
            (">= 5.2, < 6.0", Some(5)),
            ("< 6.0, >= 5.2", Some(5)),
            ("v5.1.0", Some(5)),
            ("v6", Some(6)),
            ("= 6", Some(6)),
            ("< 6.0", None),
            ("main", None),
            ("8d25f4e", None),
            ("", None),
        ] {
            assert_eq!(major(version), expected, "{version}");
        }
    }

    #[test]
    fn every_description_is_a_module() {
        for it in DESCRIPTIONS {
            let body = hcl_edit::parser::parse_body(it.text);
            assert!(body.is_ok(), "{}: {body:?}", it.path);
            assert_eq!(description_at(it.path).map(|it| it.text), Some(it.text));
        }
    }
}
