//! Names of hosts that a service knows without asking for them
//! (<https://github.com/compose-spec/compose-spec/blob/main/05-services.md#extra_hosts>).

use super::{
    super::{
        manifest::{Object, Report, Section, list, text},
        tree::Node,
    },
    pairs::{Pair, pairs},
};

/// The address of the machine, which Docker puts in.
const MACHINE: &str = "host-gateway";

/// Takes the names, as a patch of the pod that adds them. ECS has them only in tasks without an address of their own.
pub(super) fn host_aliases<'a>(
    section: &mut Section<'a>,
    report: &mut Report<'_>,
) -> Option<Node<'a>> {
    let path = section.path("extra_hosts");
    let hosts = addresses(section, &path, report);
    let span = hosts.first()?.1.span;
    let made = hosts.into_iter().map(|(name, address)| {
        let span = address.span;
        let mut made = Object::new(span);
        made.put("ip", address);
        made.put("hostnames", list(span, vec![name]));
        made.node()
    });
    let mut spec = Object::new(span);
    spec.put("hostAliases", list(span, made.collect()));
    let mut patch = Object::new(span);
    patch.put("spec", spec.node());
    Some(patch.node())
}

/// Takes the names as ECS has them.
pub(super) fn extra_hosts<'a>(section: &mut Section<'a>, report: &mut Report<'_>) -> Vec<Node<'a>> {
    let path = section.path("extra_hosts");
    let hosts = addresses(section, &path, report).into_iter();
    let made = hosts.map(|(name, address)| {
        let mut made = Object::new(address.span);
        made.put("hostname", name);
        made.put("ipAddress", address);
        made.node()
    });
    made.collect()
}

/// Takes names with their addresses, except that of the machine, which a pod has no use for.
fn addresses<'a>(
    section: &mut Section<'a>,
    path: &str,
    report: &mut Report<'_>,
) -> Vec<(Node<'a>, Node<'a>)> {
    let hosts = pairs(section, "extra_hosts", &['=', ':']).into_iter();
    let made = hosts.filter_map(|Pair { name, span, value }| {
        let address = value.filter(|it| it.text() != Some(MACHINE));
        if address.is_none() {
            let advice = "a pod does not run beside what is on the machine: give the program the address of that otherwise";
            report.unread(span, format!("{path}.{name}"), advice);
        }
        let address = address?;
        let plain = address.text().map(|it| it.trim_matches(['[', ']']).to_owned());
        let address = text(address.span, plain?);
        Some((text(span, name), address))
    });
    made.collect()
}
